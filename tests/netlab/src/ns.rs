//! Network namespaces without names: they live as long as somebody holds their file descriptor,
//! so nothing is left in the system when netlab dies, however it dies.
use std::ffi::CString;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

pub const IFNAME: &str = "eth0";

pub struct Ns {
    pub ns: OwnedFd,
    pub tun: OwnedFd,
    pub inode: u64,
}

fn err(what: &str) -> io::Error {
    let e = io::Error::last_os_error();
    io::Error::new(e.kind(), format!("{what}: {e}"))
}
fn open(path: &str, flags: i32) -> io::Result<OwnedFd> {
    let c = CString::new(path).unwrap();
    let fd = unsafe { libc::open(c.as_ptr(), flags | libc::O_CLOEXEC) };
    if fd < 0 {
        return Err(err(path));
    }
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
fn ifreq(name: &str) -> libc::ifreq {
    let mut r: libc::ifreq = unsafe { std::mem::zeroed() };
    for (d, s) in r.ifr_name.iter_mut().zip(name.bytes()) {
        *d = s as libc::c_char;
    }
    r
}
fn sin(a: Ipv4Addr) -> libc::sockaddr {
    let mut s: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    s.sin_family = libc::AF_INET as u16;
    s.sin_addr.s_addr = u32::from(a).to_be();
    unsafe { std::mem::transmute(s) }
}
fn ioctl<T>(fd: RawFd, req: u64, arg: &mut T, what: &str) -> io::Result<()> {
    if unsafe { libc::ioctl(fd, req as _, arg as *mut T) } < 0 {
        return Err(err(what));
    }
    Ok(())
}
fn up(s: RawFd, name: &str) -> io::Result<()> {
    let mut r = ifreq(name);
    ioctl(s, libc::SIOCGIFFLAGS, &mut r, "SIOCGIFFLAGS")?;
    unsafe { r.ifr_ifru.ifru_flags |= (libc::IFF_UP | libc::IFF_RUNNING) as i16 };
    ioctl(s, libc::SIOCSIFFLAGS, &mut r, "SIOCSIFFLAGS")
}

const TUNSETIFF: u64 = 0x400454ca;

fn make_here(ip: Ipv4Addr, plen: u8, mtu: u16) -> io::Result<Ns> {
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } < 0 {
        return Err(err("unshare(CLONE_NEWNET) (root needed)"));
    }
    let ns = open("/proc/thread-self/ns/net", libc::O_RDONLY)?;
    let inode = fs::metadata(format!("/proc/self/fd/{}", ns.as_raw_fd()))?.ino();
    let tun = open("/dev/net/tun", libc::O_RDWR | libc::O_NONBLOCK)?;
    let mut r = ifreq(IFNAME);
    r.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    ioctl(tun.as_raw_fd(), TUNSETIFF, &mut r, "TUNSETIFF")?;
    let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{IFNAME}/disable_ipv6"), "1");
    let _ = fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    let _ = fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    let s = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if s < 0 {
        return Err(err("socket"));
    }
    let sock = unsafe { OwnedFd::from_raw_fd(s) };
    up(s, "lo")?;
    let mut r = ifreq(IFNAME);
    r.ifr_ifru.ifru_addr = sin(ip);
    ioctl(s, libc::SIOCSIFADDR, &mut r, "SIOCSIFADDR")?;
    r.ifr_ifru.ifru_netmask = sin(Ipv4Addr::from(u32::MAX << (32 - plen)));
    ioctl(s, libc::SIOCSIFNETMASK, &mut r, "SIOCSIFNETMASK")?;
    r.ifr_ifru.ifru_mtu = mtu as i32;
    ioctl(s, libc::SIOCSIFMTU, &mut r, "SIOCSIFMTU")?;
    r.ifr_ifru.ifru_metric = 2000;
    ioctl(s, 0x8943, &mut r, "SIOCSIFTXQLEN")?;
    up(s, IFNAME)?;
    let mut rt: libc::rtentry = unsafe { std::mem::zeroed() };
    rt.rt_dst = sin(Ipv4Addr::UNSPECIFIED);
    rt.rt_genmask = sin(Ipv4Addr::UNSPECIFIED);
    rt.rt_flags = libc::RTF_UP;
    let dev = CString::new(IFNAME).unwrap();
    rt.rt_dev = dev.as_ptr() as *mut _;
    ioctl(s, libc::SIOCADDRT, &mut rt, "SIOCADDRT")?;
    drop(sock);
    Ok(Ns { ns, tun, inode })
}

pub fn make(ip: Ipv4Addr, plen: u8, mtu: u16) -> io::Result<Ns> {
    std::thread::spawn(move || make_here(ip, plen, mtu)).join().unwrap()
}

/// Packets that the TUN device itself dropped because the router did not read in time.
pub fn tun_tx_dropped(ns: RawFd) -> u64 {
    std::thread::spawn(move || {
        if unsafe { libc::setns(ns, libc::CLONE_NEWNET) } < 0 {
            return 0;
        }
        let t = fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
        t.lines()
            .find_map(|l| {
                l.trim()
                    .strip_prefix("eth0:")
                    .map(|r| r.split_whitespace().nth(11).and_then(|x| x.parse().ok()).unwrap_or(0))
            })
            .unwrap_or(0)
    })
    .join()
    .unwrap_or(0)
}

/// Pids of the processes whose network namespace is one of these.
pub fn pids_in(inodes: &[u64]) -> Vec<i32> {
    let me = std::process::id() as i32;
    let mut v = vec![];
    if let Ok(d) = fs::read_dir("/proc") {
        for e in d.flatten() {
            if let Some(pid) = e.file_name().to_str().and_then(|s| s.parse::<i32>().ok())
                && pid != me
                && let Ok(m) = fs::metadata(format!("/proc/{pid}/ns/net"))
                && inodes.contains(&m.ino())
            {
                v.push(pid);
            }
        }
    }
    v
}

fn ppid(pid: i32) -> Option<i32> {
    let s = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    s[s.rfind(')')? + 2..].split(' ').nth(1)?.parse().ok()
}
/// Every descendant of `root` (this process is a subreaper, so orphans stay below it).
pub fn descendants(root: i32) -> Vec<i32> {
    let mut kids: std::collections::HashMap<i32, Vec<i32>> = Default::default();
    if let Ok(d) = fs::read_dir("/proc") {
        for e in d.flatten() {
            if let Some(pid) = e.file_name().to_str().and_then(|s| s.parse::<i32>().ok())
                && let Some(pp) = ppid(pid)
            {
                kids.entry(pp).or_default().push(pid);
            }
        }
    }
    let mut out = vec![];
    let mut todo = vec![root];
    while let Some(p) = todo.pop() {
        for k in kids.remove(&p).unwrap_or_default() {
            out.push(k);
            todo.push(k);
        }
    }
    out
}

pub fn kill_ns(inodes: &[u64], sig: i32) -> usize {
    let v = pids_in(inodes);
    for p in &v {
        unsafe { libc::kill(*p, sig) };
    }
    v.len()
}
