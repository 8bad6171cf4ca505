//! The router: one thread that owns every TUN device and moves packets through the model.
//! Times inside the model are nominal (the time at which a thing should happen), so a late
//! wake-up never adds up: it only makes one final write late, and that lateness is measured.
use crate::nat::{Nat, Verdict};
use crate::pkt;
use crate::rng::{Rng, mix, unit};
use crate::scenario::{Dur, EventSpec, HostSpec, Loss, NatKind, PairSpec, Scenario, Sel};
use crate::stats::{Hist, HostStats, PairStats, WHYS, Why};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::os::fd::RawFd;
use std::sync::mpsc;

pub fn mono() -> u64 {
    let mut t: libc::timespec = unsafe { std::mem::zeroed() };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

pub enum Req {
    Event(EventSpec),
    Start,
    Stats,
    Stop,
}
pub struct Msg {
    pub req: Req,
    pub reply: mpsc::Sender<Result<Value, String>>,
}

struct Pkt {
    b: Vec<u8>,
    t_in: u64,
    t_q: u64,
    src: u32,
    dst: u32,
}
type P = Box<Pkt>;

struct LossState {
    m: Loss,
    bad: bool,
    rng: Rng,
}
impl LossState {
    fn new(m: Loss, seed: u64, stream: u64) -> Self {
        LossState { m, bad: false, rng: Rng::new(seed, stream) }
    }
    fn lost(&mut self) -> bool {
        if self.m == Loss::default() {
            return false;
        }
        if self.m.p_gb > 0.0 || self.m.p_bg > 0.0 {
            let u = self.rng.unit();
            if self.bad {
                if u < self.m.p_bg {
                    self.bad = false;
                }
            } else if u < self.m.p_gb {
                self.bad = true;
            }
        }
        let p = if self.bad { self.m.bad } else { self.m.good };
        p > 0.0 && (p >= 1.0 || self.rng.unit() < p)
    }
}

/// One direction of one access link.
struct Link {
    rate: u64,
    queue_ns: u64,
    burst: u64,
    loss: LossState,
    q: VecDeque<P>,
    qbytes: u64,
    busy: bool,
    free: u64,
    lat: Hist,
}
impl Link {
    fn cap(&self) -> u64 {
        ((self.rate as u128 * self.queue_ns as u128 / 8_000_000_000) as u64).max(3000)
    }
    /// When the head packet, starting at `t`, is through.
    fn start(&mut self, t: u64) -> u64 {
        self.busy = true;
        let t = t.max(self.q[0].t_q); // never before the packet came
        if self.rate == 0 {
            self.free = t;
            return t;
        }
        let len = self.q[0].b.len() as u64;
        let ser = len * 8_000_000_000 / self.rate;
        let credit = self.burst * 8_000_000_000 / self.rate;
        self.free = self.free.max(t.saturating_sub(credit)) + ser;
        self.free.max(t)
    }
}

struct HostRt {
    name: String,
    tun: RawFd,
    inode: u64,
    public: u32,
    mtu: usize,
    up: Link,
    down: Link,
    delay: u64,
    jitter: u64,
    jstep: u64,
    reorder: bool,
    jrng: Rng,
    nat: Option<Nat>,
    udp_blocked: bool,
    tcp_allow: Vec<u16>,
    cut: bool,
    cut_gen: u64,
    group: u64, // bit set of partition groups; 0 = in none
    st: HostStats,
}

struct PairRt {
    delay: u64,
    jitter: u64,
    blocked: bool,
    loss: Option<Box<LossState>>,
    last: u64,
    st: PairStats,
}

enum Ev {
    UpDone(u32),
    Arrive(P),
    DownDone(u32),
    Scen(usize),
    Uncut(u32, u64),
    Heal(u64),
    Series,
}
struct Item {
    t: u64,
    seq: u64,
    ev: Ev,
}
impl PartialEq for Item {
    fn eq(&self, o: &Self) -> bool {
        self.seq == o.seq
    }
}
impl Eq for Item {}
impl PartialOrd for Item {
    fn partial_cmp(&self, o: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(o))
    }
}
impl Ord for Item {
    fn cmp(&self, o: &Self) -> std::cmp::Ordering {
        (self.t, self.seq).cmp(&(o.t, o.seq))
    }
}

pub struct Router {
    sc: Scenario,
    n: usize,
    hosts: Vec<HostRt>,
    pairs: Vec<PairRt>,
    by_ip: HashMap<u32, u32>,
    heap: BinaryHeap<Reverse<Item>>,
    seq: u64,
    epoch: u64,
    clock0: Option<u64>,
    partition_gen: u64,
    late: Hist,
    loop_busy: Hist,
    log: Vec<Value>,
    series: Vec<Value>,
    series_prev: Vec<(u64, u64)>,
    cpu: (u64, u64),
    rt: bool,
    wakes: u64,
    pool: Vec<Vec<u8>>,
}

