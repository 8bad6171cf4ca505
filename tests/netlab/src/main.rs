//! netlab: hosts as network namespaces, one router process between them. Commands, state and clean-up are
//! here; the way of a packet is in `router`, what a scenario file may say in `scenario`.

mod nat;
mod ns;
mod pkt;
mod rng;
mod router;
mod scenario;
mod stats;

use router::{Msg, Req, Router};
use scenario::{EventSpec, Scenario};
use serde_json::{Map, Value, json};
use std::ffi::CString;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const USAGE: &str = "netlab: a small WAN emulator
  netlab up [--stats FILE] [--seed N] [--quiet] SCENARIO.toml [-- CMD ARGS...]
                          make the hosts, run CMD (env NETLAB_HOSTS, NETLAB_RUN, NETLAB_IP_<host>), remove all;
                          without CMD: until SIGINT or SIGTERM
  netlab exec [--run DIR] HOST CMD ARGS...   run CMD inside a host
  netlab event [--run DIR] 'TOML' ...        an event now, as in [[event]]: netlab event 'cut=\"a\"' 'for=5'
  netlab start [--run DIR]                   start the event clock (scenario: wait_start = true)
  netlab stats [--run DIR]                   the statistics so far, as JSON
  netlab hosts [--run DIR]                   the hosts, as JSON
  netlab check SCENARIO.toml                 read a scenario and print what it says
  netlab clean                               forget the state of runs that died";

fn die(m: impl std::fmt::Display) -> ! {
    eprintln!("netlab: {m}");
    exit(125)
}
fn state_root() -> PathBuf {
    std::env::var_os("NETLAB_STATE").map(PathBuf::from).unwrap_or_else(|| "/run/netlab".into())
}

fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    match a.first().map(|s| s.as_str()) {
        Some("up") => up(&a[1..]),
        Some("exec") => {
            let (run, rest) = run_opt(&a[1..]);
            if rest.len() < 2 {
                die("exec wants HOST CMD...");
            }
            exec(&run, &rest)
        }
        Some("event") => {
            let (run, rest) = run_opt(&a[1..]);
            println!("{}", ctl(&run, "event", &rest.join("\n")).unwrap_or_else(|e| die(e)));
        }
        Some(c @ ("stats" | "start")) => {
            let (run, _) = run_opt(&a[1..]);
            println!("{}", ctl(&run, c, "").unwrap_or_else(|e| die(e)));
        }
        Some("hosts") => {
            let (run, _) = run_opt(&a[1..]);
            let s = state(&run).unwrap_or_else(|e| die(e));
            println!("{}", serde_json::to_string_pretty(&s["hosts"]).unwrap());
        }
        Some("check") => check(a.get(1).unwrap_or_else(|| die("check wants a scenario"))),
        Some("clean") => clean(),
        Some("--help" | "-h" | "help") => println!("{USAGE}"),
        _ => {
            eprintln!("{USAGE}");
            exit(2)
        }
    }
}

fn run_opt(a: &[String]) -> (PathBuf, Vec<String>) {
    let (run, rest) = match a.first().map(|s| s.as_str()) {
        Some("--run") => (a.get(1).map(PathBuf::from), a.get(2..).unwrap_or(&[]).to_vec()),
        _ => (std::env::var_os("NETLAB_RUN").map(PathBuf::from), a.to_vec()),
    };
    let run = run.unwrap_or_else(|| {
        let live: Vec<PathBuf> = runs().into_iter().filter(|(_, l)| *l).map(|(p, _)| p).collect();
        match live.len() {
            1 => live[0].clone(),
            0 => die("no run is up"),
            n => die(format!("{n} runs are up: say which with --run DIR or NETLAB_RUN: {live:?}")),
        }
    });
    (run, rest)
}
fn runs() -> Vec<(PathBuf, bool)> {
    let mut v = vec![];
    for e in fs::read_dir(state_root()).into_iter().flatten().flatten() {
        let p = e.path();
        let live = state(&p).is_ok_and(|s| alive(&s));
        v.push((p, live));
    }
    v
}
fn alive(s: &Value) -> bool {
    // the same pid and the same start time: not another process that got the number
    s["pid"].as_i64().is_some_and(|p| {
        start_time(p as i32) == s["start"].as_str().map(|x| x.to_string()) && s["start"].is_string()
    })
}
fn start_time(pid: i32) -> Option<String> {
    let s = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    s[s.rfind(')')? + 2..].split(' ').nth(19).map(|x| x.to_string())
}
fn state(run: &Path) -> Result<Value, String> {
    let t = fs::read_to_string(run.join("state.json")).map_err(|e| format!("{}: {e}", run.display()))?;
    serde_json::from_str(&t).map_err(|e| e.to_string())
}
fn clean() {
    for (p, live) in runs() {
        if live {
            continue;
        }
        let ids: Vec<u64> = state(&p)
            .ok()
            .and_then(|s| {
                s["hosts"].as_object().map(|h| h.values().filter_map(|x| x["inode"].as_u64()).collect())
            })
            .unwrap_or_default();
        // an inode number may have been used again: only processes that carry this run's name
        for pid in ns::pids_in(&ids).into_iter().chain(pids_with_env(&p)) {
            if env_of(pid, &p) {
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
        }
        let _ = fs::remove_dir_all(&p);
        println!("removed {}", p.display());
    }
}
fn env_of(pid: i32, run: &Path) -> bool {
    let want = format!("NETLAB_RUN={}", run.display());
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|e| e.split(|c| *c == 0).any(|x| x == want.as_bytes()))
}
fn pids_with_env(run: &Path) -> Vec<i32> {
    let me = std::process::id() as i32;
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| e.file_name().to_str().and_then(|s| s.parse::<i32>().ok()))
        .filter(|p| *p != me && env_of(*p, run))
        .collect()
}

