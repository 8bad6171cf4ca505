//! Scenario file: what the hosts, regions, pairs and timed events are.
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;
use std::net::Ipv4Addr;

#[derive(Deserialize)]
#[serde(untagged)]
enum NumOrStr {
    N(f64),
    S(String),
}

/// Bits per second; 0 = unlimited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(pub u64);
impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match NumOrStr::deserialize(d)? {
            NumOrStr::N(n) if n >= 0.0 => Ok(Rate(n as u64)),
            NumOrStr::N(n) => Err(serde::de::Error::custom(format!("bad rate {n}"))),
            NumOrStr::S(s) => parse_rate(&s).ok_or_else(|| {
                serde::de::Error::custom(format!("bad rate {s:?} (want 512kbit, 10mbit, 1gbit, unlimited)"))
            }),
        }
    }
}
fn split_unit(s: &str) -> Option<(f64, String)> {
    let s = s.trim();
    let i = s.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(s.len());
    Some((s[..i].parse().ok()?, s[i..].trim().to_ascii_lowercase()))
}
pub fn parse_rate(s: &str) -> Option<Rate> {
    if s.trim().eq_ignore_ascii_case("unlimited") {
        return Some(Rate(0));
    }
    let (n, u) = split_unit(s)?;
    if n < 0.0 {
        return None;
    }
    let k = match u.as_str() {
        "" | "bit" | "bps" | "b" => 1.0,
        "k" | "kbit" | "kbps" | "kbit/s" | "kb/s" => 1e3,
        "m" | "mbit" | "mbps" | "mbit/s" | "mb/s" => 1e6,
        "g" | "gbit" | "gbps" | "gbit/s" | "gb/s" => 1e9,
        _ => return None,
    };
    Some(Rate((n * k) as u64))
}

/// Milliseconds in the file (number, or "20ms", "1.5s", "300us"); nanoseconds here.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Dur(pub u64);
impl<'de> Deserialize<'de> for Dur {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let bad = |s: String| {
            serde::de::Error::custom(format!("bad time {s} (want a number of ms, or 20ms, 1.5s, 300us)"))
        };
        match NumOrStr::deserialize(d)? {
            NumOrStr::N(n) if n >= 0.0 => Ok(Dur((n * 1e6) as u64)),
            NumOrStr::N(n) => Err(bad(n.to_string())),
            NumOrStr::S(s) => {
                let (n, u) = split_unit(&s).ok_or_else(|| bad(s.clone()))?;
                let k = match u.as_str() {
                    "us" => 1e3,
                    "" | "ms" => 1e6,
                    "s" => 1e9,
                    _ => return Err(bad(s)),
                };
                if n < 0.0 {
                    return Err(bad(s));
                }
                Ok(Dur((n * k) as u64))
            }
        }
    }
}

/// Seconds in the file (number, or "500ms", "2s"); nanoseconds here.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Secs(pub u64);
impl<'de> Deserialize<'de> for Secs {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match NumOrStr::deserialize(d)? {
            NumOrStr::N(n) if n >= 0.0 => Ok(Secs((n * 1e9) as u64)),
            NumOrStr::S(s) => match split_unit(&s) {
                Some((n, u)) if n >= 0.0 && (u == "s" || u.is_empty()) => Ok(Secs((n * 1e9) as u64)),
                Some((n, u)) if n >= 0.0 && u == "ms" => Ok(Secs((n * 1e6) as u64)),
                _ => Err(serde::de::Error::custom(format!("bad time {s:?} (want seconds)"))),
            },
            NumOrStr::N(n) => Err(serde::de::Error::custom(format!("bad time {n}"))),
        }
    }
}

