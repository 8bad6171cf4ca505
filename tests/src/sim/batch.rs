//! Many simulations, a few at a time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sim::{self, Figures, Setup};

/// Runs them all, `jobs` at a time, and says on standard error which. The figures come in the order of the setups.
pub fn run_all(setups: &[Setup], jobs: usize) -> Vec<Figures> {
    let waiting = Mutex::new(setups.iter().enumerate().collect::<VecDeque<_>>());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some((number, setup)) = take(&waiting) {
                    eprintln!("{}", setup.command());
                    let figures = sim::run(setup);
                    lock(&done).push((number, figures));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|&(number, _)| number);
    done.into_iter().map(|(_, figures)| figures).collect()
}

fn take<T>(waiting: &Mutex<VecDeque<T>>) -> Option<T> {
    lock(waiting).pop_front()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
