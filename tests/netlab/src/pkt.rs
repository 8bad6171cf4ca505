//! IPv4 packets: parsing, checksums, address rewriting, ICMP errors, fragments.
pub const UDP: u8 = 17;
pub const TCP: u8 = 6;
pub const ICMP: u8 = 1;

pub fn be16(b: &[u8], o: usize) -> u16 {
    u16::from_be_bytes([b[o], b[o + 1]])
}
pub fn be32(b: &[u8], o: usize) -> u32 {
    u32::from_be_bytes([b[o], b[o + 1], b[o + 2], b[o + 3]])
}
pub fn put16(b: &mut [u8], o: usize, v: u16) {
    b[o..o + 2].copy_from_slice(&v.to_be_bytes());
}
pub fn put32(b: &mut [u8], o: usize, v: u32) {
    b[o..o + 4].copy_from_slice(&v.to_be_bytes());
}

/// What the router needs to know of a packet; None: not a sound IPv4 packet.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    pub ihl: usize,
    pub proto: u8,
    pub src: u32,
    pub dst: u32,
    /// a fragment other than the first (no ports)
    pub tail: bool,
    pub df: bool,
}
pub fn parse(b: &[u8]) -> Option<Info> {
    if b.len() < 20 || b[0] >> 4 != 4 {
        return None;
    }
    let ihl = ((b[0] & 15) as usize) * 4;
    let total = be16(b, 2) as usize;
    if ihl < 20 || total < ihl || total != b.len() {
        return None;
    }
    let fo = be16(b, 6);
    let i = Info {
        ihl,
        proto: b[9],
        src: be32(b, 12),
        dst: be32(b, 16),
        tail: fo & 0x1fff != 0,
        df: fo & 0x4000 != 0,
    };
    if !i.tail {
        let need = match i.proto {
            UDP | ICMP => 8,
            TCP => 20,
            _ => 0,
        };
        if b.len() < ihl + need {
            return None;
        }
    }
    Some(i)
}

pub fn sum(b: &[u8], mut acc: u32) -> u32 {
    let mut c = b.chunks_exact(2);
    for x in &mut c {
        acc += u16::from_be_bytes([x[0], x[1]]) as u32;
    }
    if let [l] = c.remainder() {
        acc += (*l as u32) << 8;
    }
    acc
}
pub fn fold(mut a: u32) -> u16 {
    while a >> 16 != 0 {
        a = (a & 0xffff) + (a >> 16);
    }
    a as u16
}
/// RFC 1624: checksum after 16-bit words `old` became `new`.
pub fn adjust(ck: u16, old: &[u16], new: &[u16]) -> u16 {
    let mut a = !ck as u32;
    for o in old {
        a += !*o as u32;
    }
    for n in new {
        a += *n as u32;
    }
    !fold(a)
}
fn words(v: u32) -> [u16; 2] {
    [(v >> 16) as u16, v as u16]
}

/// Ports (or the ICMP echo id, standing for the inside port).
pub fn ports(b: &[u8], i: &Info) -> Option<(u16, u16)> {
    if i.tail {
        return None;
    }
    match i.proto {
        UDP | TCP => Some((be16(b, i.ihl), be16(b, i.ihl + 2))),
        ICMP if b[i.ihl] == 8 || b[i.ihl] == 0 => Some((be16(b, i.ihl + 4), be16(b, i.ihl + 4))),
        _ => None,
    }
}

