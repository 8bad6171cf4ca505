//! A progress bar on standard error, where that is a terminal.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::sim::agenda::Micros;
use crate::sim::model::SECOND;

/// How far a simulation has come.
pub struct Progress(ProgressBar);

impl Progress {
    /// None.
    pub fn hidden() -> Progress {
        Progress(ProgressBar::hidden())
    }

    /// Up to `end`, if it is wanted and can be drawn.
    pub fn new(wanted: bool, end: Micros) -> Progress {
        if !wanted || !std::io::stderr().is_terminal() {
            return Progress::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(end), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{wide_bar} {msg}, {elapsed} so far, {eta} to go");
        Progress(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// So far.
    pub fn at(&self, now: Micros, watching: u32) {
        if !self.0.is_hidden() {
            self.0.set_position(now);
            self.0.set_message(format!("{} s, {watching} watch", now / SECOND));
        }
    }

    /// Done.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
