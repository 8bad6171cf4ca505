//! `capacity`: how fast a stream the viewers can carry among themselves, as a share of what their uplinks could.
//!
//! The bitrate is raised by bisection until fewer than 99 % of the pieces are on time. The relay is excluded: it serves
//! as always, but a piece that a viewer has from it counts as missing, except within the first seconds of the viewer's
//! session, in which it joins. Uplinks are physical ones, in bits of IP packets: headers, acknowledgements and
//! retransmissions are part of what the swarm has to pay.

use crate::sim::figures::Figures;
use crate::sim::setup::Setup;

/// Pieces on time, at least.
const ON_TIME: f64 = 0.99;

/// Where the search begins and ends, as shares of the bound.
const SEARCHED: (f64, f64) = (0.2, 1.0);

/// Halvings of that: to within 1.3 % of the bound.
const STEPS: u32 = 6;

/// Finds the highest bitrate, and returns the figures of the run at it, or at the lowest one tried if none will do.
pub fn search(setup: &Setup, mut run: impl FnMut(&Setup) -> Figures) -> Figures {
    let (mut low, mut high) = SEARCHED;
    let mut found: Option<Figures> = None;
    let mut failed = Figures::default();
    for _ in 0..STEPS {
        let middle = (low + high) / 2.0;
        let bitrate_bps = bitrate_at(setup, middle);
        let figures = run(&Setup { bitrate_bps, ..setup.clone() });
        if figures.on_time.is_some_and(|on_time| on_time >= ON_TIME) {
            low = middle;
            let rate_efficiency = f64::from(bitrate_bps) / bound_bps(setup, f64::from(bitrate_bps));
            found = Some(Figures { rate_efficiency: Some(rate_efficiency), ..figures });
        } else {
            high = middle;
            failed = figures;
        }
    }
    found.unwrap_or(failed)
}

/// The bitrate that is this share of its own bound, which grows with it as caps are multiples of the bitrate.
fn bitrate_at(setup: &Setup, share: f64) -> u32 {
    let (mut low, mut high) = (1.0, 1e9);
    while high - low > 1_000.0 {
        let middle = (low + high) / 2.0;
        if middle <= share * bound_bps(setup, middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low as u32
}

/// What no distribution can exceed: min(u_s, (u_s + Σ u_i) / N), with u_i = min(uplink, cap) of those who give.
fn bound_bps(setup: &Setup, bitrate_bps: f64) -> f64 {
    let cap_bps = f64::from(swarm::Config::default().upload_cap_x) * bitrate_bps;
    let viewers = (0..setup.viewers as u64).map(|number| setup.viewer(number));
    let given = viewers.filter(|viewer| viewer.gives).map(|viewer| (viewer.up_bps as f64).min(cap_bps));
    let source_bps = setup.source_uplink_bps() as f64;
    source_bps.min((source_bps + given.sum::<f64>()) / setup.viewers.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::setup::Scenario;

    #[test]
    fn the_search_finds_where_pieces_become_late() {
        let setup = Setup::new(Scenario::Capacity, 300, 1);
        let figures = search(&setup, |setup| Figures {
            bitrate_bps: setup.bitrate_bps,
            on_time: Some(if setup.bitrate_bps < 3_500_000 { 1.0 } else { 0.9 }),
            ..Figures::default()
        });
        assert!((3_400_000..3_500_000).contains(&figures.bitrate_bps), "{}", figures.bitrate_bps);
        let efficiency = figures.rate_efficiency.unwrap_or(0.0);
        assert!((0.6..0.9).contains(&efficiency), "{efficiency}");
    }
}
