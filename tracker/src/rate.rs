//! How much is allowed: token buckets, and the sessions of each address. Addresses stay in here; nothing logs them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Limits;

/// So many a second on average, so many at once.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        Bucket::full(f64::from(per_second.max(1)), f64::from(burst.max(1)), now)
    }

    fn full(per_second: f64, burst: f64, now: Instant) -> Self {
        Bucket { per_second, burst, tokens: burst, filled: now }
    }

    /// Takes one, or says how long to wait for it.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.burst);
        self.filled = now;
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / self.per_second));
        }
        self.tokens -= 1.0;
        Ok(())
    }

    pub(crate) fn is_full(&self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens + elapsed * self.per_second >= self.burst
    }
}

/// Households in one table, roughly. 65,536: about 5 MB.
const HOUSEHOLDS_MAX: usize = 65_536;

/// A rate for each household. Programs on this machine are not counted.
#[derive(Debug)]
pub(crate) struct Households {
    per_second: f64,
    burst: f64,
    table: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Households {
    /// So many a second on average, so many at once.
    pub(crate) fn new((per_second, burst): (f64, f64)) -> Self {
        Households { per_second, burst, table: Mutex::default() }
    }

    /// Takes one for `address`, or says how long to wait for it.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = household(address);
        if address.is_loopback() {
            return Ok(());
        }
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= HOUSEHOLDS_MAX {
            table.retain(|_, bucket| !bucket.is_full(now));
        }
        if table.len() >= HOUSEHOLDS_MAX && !table.contains_key(&address) {
            return Err(Duration::from_secs_f64(1.0 / self.per_second));
        }
        let fresh = || Bucket::full(self.per_second, self.burst, now);
        table.entry(address).or_insert_with(fresh).take(now)
    }
}

/// The sessions of each address.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    table: Arc<Mutex<HashMap<IpAddr, Usage>>>,
}

#[derive(Debug)]
struct Usage {
    sessions: usize,
    openings: Bucket,
}

/// A session's place in the count of its address, given back on drop.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    pub(crate) fn new() -> Self {
        Addresses { table: Arc::default() }
    }

    /// Counts one more session of `address`, unless it has too many or opens them too fast.
    pub(crate) fn admit(&self, address: IpAddr, limits: &Limits, now: Instant) -> Option<AddressPermit> {
        let address = household(address);
        let (sessions_max, rate) = match address.is_loopback() {
            true => (limits.sessions_on_loopback, limits.sessions_on_loopback as u32),
            false => (limits.sessions_per_address, limits.openings_per_second),
        };
        let burst = rate.max(limits.openings_burst);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        // A crowd of addresses that come once and stay away: forget those that are as good as new.
        if table.len() >= 2 * limits.sessions_max {
            table.retain(|_, usage| usage.sessions > 0 || !usage.openings.is_full(now));
        }
        let usage = table
            .entry(address)
            .or_insert_with(|| Usage { sessions: 0, openings: Bucket::new(rate, burst, now) });
        if usage.sessions >= sessions_max || usage.openings.take(now).is_err() {
            return None;
        }
        usage.sessions += 1;
        Some(AddressPermit { addresses: self.clone(), address })
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut table = self.addresses.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(usage) = table.get_mut(&self.address) {
            usage.sessions = usage.sessions.saturating_sub(1);
        }
    }
}

/// What one subscriber has: an IPv4 address, or a /64 of IPv6.
pub(crate) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let network = v6.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 3, start);
        assert!((0..3).all(|_| bucket.take(start).is_ok()));
        let wait = bucket.take(start).unwrap_err();
        assert!(wait <= Duration::from_millis(100) && wait > Duration::from_millis(90));
        assert!(bucket.take(start + Duration::from_millis(101)).is_ok());
        assert!(bucket.take(start + Duration::from_millis(102)).is_err());
    }

    #[test]
    fn an_address_has_so_many_sessions_and_gets_them_back() {
        let limits = Limits { sessions_per_address: 2, ..Limits::default() };
        let (addresses, now) = (Addresses::new(), Instant::now());
        let here: IpAddr = "203.0.113.1".parse().unwrap();
        let first = addresses.admit(here, &limits, now).unwrap();
        let _second = addresses.admit(here, &limits, now).unwrap();
        assert!(addresses.admit(here, &limits, now).is_none());
        assert!(addresses.admit("203.0.113.2".parse().unwrap(), &limits, now).is_some());
        drop(first);
        assert!(addresses.admit(here, &limits, now).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_household() {
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let two: IpAddr = "2001:db8::2:0:1".parse().unwrap();
        let other: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        assert_eq!(household(one), household(two));
        assert_ne!(household(one), household(other));
        assert_eq!(
            household("::ffff:203.0.113.1".parse().unwrap()),
            "203.0.113.1".parse::<IpAddr>().unwrap()
        );
    }
}
