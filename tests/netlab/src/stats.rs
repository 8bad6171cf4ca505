//! Counters and histograms.
use serde_json::{Value, json};

/// Log-linear histogram of nanoseconds, kept in microseconds; about 3 % wide bins.
#[derive(Clone)]
pub struct Hist {
    bins: Vec<u64>,
    n: u64,
    sum: u64,
    max: u64,
}
impl Default for Hist {
    fn default() -> Self {
        Hist { bins: vec![0; 64 * 32], n: 0, sum: 0, max: 0 }
    }
}
fn bin(us: u64) -> usize {
    if us < 64 {
        return us as usize;
    }
    let e = 63 - us.leading_zeros() as usize;
    64 + (e - 6) * 32 + ((us >> (e - 5)) & 31) as usize
}
fn low(b: usize) -> u64 {
    if b < 64 {
        return b as u64;
    }
    let e = (b - 64) / 32 + 6;
    (32 + ((b - 64) % 32) as u64) << (e - 5)
}
impl Hist {
    pub fn add(&mut self, ns: u64) {
        let us = ns / 1000;
        let b = bin(us).min(self.bins.len() - 1);
        self.bins[b] += 1;
        self.n += 1;
        self.sum += us;
        self.max = self.max.max(us);
    }
    fn q(&self, p: f64) -> f64 {
        if self.n == 0 {
            return 0.0;
        }
        let want = ((self.n as f64) * p).ceil().max(1.0) as u64;
        let mut c = 0;
        for (i, n) in self.bins.iter().enumerate() {
            c += n;
            if c >= want {
                return (low(i).min(self.max)) as f64 / 1000.0;
            }
        }
        self.max as f64 / 1000.0
    }
    pub fn json(&self) -> Value {
        json!({"n": self.n, "mean": if self.n == 0 { 0.0 } else { (self.sum / self.n.max(1)) as f64 / 1000.0 },
            "p50": self.q(0.5), "p90": self.q(0.9), "p99": self.q(0.99), "p999": self.q(0.999), "max": self.max as f64 / 1000.0})
    }
}

macro_rules! drops { ($($v:ident),* $(,)?) => {
    #[allow(non_camel_case_types)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Why { $($v),* }
    pub const WHYS: &[&str] = &[$(stringify!($v)),*];
} }
drops!(
    queue_up, queue_down, loss_up, loss_down, loss_path, cut, partition, blocked, nat, firewall, mtu, ttl,
    no_route, multicast, malformed, spoofed, tun_write
);

#[derive(Clone, Default)]
pub struct HostStats {
    pub out_bytes: u64,
    pub out_packets: u64,
    pub in_bytes: u64,
    pub in_packets: u64,
    pub drops: Vec<(u64, u64)>,
}
#[derive(Clone, Copy, Default)]
pub struct PairStats {
    pub sent_bytes: u64,
    pub sent_packets: u64,
    pub bytes: u64,
    pub packets: u64,
    pub udp_bytes: u64,
    pub tcp_bytes: u64,
}