fn check(file: &str) {
    let t = fs::read_to_string(file).unwrap_or_else(|e| die(format!("{file}: {e}")));
    let s = scenario::load(&t).unwrap_or_else(|e| die(format!("{file}: {e}")));
    for h in &s.hosts {
        let r = |x: Option<scenario::Rate>| {
            x.filter(|r| r.0 > 0).map_or("unlimited".into(), |r| format!("{} kbit/s", r.0 / 1000))
        };
        println!(
            "{:<14} {:<15} {:<14} {:<8} up {:<16} down {:<16} delay {} ms  nat {}{}",
            h.name,
            h.public.to_string(),
            h.private.map_or("-".into(), |p| p.to_string()),
            h.spec.region.as_deref().unwrap_or("-"),
            r(h.spec.up),
            r(h.spec.down),
            h.spec.delay.unwrap_or_default().0 as f64 / 1e6,
            router::nat_name(h.nat()),
            if h.spec.udp_blocked == Some(true) { " udp_blocked" } else { "" }
        );
    }
    println!("{} hosts, {} events", s.hosts.len(), s.events.len());
}

fn host_json(sc: &Scenario) -> Map<String, Value> {
    sc.hosts
        .iter()
        .map(|h| {
            (
                h.name.clone(),
                json!({"ip": h.public, "private_ip": h.private, "nat": h.nat(), "region": h.spec.region,
                "udp_blocked": h.spec.udp_blocked.unwrap_or(false)}),
            )
        })
        .collect()
}

fn exec(run: &Path, rest: &[String]) -> ! {
    let s = state(run).unwrap_or_else(|e| die(e));
    if !alive(&s) {
        die(format!("{} is not up", run.display()));
    }
    let h = &s["hosts"][&rest[0]];
    let Some(fd) = h["fd"].as_i64() else { die(format!("no host {}", rest[0])) };
    let path = CString::new(format!("/proc/{}/fd/{fd}", s["pid"])).unwrap();
    unsafe {
        let f = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if f < 0 || libc::setns(f, libc::CLONE_NEWNET) < 0 {
            die(format!("entering {}: {}", rest[0], std::io::Error::last_os_error()));
        }
        // own /etc/hosts and an empty resolv.conf: names of hosts work, other lookups fail at once
        if libc::unshare(libc::CLONE_NEWNS) == 0 {
            libc::mount(
                c"none".as_ptr(),
                c"/".as_ptr(),
                std::ptr::null(),
                libc::MS_REC | libc::MS_SLAVE,
                std::ptr::null(),
            );
            for (from, to) in [("hosts", "/etc/hosts"), ("resolv.conf", "/etc/resolv.conf")] {
                let f = CString::new(run.join(from).to_str().unwrap()).unwrap();
                let t = CString::new(to).unwrap();
                if libc::mount(f.as_ptr(), t.as_ptr(), std::ptr::null(), libc::MS_BIND, std::ptr::null()) < 0
                {
                    eprintln!("netlab: warning: bind over {to}: {}", std::io::Error::last_os_error());
                }
            }
        }
    }
    let e = Command::new(&rest[1])
        .args(&rest[2..])
        .env("NETLAB_RUN", run)
        .env("NETLAB_HOST", &rest[0])
        .env("NETLAB_IP", h["ip"].as_str().unwrap_or(""))
        .exec();
    eprintln!("netlab: {}: {e}", rest[1]);
    exit(127)
}