/// Writes a new source (or destination) address, and port if given; all checksums follow.
pub fn rewrite(b: &mut [u8], i: &Info, source: bool, addr: u32, port: Option<u16>) {
    let ao = if source { 12 } else { 16 };
    let old = words(be32(b, ao));
    let new = words(addr);
    put32(b, ao, addr);
    let ck = adjust(be16(b, 10), &old, &new);
    put16(b, 10, ck);
    if i.tail {
        return;
    }
    let l4 = i.ihl;
    match i.proto {
        UDP | TCP => {
            let co = if i.proto == UDP { l4 + 6 } else { l4 + 16 };
            let po = if source { l4 } else { l4 + 2 };
            let op = be16(b, po);
            let np = port.unwrap_or(op);
            put16(b, po, np);
            let ck = be16(b, co);
            if !(i.proto == UDP && ck == 0) && b.len() >= co + 2 {
                let mut c = adjust(ck, &[old[0], old[1], op], &[new[0], new[1], np]);
                if i.proto == UDP && c == 0 {
                    c = 0xffff;
                }
                put16(b, co, c);
            }
        }
        ICMP => {
            if let (Some(np), true) = (port, b[l4] == 8 || b[l4] == 0) {
                let op = be16(b, l4 + 4);
                put16(b, l4 + 4, np);
                let c = adjust(be16(b, l4 + 2), &[op], &[np]);
                put16(b, l4 + 2, c);
            }
        }
        _ => {}
    }
}

pub fn dec_ttl(b: &mut [u8]) -> bool {
    if b[8] <= 1 {
        return false;
    }
    let old = be16(b, 8);
    b[8] -= 1;
    let new = be16(b, 8);
    let c = adjust(be16(b, 10), &[old], &[new]);
    put16(b, 10, c);
    true
}

pub fn ip_checksum(b: &mut [u8], ihl: usize) {
    put16(b, 10, 0);
    let c = !fold(sum(&b[..ihl], 0));
    put16(b, 10, c);
}
pub fn icmp_checksum(b: &mut [u8], ihl: usize) {
    put16(b, ihl + 2, 0);
    let c = !fold(sum(&b[ihl..], 0));
    put16(b, ihl + 2, c);
}

/// An ICMP error about `orig`, sent back to its source.
pub fn icmp_error(orig: &[u8], i: &Info, from: u32, typ: u8, code: u8, mtu: u16) -> Option<Vec<u8>> {
    if i.tail || (i.proto == ICMP && !(orig[i.ihl] == 8 || orig[i.ihl] == 0)) {
        return None;
    }
    let n = orig.len().min(i.ihl + 8 + 520);
    let mut p = vec![0u8; 28 + n];
    let len = p.len() as u16;
    p[0] = 0x45;
    put16(&mut p, 2, len);
    p[8] = 64;
    p[9] = ICMP;
    put32(&mut p, 12, from);
    put32(&mut p, 16, i.src);
    p[20] = typ;
    p[21] = code;
    put16(&mut p, 26, mtu);
    p[28..].copy_from_slice(&orig[..n]);
    ip_checksum(&mut p, 20);
    icmp_checksum(&mut p, 20);
    Some(p)
}

pub fn fragment(b: &[u8], i: &Info, mtu: usize) -> Vec<Vec<u8>> {
    let step = (mtu - i.ihl) / 8 * 8;
    let body = &b[i.ihl..];
    let fo = be16(b, 6);
    let more_after = fo & 0x2000;
    let mut out = vec![];
    let mut at = 0;
    while at < body.len() {
        let n = step.min(body.len() - at);
        let mut p = Vec::with_capacity(i.ihl + n);
        p.extend_from_slice(&b[..i.ihl]);
        p.extend_from_slice(&body[at..at + n]);
        let len = p.len() as u16;
        put16(&mut p, 2, len);
        let mf = if at + n < body.len() { 0x2000 } else { more_after };
        put16(&mut p, 6, mf | ((fo & 0x1fff) + (at / 8) as u16));
        ip_checksum(&mut p, i.ihl);
        out.push(p);
        at += n;
    }
    out
}

#[cfg(test)]
pub fn l4_ok(b: &[u8]) -> bool {
    let i = parse(b).unwrap();
    let mut a = sum(&b[12..20], 0) + i.proto as u32 + (b.len() - i.ihl) as u32;
    a = sum(&b[i.ihl..], a);
    fold(a) == 0xffff && fold(sum(&b[..i.ihl], 0)) == 0xffff
}