fn link(spec: &HostSpec, up: bool, seed: u64, id: u64) -> Link {
    let (rate, loss, queue) = if up {
        (spec.up, spec.loss_up.or(spec.loss), spec.queue_up.or(spec.queue))
    } else {
        (spec.down, spec.loss_down.or(spec.loss), spec.queue_down.or(spec.queue))
    };
    Link {
        rate: rate.map_or(0, |r| r.0),
        queue_ns: queue.unwrap_or(Dur(200_000_000)).0,
        burst: spec.burst.unwrap_or(0) as u64,
        loss: LossState::new(loss.unwrap_or_default(), seed, id * 8 + up as u64),
        q: VecDeque::new(),
        qbytes: 0,
        busy: false,
        free: 0,
        lat: Hist::default(),
    }
}

impl Router {
    pub fn new(sc: Scenario, tuns: &[(RawFd, u64)]) -> Result<Router, String> {
        let n = sc.hosts.len();
        let mut hosts = vec![];
        let mut by_ip = HashMap::new();
        for (i, h) in sc.hosts.iter().enumerate() {
            let s = &h.spec;
            let nat = h.private.map(|p| {
                Nat::new(
                    h.nat(),
                    h.public.into(),
                    p.into(),
                    s.nat_udp_timeout.map_or(120_000_000_000, |x| x.0),
                    s.nat_tcp_timeout.map_or(7_200_000_000_000, |x| x.0),
                    s.nat_port_preserve.unwrap_or(false),
                    Rng::new(sc.seed, i as u64 * 8 + 5),
                )
            });
            by_ip.insert(u32::from(h.public), i as u32);
            hosts.push(HostRt {
                name: h.name.clone(),
                tun: tuns[i].0,
                inode: tuns[i].1,
                public: h.public.into(),
                mtu: h.mtu() as usize,
                up: link(s, true, sc.seed, i as u64),
                down: link(s, false, sc.seed, i as u64),
                delay: s.delay.unwrap_or_default().0,
                jitter: s.jitter.unwrap_or_default().0,
                jstep: s.jitter_step.unwrap_or(Dur(0)).0,
                reorder: s.reorder.unwrap_or(false),
                jrng: Rng::new(sc.seed, i as u64 * 8 + 6),
                nat,
                udp_blocked: s.udp_blocked.unwrap_or(false),
                tcp_allow: s.tcp_allow.clone().unwrap_or(vec![80, 443, 8080]),
                cut: false,
                cut_gen: 0,
                group: 0,
                st: HostStats { drops: vec![(0, 0); WHYS.len()], ..Default::default() },
            });
        }
        let mut pairs = vec![];
        for a in 0..n {
            for b in 0..n {
                let (mut delay, mut jitter, mut loss) = (0, 0, None);
                if let (Some(r), Some(x), Some(y)) = (&sc.regions, sc.hosts[a].region, sc.hosts[b].region) {
                    delay = r.delay[x][y].0;
                    jitter = r.jitter.as_ref().map_or(0, |j| j[x][y].0);
                    loss = r.loss.as_ref().map(|l| l[x][y]);
                }
                pairs.push(PairRt {
                    delay,
                    jitter,
                    blocked: false,
                    loss: loss.map(|l| Box::new(LossState::new(l, sc.seed, 1 << 32 | (a * n + b) as u64))),
                    last: 0,
                    st: PairStats::default(),
                });
            }
        }
        let epoch = mono();
        let mut r = Router {
            n,
            hosts,
            pairs,
            by_ip,
            heap: BinaryHeap::new(),
            seq: 0,
            epoch,
            clock0: None,
            partition_gen: 0,
            late: Hist::default(),
            loop_busy: Hist::default(),
            log: vec![],
            series: vec![],
            series_prev: vec![(0, 0); n],
            cpu: (0, 0),
            rt: false,
            wakes: 0,
            pool: vec![],
            sc,
        };
        for p in r.sc.pairs.clone() {
            r.set_pair(&p)?;
        }
        Ok(r)
    }