fn ctl(run: &Path, verb: &str, body: &str) -> Result<String, String> {
    let mut s = UnixStream::connect(run.join("ctl")).map_err(|e| format!("{}: {e}", run.display()))?;
    write!(s, "{verb}\n{body}")
        .and_then(|_| s.shutdown(std::net::Shutdown::Write))
        .map_err(|e| e.to_string())?;
    let mut r = String::new();
    s.read_to_string(&mut r).map_err(|e| e.to_string())?;
    match r.strip_prefix("error ") {
        Some(m) => Err(m.to_string()),
        None => Ok(r),
    }
}

#[derive(Clone)]
struct Ctl {
    tx: mpsc::Sender<Msg>,
    wake: RawFd,
    ns: Vec<(String, RawFd)>,
}
impl Ctl {
    /// What the router's thread should not spend its time on.
    fn add_overruns(&self, mut v: Value) -> Value {
        for (name, fd) in &self.ns {
            v["hosts"][name]["tun_overrun"] = json!(ns::tun_tx_dropped(*fd));
        }
        v
    }
    fn ask(&self, req: Req) -> Result<Value, String> {
        let (tx, rx) = mpsc::channel();
        self.tx.send(Msg { req, reply: tx }).map_err(|_| "the router is gone".to_string())?;
        let one = 1u64;
        unsafe { libc::write(self.wake, &one as *const u64 as *const _, 8) };
        rx.recv_timeout(Duration::from_secs(10)).map_err(|_| "the router does not answer".to_string())?
    }
}
fn serve_ctl(l: UnixListener, c: Ctl) {
    for s in l.incoming().flatten() {
        let c = c.clone();
        std::thread::spawn(move || {
            let mut s = s;
            let _ = s.set_read_timeout(Some(Duration::from_secs(5)));
            let mut t = String::new();
            if s.read_to_string(&mut t).is_err() {
                return;
            }
            let (verb, body) = t.split_once('\n').unwrap_or((&t, ""));
            let r = match verb {
                "event" => toml::from_str::<EventSpec>(body)
                    .map_err(|e| e.to_string())
                    .and_then(|e| c.ask(Req::Event(e))),
                "start" => c.ask(Req::Start),
                "stats" => c.ask(Req::Stats).map(|v| c.add_overruns(v)),
                _ => Err("unknown request".into()),
            };
            let _ = match r {
                Ok(v) => write!(s, "{v}"),
                Err(e) => write!(s, "error {e}"),
            };
        });
    }
}

/// Waits for the end of `up`, however it comes, then kills what is left inside the hosts and removes the state.
/// It holds the namespaces' descriptors, so their inode numbers cannot be used again meanwhile.
fn guard(pipe: RawFd, inodes: &[u64], run: &Path) -> ! {
    unsafe {
        libc::setsid();
        libc::prctl(libc::PR_SET_NAME, c"netlab-guard".as_ptr() as usize, 0, 0, 0);
        for s in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE] {
            libc::signal(s, libc::SIG_IGN);
        }
        let mut b = [0u8; 1];
        loop {
            let r = libc::read(pipe, b.as_mut_ptr() as *mut _, 1);
            if r == 0 || (r < 0 && *libc::__errno_location() != libc::EINTR) {
                break;
            }
        }
        for _ in 0..200 {
            let mut v = ns::pids_in(inodes);
            v.extend(pids_with_env(run));
            if v.is_empty() {
                break;
            }
            for p in v {
                libc::kill(p, libc::SIGKILL);
            }
            libc::usleep(10_000);
        }
    }
    let _ = fs::remove_dir_all(run);
    unsafe { libc::_exit(0) }
}

fn sigset() -> libc::sigset_t {
    unsafe {
        let mut s: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut s);
        for x in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGCHLD] {
            libc::sigaddset(&mut s, x);
        }
        s
    }
}
/// The next signal within `ms`, or None.
fn wait_signal(ms: u64) -> Option<i32> {
    let s = sigset();
    let ts = libc::timespec { tv_sec: (ms / 1000) as i64, tv_nsec: ((ms % 1000) * 1_000_000) as i64 };
    let r = unsafe { libc::sigtimedwait(&s, std::ptr::null_mut(), &ts) };
    (r > 0).then_some(r)
}

