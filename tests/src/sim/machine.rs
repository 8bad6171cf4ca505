//! What a simulation costs this machine, read from `/proc`.

use std::time::Instant;

/// Bytes of a page of memory on Linux.
const PAGE_BYTES: u64 = 4_096;

/// Clocks at a start.
pub struct Cost {
    wall: Instant,
    cpu_us: u64,
    memory_bytes: u64,
}

impl Cost {
    /// Reads all clocks.
    pub fn start() -> Cost {
        Cost { wall: Instant::now(), cpu_us: cpu_us(), memory_bytes: memory_bytes() }
    }

    /// Seconds since the start.
    pub fn wall_s(&self) -> f64 {
        self.wall.elapsed().as_secs_f64()
    }

    /// Microseconds of CPU since the start.
    pub fn cpu_us(&self) -> u64 {
        cpu_us().saturating_sub(self.cpu_us)
    }

    /// Bytes in memory that were not there at the start.
    pub fn memory_bytes(&self) -> u64 {
        memory_bytes().saturating_sub(self.memory_bytes)
    }
}

/// CPU time of this thread, in which a simulation runs; 0 where the system does not say.
fn cpu_us() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
    nanoseconds.unwrap_or(0) / 1_000
}

/// Resident memory of this process; 0 where the system does not say.
fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}