    fn sched(&mut self, t: u64, ev: Ev) {
        self.seq += 1;
        self.heap.push(Reverse(Item { t, seq: self.seq, ev }));
    }
    fn set_pair(&mut self, p: &PairSpec) -> Result<(), String> {
        let (xs, ys) = (self.sc.select(&p.a)?, self.sc.select(&p.b)?);
        for &x in &xs {
            for &y in &ys {
                let dirs: &[(usize, usize)] = if p.one_way { &[(x, y)] } else { &[(x, y), (y, x)] };
                for &(a, b) in dirs {
                    let id = a * self.n + b;
                    let q = &mut self.pairs[id];
                    if let Some(d) = p.delay {
                        q.delay = d.0;
                    }
                    if let Some(d) = p.jitter {
                        q.jitter = d.0;
                    }
                    if let Some(b) = p.block {
                        q.blocked = b;
                    }
                    if let Some(l) = p.loss {
                        q.loss = Some(Box::new(LossState::new(l, self.sc.seed, 1 << 32 | id as u64)));
                    }
                }
            }
        }
        Ok(())
    }
    fn set_host(&mut self, i: usize, s: &HostSpec, now: u64) {
        let h = &mut self.hosts[i];
        if let Some(r) = s.up {
            h.up.rate = r.0;
            h.up.free = h.up.free.min(now);
        }
        if let Some(r) = s.down {
            h.down.rate = r.0;
            h.down.free = h.down.free.min(now);
        }
        if let Some(q) = s.queue_up.or(s.queue) {
            h.up.queue_ns = q.0;
        }
        if let Some(q) = s.queue_down.or(s.queue) {
            h.down.queue_ns = q.0;
        }
        if let Some(b) = s.burst {
            h.up.burst = b as u64;
            h.down.burst = b as u64;
        }
        if let Some(l) = s.loss_up.or(s.loss) {
            h.up.loss.m = l;
            h.up.loss.bad = false;
        }
        if let Some(l) = s.loss_down.or(s.loss) {
            h.down.loss.m = l;
            h.down.loss.bad = false;
        }
        if let Some(d) = s.delay {
            h.delay = d.0;
        }
        if let Some(d) = s.jitter {
            h.jitter = d.0;
        }
        if let Some(d) = s.jitter_step {
            h.jstep = d.0;
        }
        if let Some(r) = s.reorder {
            h.reorder = r;
        }
        if let Some(b) = s.udp_blocked {
            h.udp_blocked = b;
        }
        if let Some(l) = &s.tcp_allow {
            h.tcp_allow = l.clone();
        }
        if let Some(n) = &mut h.nat {
            if let Some(t) = s.nat_udp_timeout {
                n.udp_timeout = t.0;
            }
            if let Some(t) = s.nat_tcp_timeout {
                n.tcp_timeout = t.0;
            }
        }
    }

    fn event(&mut self, e: &EventSpec, now: u64) -> Result<(), String> {
        self.sc.check_event(e)?;
        let sel = |s: &Sel, r: &Router| r.sc.select(s);
        let names = |v: &[usize], r: &Router| v.iter().map(|&i| r.hosts[i].name.clone()).collect::<Vec<_>>();
        let mut what = Map::new();
        if let (Some(hs), Some(s)) = (&e.host, &e.set) {
            let v = sel(hs, self)?;
            what.insert("set".into(), json!(names(&v, self)));
            for i in v {
                self.set_host(i, s, now);
            }
        }
        if let Some(p) = &e.pair {
            self.set_pair(p)?;
            what.insert("pair".into(), json!([p.a.0, p.b.0]));
        }
        if e.heal == Some(true) {
            for h in &mut self.hosts {
                h.cut = false;
                h.cut_gen += 1;
                h.group = 0;
            }
            self.partition_gen += 1;
            what.insert("heal".into(), json!(true));
        }
        if let Some(c) = &e.uncut {
            let v = sel(c, self)?;
            what.insert("uncut".into(), json!(names(&v, self)));
            for i in v {
                self.hosts[i].cut = false;
                self.hosts[i].cut_gen += 1;
            }
        }
        if let Some(c) = &e.cut {
            let v = sel(c, self)?;
            what.insert("cut".into(), json!(names(&v, self)));
            for i in v {
                let h = &mut self.hosts[i];
                h.cut = true;
                h.cut_gen += 1;
                let g = h.cut_gen;
                if let Some(f) = e.for_s {
                    self.sched(now + f.0, Ev::Uncut(i as u32, g));
                }
            }
        }
        if let Some(gs) = &e.partition {
            let mut m = vec![0u64; self.n];
            for (k, g) in gs.iter().enumerate() {
                for i in sel(g, self)? {
                    m[i] |= 1 << (k % 63 + 1);
                }
            }
            for (h, g) in self.hosts.iter_mut().zip(m) {
                h.group = g;
            }
            self.partition_gen += 1;
            what.insert("partition".into(), json!(gs.iter().map(|g| g.0.clone()).collect::<Vec<_>>()));
            if let Some(f) = e.for_s {
                let g = self.partition_gen;
                self.sched(now + f.0, Ev::Heal(g));
            }
        }
        if let Some(s) = &e.nat_reset {
            let v = sel(s, self)?;
            what.insert("nat_reset".into(), json!(names(&v, self)));
            for i in v {
                if let Some(n) = &mut self.hosts[i].nat {
                    n.reset();
                }
            }
        }
        if let Some(k) = &e.kill {
            let v = sel(k, self)?;
            what.insert("kill".into(), json!(names(&v, self)));
            if e.silent {
                for &i in &v {
                    self.hosts[i].cut = true;
                    self.hosts[i].cut_gen += 1;
                }
            }
            let inodes: Vec<u64> = v.iter().map(|&i| self.hosts[i].inode).collect();
            let sig = e.signal.as_deref().and_then(crate::scenario::signal_number).unwrap_or(libc::SIGKILL);
            std::thread::spawn(move || crate::ns::kill_ns(&inodes, sig));
        }
        self.log_event(now, what);
        Ok(())
    }
    fn log_event(&mut self, now: u64, mut what: Map<String, Value>) {
        let s = |from: u64| json!(((now.saturating_sub(from)) as f64 / 1e6).round() / 1e3);
        what.insert("t_run".into(), s(self.epoch));
        what.insert("t".into(), self.clock0.map_or(Value::Null, s));
        self.log.push(Value::Object(what));
    }

