//! How busy the machine is: a swarm on a busy one measures the machine.

use serde::{Deserialize, Serialize};

/// The unit of `/proc`'s CPU times, in seconds: `USER_HZ` is 100 on every Linux of today.
const TICK_S: f64 = 0.01;

/// Fields of a process's `stat` behind its name: user and system time of itself.
const USER_AND_SYSTEM: std::ops::Range<usize> = 11..13;

/// CPU time of the whole machine since its start, in seconds over all cores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineTime {
    /// Busy with anything.
    pub busy_s: f64,
    /// Busy, idle, or taken by the machine's own host.
    pub all_s: f64,
}

impl MachineTime {
    /// As it is now; zero where the system does not tell.
    pub fn now() -> Self {
        Self::parse(&std::fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// The first line: user, nice, system, idle, iowait, irq, softirq, steal.
    fn parse(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<f64> =
            line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
        let all: f64 = ticks.iter().sum();
        let idle: f64 = ticks.iter().skip(3).take(2).sum();
        MachineTime { busy_s: (all - idle) * TICK_S, all_s: all * TICK_S }
    }

    /// The part of all cores' time that was busy since `before`.
    pub fn busy_since(&self, before: MachineTime) -> f64 {
        super::percentile::share(self.busy_s - before.busy_s, self.all_s - before.all_s)
    }
}

/// CPU time of a process so far, in seconds; `self` is this one.
pub fn process_s(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let words = behind_name.split_whitespace().skip(USER_AND_SYSTEM.start).take(USER_AND_SYSTEM.len());
    words.filter_map(|word| word.parse::<f64>().ok()).sum::<f64>() * TICK_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_is_not_busy_and_stolen_time_is() {
        let before = MachineTime::parse("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 ...");
        let after = MachineTime::parse("cpu  10 10 20 40 10 0 0 10 99 99\ncpu0 ...");
        assert_eq!(after.busy_since(before), 0.5);
    }

    #[test]
    fn this_process_has_used_some_time() {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while process_s("self") == 0.0 {
            assert!(std::time::Instant::now() < until, "ten seconds of work and no time used");
        }
    }
}
