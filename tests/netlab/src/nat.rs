//! One NAT box in front of one host (RFC 4787 behaviours).
use crate::pkt::{self, ICMP, Info, TCP, UDP};
use crate::rng::Rng;
use crate::scenario::NatKind;
use std::collections::HashMap;

type Peer = (u32, u16);
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    proto: u8,
    port: u16,
    /// only for symmetric: the destination is part of the key
    dst: Option<Peer>,
}
struct Map {
    key: Key,
    peers: HashMap<Peer, u64>,
    last: u64,
}
pub struct Nat {
    pub kind: NatKind,
    pub public: u32,
    pub private: u32,
    pub udp_timeout: u64,
    pub tcp_timeout: u64,
    pub preserve: bool,
    out: HashMap<Key, u16>,
    ext: HashMap<(u8, u16), Map>,
    rng: Rng,
    pub made: u64,
}
#[derive(Debug, PartialEq)]
pub enum Verdict {
    Pass,
    Drop,
}

impl Nat {
    pub fn new(
        kind: NatKind,
        public: u32,
        private: u32,
        udp_timeout: u64,
        tcp_timeout: u64,
        preserve: bool,
        rng: Rng,
    ) -> Nat {
        Nat {
            kind,
            public,
            private,
            udp_timeout,
            tcp_timeout,
            preserve,
            out: HashMap::new(),
            ext: HashMap::new(),
            rng,
            made: 0,
        }
    }
    pub fn reset(&mut self) {
        self.out.clear();
        self.ext.clear();
    }
    fn timeout(&self, proto: u8) -> u64 {
        if proto == TCP { self.tcp_timeout } else { self.udp_timeout }
    }
    fn purge(&mut self, now: u64) {
        let (u, t) = (self.udp_timeout, self.tcp_timeout);
        let out = &mut self.out;
        self.ext.retain(|k, m| {
            let keep = now.saturating_sub(m.last) <= if k.0 == TCP { t } else { u };
            if !keep {
                out.remove(&m.key);
            }
            keep
        });
    }
    fn map_out(&mut self, proto: u8, sport: u16, peer: Peer, now: u64) -> Option<u16> {
        let key = Key { proto, port: sport, dst: (self.kind == NatKind::Symmetric).then_some(peer) };
        let to = self.timeout(proto);
        if let Some(&e) = self.out.get(&key) {
            let m = self.ext.get_mut(&(proto, e)).unwrap();
            if now.saturating_sub(m.last) <= to {
                m.last = now;
                m.peers.insert(peer, now);
                return Some(e);
            }
            self.ext.remove(&(proto, e));
            self.out.remove(&key);
        }
        if self.ext.len() > 20_000 {
            self.purge(now);
        }
        let mut e = 0;
        if self.preserve && !self.ext.contains_key(&(proto, sport)) {
            e = sport;
        }
        let mut tries = 0;
        while e == 0 {
            let c = 1024 + (self.rng.next() % 64_000) as u16;
            if !self.ext.contains_key(&(proto, c)) {
                e = c;
            }
            tries += 1;
            if tries > 1000 {
                return None;
            }
        }
        self.made += 1;
        self.out.insert(key, e);
        self.ext.insert((proto, e), Map { key, peers: HashMap::from([(peer, now)]), last: now });
        Some(e)
    }

    /// A packet from the host to the world.
    pub fn outbound(&mut self, b: &mut [u8], i: &Info, now: u64) -> Verdict {
        if i.src != self.private {
            return Verdict::Drop;
        }
        if i.tail {
            pkt::rewrite(b, i, true, self.public, None);
            return Verdict::Pass;
        }
        if i.proto == ICMP && b[i.ihl] != 8 && b[i.ihl] != 0 {
            return self.icmp_err(b, i, true);
        }
        let Some((sp, dp)) = pkt::ports(b, i) else { return Verdict::Drop };
        if i.proto == ICMP && b[i.ihl] == 0 {
            return Verdict::Drop; // inside hosts get no echo requests
        }
        let peer = if i.proto == ICMP { (i.dst, 0) } else { (i.dst, dp) };
        match self.map_out(i.proto, sp, peer, now) {
            Some(e) => {
                pkt::rewrite(b, i, true, self.public, Some(e));
                Verdict::Pass
            }
            None => Verdict::Drop,
        }
    }