    fn drop_at(&mut self, h: usize, why: Why, len: usize) {
        let d = &mut self.hosts[h].st.drops[why as usize];
        d.0 += 1;
        d.1 += len as u64;
    }
    fn recycle(&mut self, p: P) {
        if self.pool.len() < 4096 {
            self.pool.push(p.b);
        }
    }

    /// Straight back into the sender's device (ICMP errors of the router itself).
    fn bounce(&mut self, h: usize, b: &[u8], i: &pkt::Info, typ: u8, code: u8, mtu: u16) {
        if let Some(e) = pkt::icmp_error(b, i, self.hosts[h].public ^ 0xff, typ, code, mtu) {
            unsafe { libc::write(self.hosts[h].tun, e.as_ptr() as *const _, e.len()) };
        }
    }

    fn ingress(&mut self, h: usize, mut b: Vec<u8>, now: u64) {
        let len = b.len();
        let Some(mut i) = pkt::parse(&b) else {
            return self.drop_at(h, Why::malformed, len);
        };
        self.hosts[h].st.out_bytes += len as u64;
        self.hosts[h].st.out_packets += 1;
        let own = self.hosts[h].nat.as_ref().map_or(self.hosts[h].public, |n| n.private);
        if i.src != own {
            return self.drop_at(h, Why::spoofed, len);
        }
        let Some(&dst) = self.by_ip.get(&i.dst) else {
            let o = i.dst.to_be_bytes();
            if o[0] >= 224 {
                return self.drop_at(h, Why::multicast, len);
            }
            self.bounce(h, &b, &i, 3, 0, 0);
            return self.drop_at(h, Why::no_route, len);
        };
        let d = dst as usize;
        if self.firewalled(h, &b, &i, true) {
            return self.drop_at(h, Why::firewall, len);
        }
        if !pkt::dec_ttl(&mut b) {
            self.bounce(h, &b, &i, 11, 0, 0);
            return self.drop_at(h, Why::ttl, len);
        }
        let mtu = self.hosts[d].mtu;
        if len > mtu && i.df {
            self.bounce(h, &b, &i, 3, 4, mtu as u16);
            return self.drop_at(h, Why::mtu, len);
        }
        if self.hosts[h].cut {
            return self.drop_at(h, Why::cut, len);
        }
        if let Some(n) = &mut self.hosts[h].nat {
            if n.outbound(&mut b, &i, now) == Verdict::Drop {
                return self.drop_at(h, Why::nat, len);
            }
            i.src = n.public;
        }
        let ps = &mut self.pairs[h * self.n + d].st;
        ps.sent_bytes += len as u64;
        ps.sent_packets += 1;
        if len > mtu {
            for f in pkt::fragment(&b, &i, mtu) {
                self.enqueue(h, true, Box::new(Pkt { b: f, t_in: now, t_q: now, src: h as u32, dst }), now);
            }
        } else {
            self.enqueue(h, true, Box::new(Pkt { b, t_in: now, t_q: now, src: h as u32, dst }), now);
        }
    }