/// Gilbert-Elliott; plain random loss is the case with one state.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Loss {
    pub p_gb: f64,
    pub p_bg: f64,
    pub good: f64,
    pub bad: f64,
}
#[derive(Deserialize)]
#[serde(untagged)]
enum LossIn {
    N(f64),
    S(String),
    Burst(LossBurst),
    Ge(LossGe),
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LossBurst {
    rate: f64,
    burst: f64,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LossGe {
    p_gb: f64,
    p_bg: f64,
    #[serde(default)]
    loss_good: f64,
    #[serde(default = "one")]
    loss_bad: f64,
}
fn one() -> f64 {
    1.0
}
impl<'de> Deserialize<'de> for Loss {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let e = |m: &str| serde::de::Error::custom(m.to_string());
        let l = match LossIn::deserialize(d).map_err(|_| {
            e("bad loss: want 0.01, \"1%\", {rate=0.02, burst=5} or {p_gb, p_bg, loss_good, loss_bad}")
        })? {
            LossIn::N(p) => Loss { good: p, ..Default::default() },
            LossIn::S(s) => {
                let t = s.trim();
                let p = match t.strip_suffix('%') {
                    Some(x) => x.trim().parse::<f64>().map(|v| v / 100.0),
                    None => t.parse::<f64>(),
                }
                .map_err(|_| e("bad loss string"))?;
                Loss { good: p, ..Default::default() }
            }
            LossIn::Burst(b) => {
                if b.burst.is_nan() || b.burst < 1.0 || !(0.0..1.0).contains(&b.rate) {
                    return Err(e("loss burst must be >= 1 and rate in [0,1)"));
                }
                let p_bg = 1.0 / b.burst;
                let p_gb = b.rate * p_bg / (1.0 - b.rate);
                if p_gb > 1.0 {
                    return Err(e("loss rate too high for that burst length"));
                }
                Loss { p_gb, p_bg, good: 0.0, bad: 1.0 }
            }
            LossIn::Ge(g) => Loss { p_gb: g.p_gb, p_bg: g.p_bg, good: g.loss_good, bad: g.loss_bad },
        };
        for p in [l.p_gb, l.p_bg, l.good, l.bad] {
            if !(0.0..=1.0).contains(&p) {
                return Err(e("loss probability outside [0,1]"));
            }
        }
        Ok(l)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum NatKind {
    #[default]
    None,
    FullCone,
    Restricted,
    PortRestricted,
    Symmetric,
}

/// Used for [defaults], each [[host]] and the `set` of an event.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    pub name: Option<String>,
    pub count: Option<u32>,
    pub region: Option<String>,
    pub ip: Option<Ipv4Addr>,
    pub private_ip: Option<Ipv4Addr>,
    pub up: Option<Rate>,
    pub down: Option<Rate>,
    pub delay: Option<Dur>,
    pub jitter: Option<Dur>,
    pub jitter_step: Option<Dur>,
    pub reorder: Option<bool>,
    pub loss: Option<Loss>,
    pub loss_up: Option<Loss>,
    pub loss_down: Option<Loss>,
    pub queue: Option<Dur>,
    pub queue_up: Option<Dur>,
    pub queue_down: Option<Dur>,
    pub burst: Option<u32>,
    pub mtu: Option<u16>,
    pub nat: Option<NatKind>,
    pub nat_udp_timeout: Option<Secs>,
    pub nat_tcp_timeout: Option<Secs>,
    pub nat_port_preserve: Option<bool>,
    pub udp_blocked: Option<bool>,
    pub tcp_allow: Option<Vec<u16>>,
}
impl HostSpec {
    pub fn over(&self, d: &HostSpec) -> HostSpec {
        macro_rules! m { ($($f:ident),*) => { HostSpec { $($f: self.$f.clone().or_else(|| d.$f.clone())),* } } }
        let mut r = m!(
            name,
            count,
            region,
            ip,
            private_ip,
            up,
            down,
            delay,
            jitter,
            jitter_step,
            reorder,
            loss,
            loss_up,
            loss_down,
            queue,
            queue_up,
            queue_down,
            burst,
            mtu,
            nat,
            nat_udp_timeout,
            nat_tcp_timeout,
            nat_port_preserve,
            udp_blocked,
            tcp_allow
        );
        // a nearer general value beats a farther specific one
        if self.loss.is_some() {
            r.loss_up = self.loss_up;
            r.loss_down = self.loss_down;
        }
        if self.queue.is_some() {
            r.queue_up = self.queue_up;
            r.queue_down = self.queue_down;
        }
        r
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    pub names: Vec<String>,
    pub delay: Vec<Vec<Dur>>,
    pub jitter: Option<Vec<Vec<Dur>>>,
    pub loss: Option<Vec<Vec<Loss>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairSpec {
    pub a: Sel,
    pub b: Sel,
    pub delay: Option<Dur>,
    pub jitter: Option<Dur>,
    pub loss: Option<Loss>,
    pub block: Option<bool>,
    #[serde(default)]
    pub one_way: bool,
}

/// A host name, "prefix*", "region:NAME", "*", or a list of those.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sel(pub Vec<String>);
impl<'de> Deserialize<'de> for Sel {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum X {
            S(String),
            V(Vec<String>),
        }
        Ok(match X::deserialize(d)? {
            X::S(s) => Sel(vec![s]),
            X::V(v) => Sel(v),
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventSpec {
    #[serde(default)]
    pub at: Secs,
    /// hosts that `set` applies to
    pub host: Option<Sel>,
    pub set: Option<HostSpec>,
    pub pair: Option<PairSpec>,
    pub cut: Option<Sel>,
    pub uncut: Option<Sel>,
    pub partition: Option<Vec<Sel>>,
    /// true: end the partition and all cuts
    pub heal: Option<bool>,
    pub kill: Option<Sel>,
    /// with kill: cut the host first and for good, so its death sends no FIN or RST
    #[serde(default)]
    pub silent: bool,
    pub signal: Option<String>,
    /// with kill/nat: forget the host's NAT mappings
    pub nat_reset: Option<Sel>,
    #[serde(rename = "for")]
    pub for_s: Option<Secs>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioFile {
    seed: Option<u64>,
    quantum_us: Option<u64>,
    series: Option<Secs>,
    wait_start: Option<bool>,
    public: Option<String>,
    #[serde(default)]
    defaults: HostSpec,
    regions: Option<Regions>,
    #[serde(default)]
    host: Vec<HostSpec>,
    #[serde(default)]
    pair: Vec<PairSpec>,
    #[serde(default)]
    event: Vec<EventSpec>,
}

#[derive(Clone, Debug)]
pub struct Host {
    pub name: String,
    pub region: Option<usize>,
    pub public: Ipv4Addr,
    pub private: Option<Ipv4Addr>,
    pub spec: HostSpec,
}
impl Host {
    pub fn nat(&self) -> NatKind {
        self.spec.nat.unwrap_or_default()
    }
    pub fn own_ip(&self) -> Ipv4Addr {
        self.private.unwrap_or(self.public)
    }
    pub fn mtu(&self) -> u16 {
        self.spec.mtu.unwrap_or(1500)
    }
}

pub struct Scenario {
    pub seed: u64,
    pub quantum_ns: u64,
    pub series_ns: u64,
    pub wait_start: bool,
    pub prefix_len: u8,
    pub regions: Option<Regions>,
    pub hosts: Vec<Host>,
    pub pairs: Vec<PairSpec>,
    pub events: Vec<EventSpec>,
}

pub fn load(text: &str) -> Result<Scenario, String> {
    let f: ScenarioFile = toml::from_str(text).map_err(|e| e.to_string())?;
    let (base, plen) = match &f.public {
        None => (Ipv4Addr::new(198, 18, 0, 0), 15u8),
        Some(s) => {
            let (a, l) = s.split_once('/').ok_or("public wants ADDRESS/LEN")?;
            (a.parse::<Ipv4Addr>().map_err(|e| e.to_string())?, l.parse::<u8>().map_err(|e| e.to_string())?)
        }
    };
    if !(8..=30).contains(&plen) {
        return Err("public prefix length must be 8..30".into());
    }
    let base = u32::from(base) & (u32::MAX << (32 - plen));
    let d = &f.defaults;
    if d.name.is_some() || d.count.is_some() || d.ip.is_some() || d.private_ip.is_some() {
        return Err("[defaults] cannot hold name, count, ip or private_ip".into());
    }
    if let Some(r) = &f.regions {
        let n = r.names.len();
        let sq = |m: &Vec<usize>, what: &str| -> Result<(), String> {
            if m.len() != n || m.iter().any(|&l| l != n) {
                return Err(format!("regions.{what} must be {n} rows of {n}"));
            }
            Ok(())
        };
        sq(&r.delay.iter().map(|x| x.len()).collect(), "delay")?;
        if let Some(j) = &r.jitter {
            sq(&j.iter().map(|x| x.len()).collect(), "jitter")?;
        }
        if let Some(j) = &r.loss {
            sq(&j.iter().map(|x| x.len()).collect(), "loss")?;
        }
    }
    let mut hosts: Vec<Host> = vec![];
    let mut names: HashMap<String, ()> = HashMap::new();
    let mut used: HashMap<Ipv4Addr, ()> = HashMap::new();
    for h in &f.host {
        if let Some(ip) = h.ip {
            used.insert(ip, ());
        }
    }
    let mut next = 0u32;
    for h in &f.host {
        let base_name = h.name.clone().ok_or("a [[host]] has no name")?;
        let many: Vec<String> = match h.count {
            None => vec![base_name],
            Some(c) => (1..=c).map(|i| format!("{base_name}{i}")).collect(),
        };
        if h.count.unwrap_or(1) > 1 && (h.ip.is_some() || h.private_ip.is_some()) {
            return Err(format!("host {}: ip with count > 1", many[0]));
        }
        for name in many {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
                return Err(format!("bad host name {name:?} (letters, digits, - and _ only)"));
            }
            if names.insert(name.clone(), ()).is_some() {
                return Err(format!("host {name} is there twice"));
            }
            let spec = h.over(d);
            let public = match h.ip {
                Some(ip) => ip,
                None => loop {
                    // 198.18.1.1, 198.18.2.1, ... : a different /24 each
                    next += 1;
                    let room = 1u32 << (32 - plen);
                    let off = if plen <= 20 {
                        ((next - 1) % (room / 256 - 1) + 1) * 256 + 1 + (next - 1) / (room / 256 - 1)
                    } else {
                        next
                    };
                    if off >= room - 1 {
                        return Err("public prefix too small for the hosts".into());
                    }
                    let ip = Ipv4Addr::from(base + off);
                    if let std::collections::hash_map::Entry::Vacant(e) = used.entry(ip) {
                        e.insert(());
                        break ip;
                    }
                },
            };
            let i = hosts.len() as u32;
            if spec.mtu.is_some_and(|m| m < 576) {
                return Err(format!("host {name}: mtu below 576"));
            }
            let private = if spec.nat.unwrap_or_default() == NatKind::None {
                None
            } else {
                Some(h.private_ip.unwrap_or(Ipv4Addr::new(10, (i / 250) as u8, (i % 250 + 1) as u8, 2)))
            };
            let region = match (&spec.region, &f.regions) {
                (Some(r), Some(rs)) => {
                    Some(rs.names.iter().position(|n| n == r).ok_or(format!("host {name}: no region {r}"))?)
                }
                (Some(r), None) => return Err(format!("host {name}: region {r} but no [regions]")),
                _ => None,
            };
            hosts.push(Host { name, region, public, private, spec });
        }
    }
    if hosts.is_empty() {
        return Err("no [[host]]".into());
    }
    let mut seen: HashMap<Ipv4Addr, &str> = HashMap::new();
    for h in &hosts {
        if let Some(o) = seen.insert(h.public, &h.name) {
            return Err(format!("hosts {o} and {} share {}", h.name, h.public));
        }
    }
    let mut s = Scenario {
        seed: f.seed.unwrap_or(1),
        quantum_ns: f.quantum_us.unwrap_or(200) * 1000,
        series_ns: f.series.unwrap_or_default().0,
        wait_start: f.wait_start.unwrap_or(false),
        prefix_len: plen,
        regions: f.regions,
        hosts,
        pairs: f.pair,
        events: f.event,
    };
    for p in &s.pairs {
        s.select(&p.a)?;
        s.select(&p.b)?;
    }
    for e in &s.events {
        s.check_event(e)?;
    }
    s.events.sort_by_key(|e| e.at.0);
    Ok(s)
}

impl Scenario {
    pub fn select(&self, sel: &Sel) -> Result<Vec<usize>, String> {
        let mut out = vec![];
        for s in &sel.0 {
            let before = out.len();
            for (i, h) in self.hosts.iter().enumerate() {
                let hit = if let Some(r) = s.strip_prefix("region:") {
                    h.spec.region.as_deref() == Some(r)
                } else if let Some(p) = s.strip_suffix('*') {
                    h.name.starts_with(p)
                } else {
                    h.name == *s
                };
                if hit {
                    out.push(i);
                }
            }
            if out.len() == before {
                return Err(format!("{s:?} names no host"));
            }
        }
        out.sort_unstable();
        out.dedup();
        Ok(out)
    }
    pub fn check_event(&self, e: &EventSpec) -> Result<(), String> {
        let mut n = 0;
        for s in [&e.cut, &e.uncut, &e.kill, &e.nat_reset, &e.host].into_iter().flatten() {
            self.select(s)?;
            n += 1;
        }
        if e.set.is_some() != e.host.is_some() {
            return Err("an event's set and host go together".into());
        }
        if let Some(s) = &e.set
            && (s.name.is_some()
                || s.count.is_some()
                || s.ip.is_some()
                || s.private_ip.is_some()
                || s.nat.is_some()
                || s.mtu.is_some()
                || s.region.is_some())
        {
            return Err("set cannot change name, count, ip, private_ip, nat, mtu or region".into());
        }
        if let Some(p) = &e.pair {
            self.select(&p.a)?;
            self.select(&p.b)?;
            n += 1;
        }
        if let Some(gs) = &e.partition {
            for g in gs {
                self.select(g)?;
            }
            n += 1;
        }
        if e.heal == Some(true) {
            n += 1;
        }
        if let Some(s) = &e.signal {
            signal_number(s).ok_or(format!("bad signal {s}"))?;
        }
        if n == 0 {
            return Err("an event does nothing".into());
        }
        Ok(())
    }
}

pub fn signal_number(s: &str) -> Option<i32> {
    Some(match s.trim_start_matches("SIG") {
        "KILL" => libc::SIGKILL,
        "TERM" => libc::SIGTERM,
        "INT" => libc::SIGINT,
        "HUP" => libc::SIGHUP,
        "STOP" => libc::SIGSTOP,
        "CONT" => libc::SIGCONT,
        "USR1" => libc::SIGUSR1,
        "USR2" => libc::SIGUSR2,
        "QUIT" => libc::SIGQUIT,
        _ => return None,
    })
}