    /// A packet from the world to the public address.
    pub fn inbound(&mut self, b: &mut [u8], i: &Info, now: u64) -> Verdict {
        if i.tail {
            pkt::rewrite(b, i, false, self.private, None);
            return Verdict::Pass;
        }
        if i.proto == ICMP && b[i.ihl] != 8 && b[i.ihl] != 0 {
            return self.icmp_err(b, i, false);
        }
        let (sp, dp) = match i.proto {
            ICMP if b[i.ihl] == 0 => (0, pkt::be16(b, i.ihl + 4)),
            UDP | TCP => pkt::ports(b, i).unwrap(),
            _ => return Verdict::Drop,
        };
        let to = self.timeout(i.proto);
        let kind = if i.proto == ICMP { NatKind::Restricted } else { self.kind };
        let Some(m) = self.ext.get_mut(&(i.proto, dp)) else { return Verdict::Drop };
        if now.saturating_sub(m.last) > to {
            return Verdict::Drop;
        }
        let fresh = |t: &u64| now.saturating_sub(*t) <= to;
        let ok = match kind {
            NatKind::FullCone | NatKind::None => true,
            NatKind::Restricted => m.peers.iter().any(|(p, t)| p.0 == i.src && fresh(t)),
            NatKind::PortRestricted | NatKind::Symmetric => m.peers.get(&(i.src, sp)).is_some_and(fresh),
        };
        if !ok {
            return Verdict::Drop;
        }
        let port = m.key.port;
        pkt::rewrite(b, i, false, self.private, Some(port));
        Verdict::Pass
    }