    /// udp_blocked: no UDP; TCP only from here to an allowed port; ICMP passes.
    fn firewalled(&self, h: usize, b: &[u8], i: &pkt::Info, out: bool) -> bool {
        let hr = &self.hosts[h];
        if !hr.udp_blocked {
            return false;
        }
        match i.proto {
            pkt::UDP => true,
            pkt::TCP if i.tail => false,
            pkt::TCP => {
                let far = pkt::be16(b, i.ihl + if out { 2 } else { 0 });
                let bare_syn = b[i.ihl + 13] & 0x12 == 0x02;
                !hr.tcp_allow.contains(&far) || (!out && bare_syn)
            }
            _ => false,
        }
    }

    fn enqueue(&mut self, h: usize, up: bool, mut p: P, t: u64) {
        let l = if up { &mut self.hosts[h].up } else { &mut self.hosts[h].down };
        p.t_q = t;
        let len = p.b.len() as u64;
        if l.rate == 0 && !l.busy {
            l.lat.add(0);
            return self.through(h, up, p, t);
        }
        if l.rate != 0 && !l.q.is_empty() && l.qbytes + len > l.cap() {
            self.drop_at(h, if up { Why::queue_up } else { Why::queue_down }, len as usize);
            return self.recycle(p);
        }
        l.qbytes += len;
        l.q.push_back(p);
        if !l.busy {
            let done = l.start(t);
            self.sched(done, if up { Ev::UpDone(h as u32) } else { Ev::DownDone(h as u32) });
        }
    }
    fn link_done(&mut self, h: usize, up: bool, t: u64) {
        let l = if up { &mut self.hosts[h].up } else { &mut self.hosts[h].down };
        let p = l.q.pop_front().unwrap();
        l.qbytes -= p.b.len() as u64;
        l.lat.add(t.saturating_sub(p.t_q));
        l.busy = false;
        if !l.q.is_empty() {
            let done = l.start(t);
            self.sched(done, if up { Ev::UpDone(h as u32) } else { Ev::DownDone(h as u32) });
        }
        self.through(h, up, p, t);
    }
    fn through(&mut self, h: usize, up: bool, p: P, t: u64) {
        if up { self.enter_pipe(h, p, t) } else { self.deliver(h, p, t) }
    }

    fn jitter(&mut self, h: usize, up: bool, t: u64) -> u64 {
        let hr = &mut self.hosts[h];
        if hr.jitter == 0 {
            return 0;
        }
        if hr.reorder {
            return (hr.jrng.unit() * hr.jitter as f64) as u64;
        }
        wander(self.sc.seed, h as u64 * 8 + 2 + up as u64, t - self.epoch, hr.jitter, hr.jstep)
    }

    fn enter_pipe(&mut self, h: usize, p: P, t: u64) {
        let (len, d) = (p.b.len(), p.dst as usize);
        let why = if self.hosts[h].cut {
            Some(Why::cut)
        } else if self.hosts[h].up.loss.lost() {
            Some(Why::loss_up)
        } else if self.hosts[h].group != 0
            && self.hosts[d].group != 0
            && self.hosts[h].group & self.hosts[d].group == 0
        {
            Some(Why::partition)
        } else {
            let q = &mut self.pairs[h * self.n + d];
            if q.blocked {
                Some(Why::blocked)
            } else if q.loss.as_mut().is_some_and(|l| l.lost()) {
                Some(Why::loss_path)
            } else {
                None
            }
        };
        if let Some(w) = why {
            self.drop_at(h, w, len);
            return self.recycle(p);
        }
        let id = h * self.n + d;
        let mut at = t + self.hosts[h].delay + self.hosts[d].delay + self.pairs[id].delay;
        at += self.jitter(h, true, t) + self.jitter(d, false, t);
        if self.pairs[id].jitter > 0 {
            at += wander(self.sc.seed, 1 << 33 | id as u64, t - self.epoch, self.pairs[id].jitter, 0);
        }
        if !self.hosts[h].reorder && !self.hosts[d].reorder {
            at = at.max(self.pairs[id].last);
            self.pairs[id].last = at;
        }
        self.sched(at, Ev::Arrive(p));
    }

    fn arrive(&mut self, p: P, t: u64) {
        let d = p.dst as usize;
        if self.hosts[d].cut {
            self.drop_at(d, Why::cut, p.b.len());
            return self.recycle(p);
        }
        self.enqueue(d, false, p, t)
    }