fn up(a: &[String]) -> ! {
    let (mut stats_file, mut seed, mut quiet, mut file, mut cmd) = (None, None, false, None, vec![]);
    let mut i = 0;
    while i < a.len() {
        match a[i].as_str() {
            "--stats" => {
                i += 1;
                stats_file = Some(a.get(i).unwrap_or_else(|| die("--stats wants a file")).clone());
            }
            "--seed" => {
                i += 1;
                seed = Some(
                    a.get(i)
                        .and_then(|s| s.parse::<u64>().ok())
                        .unwrap_or_else(|| die("--seed wants a number")),
                );
            }
            "--quiet" => quiet = true,
            "--" => {
                cmd = a[i + 1..].to_vec();
                break;
            }
            f if file.is_none() && !f.starts_with('-') => file = Some(f.to_string()),
            x => die(format!("what is {x:?}?")),
        }
        i += 1;
    }
    let file = file.unwrap_or_else(|| die("up wants a scenario"));
    let text = fs::read_to_string(&file).unwrap_or_else(|e| die(format!("{file}: {e}")));
    let mut sc = scenario::load(&text).unwrap_or_else(|e| die(format!("{file}: {e}")));
    if let Some(s) = seed {
        sc.seed = s;
    }
    unsafe {
        libc::sigprocmask(libc::SIG_BLOCK, &sigset(), std::ptr::null_mut());
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        let lim = libc::rlimit { rlim_cur: 4096, rlim_max: 4096 };
        let mut cur: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut cur);
        if cur.rlim_cur < 4096 && cur.rlim_max >= 4096 {
            libc::setrlimit(libc::RLIMIT_NOFILE, &libc::rlimit { rlim_max: cur.rlim_max, ..lim });
        }
    }
    let spaces: Vec<ns::Ns> = sc
        .hosts
        .iter()
        .map(|h| {
            let plen = if h.private.is_some() { 24 } else { sc.prefix_len };
            ns::make(h.own_ip(), plen, h.mtu()).unwrap_or_else(|e| die(format!("host {}: {e}", h.name)))
        })
        .collect();
    let inodes: Vec<u64> = spaces.iter().map(|s| s.inode).collect();

    let me = std::process::id() as i32;
    let run = state_root().join(format!("{me}-{}", start_time(me).unwrap_or_default()));
    let setup = || -> std::io::Result<()> {
        fs::create_dir_all(run.join("ns"))?;
        let mut hs = host_json(&sc);
        let mut etc = String::from("127.0.0.1 localhost\n::1 localhost\n");
        for (h, s) in sc.hosts.iter().zip(&spaces) {
            let v = hs.get_mut(&h.name).unwrap();
            v["fd"] = json!(s.ns.as_raw_fd());
            v["inode"] = json!(s.inode);
            etc += &format!("{} {}\n", h.public, h.name);
            std::os::unix::fs::symlink(
                format!("/proc/{me}/fd/{}", s.ns.as_raw_fd()),
                run.join("ns").join(&h.name),
            )?;
        }
        fs::write(run.join("hosts"), etc)?;
        fs::write(run.join("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")?;
        fs::write(
            run.join("state.json"),
            serde_json::to_string(&json!({"pid": me, "start": start_time(me), "hosts": hs})).unwrap(),
        )
    };
    if let Err(e) = setup() {
        let _ = fs::remove_dir_all(&run);
        die(format!("{}: {e}", run.display()));
    }

    let mut p = [0i32; 2];
    unsafe { libc::pipe2(p.as_mut_ptr(), libc::O_CLOEXEC) };
    let guard_pid = unsafe { libc::fork() };
    if guard_pid == 0 {
        unsafe { libc::close(p[1]) };
        for s in &spaces {
            unsafe { libc::close(s.tun.as_raw_fd()) };
        }
        // let go of the caller's pipes, or it would wait for us
        unsafe {
            let n = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            for fd in 0..3 {
                libc::dup2(n, fd);
            }
        }
        guard(p[0], &inodes, &run);
    }
    unsafe { libc::close(p[0]) };
    let life = unsafe { OwnedFd::from_raw_fd(p[1]) };

    let (tx, rx) = mpsc::channel();
    let wake = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    let c = Ctl {
        tx,
        wake,
        ns: sc.hosts.iter().zip(&spaces).map(|(h, s)| (h.name.clone(), s.ns.as_raw_fd())).collect(),
    };
    let l = UnixListener::bind(run.join("ctl")).unwrap_or_else(|e| die(e));
    let c2 = c.clone();
    std::thread::spawn(move || serve_ctl(l, c2));
    let tuns: Vec<(RawFd, u64)> = spaces.iter().map(|s| (s.tun.as_raw_fd(), s.inode)).collect();
    let pub_hosts = serde_json::to_string(&Value::Object(host_json(&sc))).unwrap();
    let ips: Vec<(String, String)> = sc
        .hosts
        .iter()
        .map(|h| (format!("NETLAB_IP_{}", h.name.replace('-', "_")), h.public.to_string()))
        .collect();
    let router = Router::new(sc, &tuns).unwrap_or_else(|e| die(e));
    let rt = std::thread::Builder::new().name("router".into()).spawn(move || router.run(rx, wake)).unwrap();

    if !quiet {
        eprintln!("netlab: {} hosts up, run {}", tuns.len(), run.display());
    }
    let mut child = None;
    let mut code = 0;
    if !cmd.is_empty() {
        let mut k = Command::new(&cmd[0]);
        k.args(&cmd[1..]).env("NETLAB_RUN", &run).env("NETLAB_HOSTS", &pub_hosts).envs(ips);
        if let Ok(exe) = std::env::current_exe() {
            k.env("NETLAB", exe);
        }
        unsafe {
            k.pre_exec(|| {
                let mut s: libc::sigset_t = std::mem::zeroed();
                libc::sigemptyset(&mut s);
                libc::sigprocmask(libc::SIG_SETMASK, &s, std::ptr::null_mut());
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
        match k.spawn() {
            Ok(c) => child = Some(c.id() as i32),
            Err(e) => {
                eprintln!("netlab: {}: {e}", cmd[0]);
                code = 127;
            }
        }
    }
    // wait for CMD or a signal
    let mut deadline: Option<Instant> = None;
    while child.is_some() || cmd.is_empty() {
        let sig = wait_signal(if deadline.is_some() { 50 } else { 1000 });
        loop {
            let mut st = 0;
            let p = unsafe { libc::waitpid(-1, &mut st, libc::WNOHANG) };
            if p <= 0 {
                break;
            }
            if Some(p) == child {
                let s = std::process::ExitStatus::from_raw(st);
                code = s.code().unwrap_or_else(|| 128 + s.signal().unwrap_or(0));
                child = None;
            }
        }
        if rt.is_finished() {
            eprintln!("netlab: the router stopped");
            code = 125;
            break;
        }
        match sig {
            Some(s) if s != libc::SIGCHLD => {
                let Some(c) = child else {
                    code = 128 + s;
                    break;
                };
                if deadline.is_some() {
                    break;
                }
                unsafe { libc::kill(c, libc::SIGTERM) };
                deadline = Some(Instant::now() + Duration::from_secs(3));
            }
            _ => {}
        }
        if deadline.is_some_and(|d| Instant::now() > d) {
            break;
        }
    }
    if child.is_some() {
        code = 143;
    }
    let _ = c.ask(Req::Stop);
    let mut st = rt.join().unwrap_or(Value::Null);
    if st.is_object() {
        st = c.add_overruns(st);
    }
    if let Some(f) = &stats_file
        && let Err(e) = fs::write(f, serde_json::to_string_pretty(&st).unwrap() + "\n")
    {
        eprintln!("netlab: {f}: {e}");
    }
    if !quiet && st.is_object() {
        let r = &st["router"];
        eprintln!(
            "netlab: {:.1} s, router {:.1} % of a core, late by p50 {} p99 {} max {} ms",
            st["wall_s"].as_f64().unwrap_or(0.0),
            r["cpu_share"].as_f64().unwrap_or(0.0) * 100.0,
            r["late_ms"]["p50"],
            r["late_ms"]["p99"],
            r["late_ms"]["max"]
        );
    }
    // everything that this run started and that still runs: TERM, a second, KILL
    let left = || {
        let mut v: Vec<i32> = ns::descendants(me).into_iter().filter(|p| *p != guard_pid).collect();
        v.extend(ns::pids_in(&inodes).into_iter().filter(|p| *p != guard_pid));
        v.sort_unstable();
        v.dedup();
        v
    };
    let t0 = Instant::now();
    let mut termed: std::collections::HashSet<i32> = Default::default();
    loop {
        unsafe {
            loop {
                let mut st = 0;
                let p = libc::waitpid(-1, &mut st, libc::WNOHANG);
                if p <= 0 || p == guard_pid {
                    break;
                }
            }
        }
        let v = left();
        if v.is_empty() || t0.elapsed() > Duration::from_secs(5) {
            break;
        }
        let hard = t0.elapsed() > Duration::from_secs(1);
        for p in v {
            if hard || termed.insert(p) {
                unsafe { libc::kill(p, if hard { libc::SIGKILL } else { libc::SIGTERM }) };
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(life);
    unsafe { libc::waitpid(guard_pid, std::ptr::null_mut(), 0) };
    exit(code)
}
