//! Both trackers' figures beside what is asked of this project's.

use serde::Serialize;

use super::figures::Figures;

/// How a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Better {
    Less,
    More,
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What is measured.
    figure: &'static str,
    /// The least that is asked for.
    gate: f64,
    /// What is aimed at.
    goal: f64,
    better: Better,
    /// Median of the runs.
    ours: Option<f64>,
    /// The same of `aquatic_ws`.
    aquatic_ws: Option<f64>,
    /// What gate and goal are held against: `ours`, or ours as a multiple.
    held: Option<f64>,
}

/// One figure of a run.
type Field = fn(&Figures) -> Option<f64>;

/// All runs of both, as the table of what is asked.
pub fn rows(ours: &[Figures], theirs: &[Figures]) -> Vec<Row> {
    let row = |figure, better, gate, goal, field: Field| {
        let (ours, aquatic_ws) = (median(ours, field), median(theirs, field));
        Row { figure, gate, goal, better, ours, aquatic_ws, held: ours }
    };
    let mut relays = row("relays_per_cpu_s, as a multiple", Better::More, 3.0, 4.0, |f| f.relays_per_cpu_s);
    relays.held = relays.ours.zip(relays.aquatic_ws).map(|(ours, theirs)| ours / theirs);
    vec![
        row("bytes_per_viewer", Better::Less, 10_000.0, 6_000.0, |f| f.bytes_per_viewer),
        row("bytes_per_viewer_after_signalling", Better::Less, 12_000.0, 8_000.0, |f| {
            f.bytes_per_viewer_after_signalling
        }),
        relays,
        row("sessions_per_cpu_s", Better::More, 20_000.0, 28_000.0, |f| f.sessions_per_cpu_s),
        row("match_p99_ms", Better::Less, 50.0, 20.0, |f| f.match_p99_ms),
        row("idle_cpu", Better::Less, 0.01, 0.0, |f| f.idle_cpu),
    ]
}

/// The table for people.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:36} {:>12} {:>12} {:>10} {:>10}  {}\n",
        "figure", "swarmcast", "aquatic_ws", "gate", "goal", "held"
    );
    for row in rows {
        let shown = |value: Option<f64>| value.map_or("-".to_owned(), number);
        let held = row
            .held
            .map_or("not measured".to_owned(), |held| format!("{} {}", number(held), row.verdict(held)));
        text += &format!(
            "{:36} {:>12} {:>12} {:>10} {:>10}  {held}\n",
            row.figure,
            shown(row.ours),
            shown(row.aquatic_ws),
            number(row.gate),
            number(row.goal),
        );
    }
    text
}

impl Row {
    /// Whether the gate is missed.
    pub fn misses_gate(&self) -> bool {
        self.held.is_none_or(|held| !self.reaches(held, self.gate))
    }

    fn reaches(&self, held: f64, bound: f64) -> bool {
        match self.better {
            Better::Less => held <= bound,
            Better::More => held >= bound,
        }
    }

    fn verdict(&self, held: f64) -> &'static str {
        match (self.reaches(held, self.goal), self.reaches(held, self.gate)) {
            (true, _) => "goal reached",
            (false, true) => "gate passed",
            (false, false) => "MISSED",
        }
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..1.0 => format!("{value:.4}"),
        ..1_000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// The lower one of two.
fn median(runs: &[Figures], field: Field) -> Option<f64> {
    crate::native::percentile::percentile(runs.iter().filter_map(field), 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misses_a_gate_is_told_from_what_reaches_a_goal() {
        let run = |relays, bytes| Figures {
            relays_per_cpu_s: Some(relays),
            bytes_per_viewer: Some(bytes),
            ..Figures::default()
        };
        let rows = rows(&[run(31.0, 5_000.0)], &[run(10.0, 150_000.0)]);
        let verdicts: Vec<_> = rows.iter().filter_map(|row| Some(row.verdict(row.held?))).collect();
        assert_eq!(verdicts, ["goal reached", "gate passed"]);
        assert!(rows.last().is_some_and(Row::misses_gate), "what was not measured is missed");
    }
}