    fn deliver(&mut self, d: usize, mut p: P, t: u64) {
        let len = p.b.len();
        let why = if self.hosts[d].cut {
            Some(Why::cut)
        } else if self.hosts[d].down.loss.lost() {
            Some(Why::loss_down)
        } else {
            let i = pkt::parse(&p.b).unwrap();
            if self.firewalled(d, &p.b, &i, false) {
                Some(Why::firewall)
            } else if let Some(n) = &mut self.hosts[d].nat {
                (n.inbound(&mut p.b, &i, t) == Verdict::Drop).then_some(Why::nat)
            } else {
                None
            }
        };
        if let Some(w) = why {
            self.drop_at(d, w, len);
            return self.recycle(p);
        }
        let r = unsafe { libc::write(self.hosts[d].tun, p.b.as_ptr() as *const _, len) };
        if r < 0 {
            self.drop_at(d, Why::tun_write, len);
            return self.recycle(p);
        }
        self.late.add(mono().saturating_sub(t));
        let st = &mut self.hosts[d].st;
        st.in_bytes += len as u64;
        st.in_packets += 1;
        let ps = &mut self.pairs[p.src as usize * self.n + d].st;
        ps.bytes += len as u64;
        ps.packets += 1;
        match p.b[9] {
            pkt::UDP => ps.udp_bytes += len as u64,
            pkt::TCP => ps.tcp_bytes += len as u64,
            _ => {}
        }
        let _ = p.t_in;
        self.recycle(p);
    }

    fn start_clock(&mut self, now: u64) {
        if self.clock0.is_some() {
            return;
        }
        self.clock0 = Some(now);
        for k in 0..self.sc.events.len() {
            let t = now + self.sc.events[k].at.0;
            self.sched(t, Ev::Scen(k));
        }
    }

    fn handle(&mut self, t: u64, ev: Ev) {
        match ev {
            Ev::UpDone(h) => self.link_done(h as usize, true, t),
            Ev::DownDone(h) => self.link_done(h as usize, false, t),
            Ev::Arrive(p) => self.arrive(p, t),
            Ev::Scen(k) => {
                let e = self.sc.events[k].clone();
                if let Err(m) = self.event(&e, t) {
                    eprintln!("netlab: event {k}: {m}");
                }
            }
            Ev::Uncut(h, g) => {
                let hr = &mut self.hosts[h as usize];
                if hr.cut_gen == g {
                    hr.cut = false;
                    let w = Map::from_iter([("uncut".to_string(), json!([hr.name]))]);
                    self.log_event(t, w);
                }
            }
            Ev::Heal(g) => {
                if self.partition_gen == g {
                    for h in &mut self.hosts {
                        h.group = 0;
                    }
                    self.log_event(t, Map::from_iter([("heal".to_string(), json!("partition"))]));
                }
            }
            Ev::Series => {
                let row: Vec<Value> = (0..self.n)
                    .map(|i| {
                        let s = &self.hosts[i].st;
                        let (a, b) = self.series_prev[i];
                        self.series_prev[i] = (s.out_bytes, s.in_bytes);
                        json!([s.out_bytes - a, s.in_bytes - b])
                    })
                    .collect();
                self.series
                    .push(json!({"t_run": ((t - self.epoch) as f64 / 1e6).round() / 1e3, "out_in": row}));
                self.sched(t + self.sc.series_ns, Ev::Series);
            }
        }
    }

