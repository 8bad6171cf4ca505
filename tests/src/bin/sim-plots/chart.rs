//! One chart as SVG, on a white card: readable on a dark page too.

use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width and height, in pixels.
const SIZE: (u32, u32) = (760, 400);
/// Room right of the curves for their names, in pixels.
const NAMES_WIDTH: u32 = 200;
/// Between two names, in pixels.
const NAME_HEIGHT: i32 = 17;
const FONT: &str = "sans-serif";
const TITLE_SIZE: u32 = 19;
const TEXT_SIZE: u32 = 16;
/// Okabe and Ito's colours, which the colour-blind can tell apart.
const COLOURS: [RGBColor; 5] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(204, 121, 167),
    RGBColor(0, 158, 115),
    RGBColor(110, 110, 110),
];

/// What is drawn.
pub struct Chart {
    /// Above it.
    pub title: &'static str,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// At most as many as there are colours.
    pub curves: Vec<Curve>,
}

/// One direction of a chart.
#[derive(Clone)]
pub struct Axis {
    /// Stands beside it.
    pub name: &'static str,
    /// Each step is a factor.
    pub is_logarithmic: bool,
    /// From where to where.
    pub range: Range<f64>,
    /// Where a number stands.
    pub labels: Vec<f64>,
}

/// A line with its name.
pub struct Curve {
    /// Stands beside its end.
    pub name: &'static str,
    /// A bound, not a measurement.
    pub is_bound: bool,
    /// By x, rising.
    pub points: Vec<(f64, f64)>,
}

impl Axis {
    /// Where a value lies on a line on which all steps are equal.
    fn place(&self, value: f64) -> f64 {
        if self.is_logarithmic { value.log10() } else { value }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, pixels: (i32, i32)) -> i32 {
        let (start, end) = (self.place(self.range.start), self.place(self.range.end));
        let share = (self.place(*value) - start) / (end - start);
        pixels.0 + (f64::from(pixels.1 - pixels.0) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.labels.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl Chart {
    /// Writes it.
    pub fn draw(&self, file: &Path) -> anyhow::Result<()> {
        let root = SVGBackend::new(file, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut context = ChartBuilder::on(&root)
            .caption(self.title, (FONT, TITLE_SIZE))
            .margin(12)
            .margin_right(NAMES_WIDTH)
            .x_label_area_size(44)
            .y_label_area_size(58)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        context
            .configure_mesh()
            .disable_x_mesh()
            .label_style((FONT, TEXT_SIZE))
            .x_desc(self.x.name)
            .y_desc(self.y.name)
            .x_label_formatter(&|value| value.to_string())
            .y_label_formatter(&|value| value.to_string())
            .draw()?;
        let mut names = Vec::new();
        for (curve, colour) in self.curves.iter().zip(COLOURS) {
            let points = || curve.points.iter().copied();
            if curve.is_bound {
                context.draw_series(DashedLineSeries::new(points(), 6, 4, colour.stroke_width(2)))?;
            } else {
                context.draw_series(LineSeries::new(points(), colour.stroke_width(2)))?;
                context.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
            }
            let end = points().last().with_context(|| format!("nothing to draw of {}", curve.name))?;
            names.push((context.backend_coord(&end), curve.name, colour));
        }
        apart(&mut names);
        for ((x, y), name, colour) in names {
            let style = (FONT, TEXT_SIZE).into_text_style(&root).color(&colour);
            root.draw(&Text::new(name, (x + 8, y), style.pos(Pos::new(HPos::Left, VPos::Center))))?;
        }
        root.present().with_context(|| format!("cannot write {}", file.display()))
    }
}

/// Moves names up until none lies upon another.
fn apart(names: &mut [((i32, i32), &str, RGBColor)]) {
    names.sort_by_key(|&((_, y), ..)| std::cmp::Reverse(y));
    let mut free = i32::MAX;
    for ((_, y), ..) in names {
        *y = free.min(*y);
        free = *y - NAME_HEIGHT;
    }
}