    /// ICMP errors carry the packet they are about: its addresses are translated too.
    fn icmp_err(&mut self, b: &mut [u8], i: &Info, outward: bool) -> Verdict {
        let e = i.ihl + 8;
        if b.len() < e + 20 {
            return Verdict::Drop;
        }
        let eihl = ((b[e] & 15) as usize) * 4;
        if eihl < 20 || b.len() < e + eihl + 8 {
            return Verdict::Drop;
        }
        let proto = b[e + 9];
        // outward: the host complains about a packet that was sent to it (embedded dst = host)
        // inward: somebody complains about a packet that the host sent (embedded src = public)
        let (ao, po) = if outward { (e + 16, e + eihl + 2) } else { (e + 12, e + eihl) };
        let (want, put) = if outward { (self.private, self.public) } else { (self.public, self.private) };
        if pkt::be32(b, ao) != want {
            return Verdict::Drop;
        }
        let po = if proto == ICMP { e + eihl + 4 } else { po };
        let p = pkt::be16(b, po);
        let np = if outward {
            let peer = (pkt::be32(b, e + 12), pkt::be16(b, e + eihl));
            let key = Key { proto, port: p, dst: (self.kind == NatKind::Symmetric).then_some(peer) };
            self.out.get(&key).copied()
        } else {
            self.ext.get(&(proto, p)).map(|m| m.key.port)
        };
        let Some(np) = np else { return Verdict::Drop };
        pkt::put32(b, ao, put);
        pkt::put16(b, po, np);
        pkt::ip_checksum(&mut b[e..], eihl);
        if outward {
            pkt::rewrite(b, i, true, self.public, None);
        } else {
            pkt::rewrite(b, i, false, self.private, None);
        }
        pkt::icmp_checksum(b, i.ihl);
        Verdict::Pass
    }
    pub fn live(&self) -> usize {
        self.ext.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    const PUB: u32 = 0xc6120101;
    const PRIV: u32 = 0x0a000102;
    fn udp(src: u32, sp: u16, dst: u32, dp: u16) -> Vec<u8> {
        let mut p = vec![0u8; 33];
        p[0] = 0x45;
        pkt::put16(&mut p, 2, 33);
        p[8] = 64;
        p[9] = UDP;
        pkt::put32(&mut p, 12, src);
        pkt::put32(&mut p, 16, dst);
        pkt::put16(&mut p, 20, sp);
        pkt::put16(&mut p, 22, dp);
        pkt::put16(&mut p, 24, 13);
        p[28..].copy_from_slice(b"hello");
        pkt::ip_checksum(&mut p, 20);
        let a = pkt::sum(&p[12..20], 0) + 17 + 13;
        let c = !pkt::fold(pkt::sum(&p[20..], a));
        pkt::put16(&mut p, 26, c);
        assert!(pkt::l4_ok(&p));
        p
    }
    fn nat(k: NatKind) -> Nat {
        Nat::new(k, PUB, PRIV, 100, 1000, false, Rng::new(1, 1))
    }
    fn send(n: &mut Nat, sp: u16, dst: u32, dp: u16, now: u64) -> u16 {
        let mut p = udp(PRIV, sp, dst, dp);
        let i = pkt::parse(&p).unwrap();
        assert_eq!(n.outbound(&mut p, &i, now), Verdict::Pass);
        assert!(pkt::l4_ok(&p));
        assert_eq!(pkt::be32(&p, 12), PUB);
        pkt::be16(&p, 20)
    }
    fn recv(n: &mut Nat, src: u32, sp: u16, dp: u16, now: u64) -> Option<u16> {
        let mut p = udp(src, sp, PUB, dp);
        let i = pkt::parse(&p).unwrap();
        if n.inbound(&mut p, &i, now) == Verdict::Drop {
            return None;
        }
        assert!(pkt::l4_ok(&p));
        assert_eq!(pkt::be32(&p, 16), PRIV);
        Some(pkt::be16(&p, 22))
    }
    #[test]
    fn behaviours() {
        for (k, same, other_ip, other_port) in [
            (NatKind::FullCone, true, true, true),
            (NatKind::Restricted, true, false, true),
            (NatKind::PortRestricted, true, false, false),
            (NatKind::Symmetric, false, false, false),
        ] {
            let mut n = nat(k);
            let e1 = send(&mut n, 5000, 1, 10, 0);
            assert_eq!(send(&mut n, 5000, 1, 10, 1), e1);
            assert_eq!(recv(&mut n, 1, 10, e1, 1), Some(5000));
            assert_eq!(recv(&mut n, 2, 10, e1, 1).is_some(), other_ip, "{k:?}");
            assert_eq!(recv(&mut n, 1, 11, e1, 1).is_some(), other_port, "{k:?}");
            let e2 = send(&mut n, 5000, 2, 20, 2);
            assert_eq!(e1 == e2, same, "{k:?}");
            assert_eq!(recv(&mut n, 1, 10, e1, 500), None, "expired");
        }
    }
    #[test]
    fn icmp_error_goes_back_inside() {
        let mut n = nat(NatKind::PortRestricted);
        let mut p = udp(PRIV, 5000, 9, 10);
        let i = pkt::parse(&p).unwrap();
        n.outbound(&mut p, &i, 0);
        let i = pkt::parse(&p).unwrap();
        let mut e = pkt::icmp_error(&p, &i, 9, 3, 3, 0).unwrap();
        let i = pkt::parse(&e).unwrap();
        assert_eq!(n.inbound(&mut e, &i, 1), Verdict::Pass);
        assert_eq!(pkt::be32(&e, 16), PRIV);
        assert_eq!(pkt::be32(&e, 28 + 12), PRIV);
        assert_eq!(pkt::be16(&e, 48), 5000);
        assert_eq!(pkt::fold(pkt::sum(&e[20..], 0)), 0xffff);
    }
}