    pub fn run(mut self, rx: mpsc::Receiver<Msg>, wake: RawFd) -> Value {
        unsafe {
            libc::prctl(libc::PR_SET_TIMERSLACK, 1000usize, 0, 0, 0);
            let p = libc::sched_param { sched_priority: 10 };
            if std::env::var_os("NETLAB_NO_RT").is_none() {
                self.rt = libc::sched_setscheduler(0, libc::SCHED_RR, &p) == 0;
            }
            if !self.rt {
                libc::setpriority(libc::PRIO_PROCESS, 0, -20);
            }
        }
        let ep = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        let add = |fd: RawFd, key: u64| {
            let mut e = libc::epoll_event { events: libc::EPOLLIN as u32, u64: key };
            unsafe { libc::epoll_ctl(ep, libc::EPOLL_CTL_ADD, fd, &mut e) };
        };
        for (i, h) in self.hosts.iter().enumerate() {
            add(h.tun, i as u64);
        }
        add(wake, u64::MAX);
        let now = mono();
        if !self.sc.wait_start {
            self.start_clock(now);
        }
        if self.sc.series_ns > 0 {
            self.sched(now + self.sc.series_ns, Ev::Series);
        }
        let early = self.sc.quantum_ns / 2;
        let mut evs: Vec<libc::epoll_event> = vec![libc::epoll_event { events: 0, u64: 0 }; 256];
        let mut buf = vec![0u8; 65536];
        let mut last_wake = 0u64;
        loop {
            let t_busy = mono();
            let mut now = t_busy;
            let mut steps = 0u32;
            while let Some(Reverse(top)) = self.heap.peek() {
                if top.t > now + early {
                    break;
                }
                let Reverse(it) = self.heap.pop().unwrap();
                self.handle(it.t, it.ev);
                steps += 1;
                if steps.is_multiple_of(64) {
                    now = mono();
                    if steps >= 1024 {
                        break; // let the readers have their turn
                    }
                }
            }
            self.loop_busy.add(mono() - t_busy);
            // under load: at most one wake-up in a quantum, so that packets are handled in batches
            let mut now = mono();
            if now < last_wake + self.sc.quantum_ns {
                let t = last_wake + self.sc.quantum_ns;
                let ts = libc::timespec {
                    tv_sec: (t / 1_000_000_000) as i64,
                    tv_nsec: (t % 1_000_000_000) as i64,
                };
                unsafe {
                    libc::clock_nanosleep(
                        libc::CLOCK_MONOTONIC,
                        libc::TIMER_ABSTIME,
                        &ts,
                        std::ptr::null_mut(),
                    )
                };
                now = mono();
            }
            let ts = match self.heap.peek() {
                Some(Reverse(top)) => {
                    let d = top.t.saturating_sub(now + early / 2);
                    libc::timespec { tv_sec: (d / 1_000_000_000) as i64, tv_nsec: (d % 1_000_000_000) as i64 }
                }
                None => libc::timespec { tv_sec: 3600, tv_nsec: 0 },
            };
            let n = unsafe {
                libc::syscall(libc::SYS_epoll_pwait2, ep, evs.as_mut_ptr(), 256, &ts, 0usize, 0usize)
            };
            self.wakes += 1;
            last_wake = mono();
            for ready in evs.iter().take(n.max(0) as usize) {
                let key = ready.u64;
                if key == u64::MAX {
                    let mut x = 0u64;
                    unsafe { libc::read(wake, &mut x as *mut u64 as *mut _, 8) };
                    while let Ok(m) = rx.try_recv() {
                        let now = mono();
                        let r = match m.req {
                            Req::Event(e) => self.event(&e, now).map(|_| json!({"ok": true})),
                            Req::Start => {
                                self.start_clock(now);
                                Ok(json!({"ok": true}))
                            }
                            Req::Stats => Ok(self.report()),
                            Req::Stop => {
                                let r = self.report();
                                let _ = m.reply.send(Ok(json!({})));
                                return r;
                            }
                        };
                        let _ = m.reply.send(r);
                    }
                    continue;
                }
                let h = key as usize;
                for _ in 0..64 {
                    let r = unsafe { libc::read(self.hosts[h].tun, buf.as_mut_ptr() as *mut _, buf.len()) };
                    if r <= 0 {
                        break;
                    }
                    let mut v = self.pool.pop().unwrap_or_default();
                    v.clear();
                    v.extend_from_slice(&buf[..r as usize]);
                    let now = mono();
                    self.ingress(h, v, now);
                }
            }
        }
    }

    fn report(&mut self) -> Value {
        let mut t: libc::timespec = unsafe { std::mem::zeroed() };
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
        self.cpu = (t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64, mono() - self.epoch);
        let mut hosts = Map::new();
        for (i, h) in self.hosts.iter().enumerate() {
            let drops: Map<String, Value> = WHYS
                .iter()
                .zip(&h.st.drops)
                .filter(|(_, d)| d.0 > 0)
                .map(|(w, d)| (w.to_string(), json!({"packets": d.0, "bytes": d.1})))
                .collect();
            let sh = &self.sc.hosts[i];
            let mut v = json!({
                "ip": sh.public, "region": sh.spec.region, "nat": sh.nat(),
                "out": {"bytes": h.st.out_bytes, "packets": h.st.out_packets},
                "in": {"bytes": h.st.in_bytes, "packets": h.st.in_packets},
                "drops": drops,
                "queue_up_ms": h.up.lat.json(), "queue_down_ms": h.down.lat.json(),
            });
            if let Some(n) = &h.nat {
                v["private_ip"] = json!(sh.private);
                v["nat_mappings"] = json!({"made": n.made, "live": n.live()});
            }
            hosts.insert(h.name.clone(), v);
        }
        let mut pairs = vec![];
        for a in 0..self.n {
            for b in 0..self.n {
                let s = &self.pairs[a * self.n + b].st;
                if s.sent_packets > 0 || s.packets > 0 {
                    pairs.push(json!({"src": self.hosts[a].name, "dst": self.hosts[b].name,
                        "sent_bytes": s.sent_bytes, "sent_packets": s.sent_packets, "bytes": s.bytes, "packets": s.packets,
                        "udp_bytes": s.udp_bytes, "tcp_bytes": s.tcp_bytes}));
                }
            }
        }
        json!({
            "seed": self.sc.seed,
            "wall_s": self.cpu.1 as f64 / 1e9,
            "event_clock_started_at_s": self.clock0.map(|c| (c - self.epoch) as f64 / 1e9),
            "router": {"cpu_s": self.cpu.0 as f64 / 1e9, "cpu_share": self.cpu.0 as f64 / self.cpu.1.max(1) as f64,
                "late_ms": self.late.json(), "loop_busy_ms": self.loop_busy.json(), "wakes": self.wakes, "realtime": self.rt},
            "hosts": hosts, "pairs": pairs, "events": self.log, "series_hosts": self.hosts.iter().map(|h| h.name.clone()).collect::<Vec<_>>(),
            "series": self.series,
        })
    }
}

/// A delay that wanders in [0, j]: straight lines between seeded random points. It falls by less
/// than it would take to overtake (slope > -1) as long as step >= j, so nothing is reordered.
fn wander(seed: u64, id: u64, t: u64, j: u64, step: u64) -> u64 {
    let step = if step == 0 { (2 * j).max(20_000_000) } else { step };
    let (k, f) = (t / step, (t % step) as f64 / step as f64);
    let p = |k: u64| unit(mix(seed ^ mix(id.wrapping_mul(0x5851f42d4c957f2d) ^ k)));
    ((p(k) * (1.0 - f) + p(k + 1) * f) * j as f64) as u64
}

pub fn nat_name(k: NatKind) -> &'static str {
    match k {
        NatKind::None => "none",
        NatKind::FullCone => "full-cone",
        NatKind::Restricted => "restricted",
        NatKind::PortRestricted => "port-restricted",
        NatKind::Symmetric => "symmetric",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn measure(m: Loss) -> (f64, f64) {
        let mut l = LossState::new(m, 1, 2);
        let (mut lost, mut bursts, mut prev) = (0u32, 0u32, false);
        for _ in 0..1_000_000 {
            let x = l.lost();
            lost += x as u32;
            bursts += (x && !prev) as u32;
            prev = x;
        }
        (lost as f64 / 1e6, lost as f64 / bursts.max(1) as f64)
    }
    #[test]
    fn loss_models() {
        let (r, b) = measure(Loss { good: 0.03, ..Default::default() });
        assert!((r - 0.03).abs() < 0.001 && (b - 1.03).abs() < 0.02, "{r} {b}");
        let (r, b) = measure(Loss { p_bg: 0.125, p_gb: 0.05 * 0.125 / 0.95, good: 0.0, bad: 1.0 });
        assert!((r - 0.05).abs() < 0.002 && (b - 8.0).abs() < 0.3, "{r} {b}");
        assert_eq!(measure(Loss::default()).0, 0.0);
    }
    fn times(burst: u32) -> Vec<u64> {
        let spec =
            HostSpec { up: crate::scenario::parse_rate("8mbit"), burst: Some(burst), ..Default::default() };
        let mut l = link(&spec, true, 1, 1);
        let t0 = 1_000_000_000;
        for _ in 0..12 {
            l.q.push_back(Box::new(Pkt { b: vec![0; 1000], t_in: t0, t_q: t0, src: 0, dst: 0 }));
        }
        let mut t = t0;
        (0..12)
            .map(|_| {
                t = l.start(t);
                l.q.pop_front();
                (t - t0) / 1000
            })
            .collect()
    }
    #[test]
    fn serialising_and_burst() {
        assert_eq!(times(0), (1..=12).map(|k| k * 1000).collect::<Vec<u64>>());
        let mut w = vec![0; 10];
        w.extend([1000, 2000]);
        assert_eq!(times(10_000), w);
    }
    #[test]
    fn wandering_delay_keeps_order() {
        let (j, mut last, mut lo, mut hi) = (30_000_000u64, 0u64, u64::MAX, 0u64);
        for t in (0..20_000_000_000u64).step_by(50_000) {
            let w = wander(9, 3, t, j, 0);
            assert!(t + w >= last);
            last = t + w;
            lo = lo.min(w);
            hi = hi.max(w);
        }
        assert!(lo < j / 10 && hi > j * 9 / 10 && hi <= j);
    }
    #[test]
    fn scenarios_read() {
        for e in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap() {
            let p = e.unwrap().path();
            if let Err(e) = crate::scenario::load(&std::fs::read_to_string(&p).unwrap()) {
                panic!("{}: {e}", p.display());
            }
        }
        assert!(crate::scenario::load("[[host]]\nname='a'\nuup='1mbit'").is_err());
        assert!(crate::scenario::load("[[host]]\nname='a'\n[[event]]\ncut='b'").is_err());
    }
}
