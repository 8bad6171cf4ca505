//! The network of a native swarm: a netlab scenario made of a setup, and the way into fresh namespaces.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::percentile::share;
use crate::swarm_setup::{HostRole, HostSetup, NatKind, SwarmSetup};

/// The port of the tracker's sessions: one that netlab lets through where UDP is blocked.
pub const TRACKER_PORT: u16 = 8080;

/// The setup as a netlab scenario.
pub fn scenario(setup: &SwarmSetup) -> String {
    let mut text = format!("seed = {}\n\n[defaults]\nqueue = {:.1}\n\n", setup.seed, setup.queue_ms);
    let names: Vec<_> = (0..setup.regions_ms.len()).map(|region| format!("\"r{region}\"")).collect();
    let rows: Vec<_> = setup.regions_ms.iter().map(|row| format!("{row:?}")).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "[regions]\nnames = [{}]\ndelay = [{}]\n", names.join(", "), rows.join(", "));
    for host in setup.hosts() {
        let _ = write_host(&mut text, setup, &host);
    }
    text
}

fn write_host(text: &mut String, setup: &SwarmSetup, host: &HostSetup) -> std::fmt::Result {
    writeln!(text, "[[host]]\nname = \"{}\"\nregion = \"r{}\"", host.name, host.region)?;
    writeln!(text, "delay = {:.3}\nup = {}\ndown = {}", host.access_delay_ms, host.up_bps, host.down_bps)?;
    if setup.loss > 0.0 && host.role != HostRole::Tracker {
        // Half where a packet leaves, half where it arrives.
        writeln!(text, "loss = {{ rate = {}, burst = {:?} }}", setup.loss / 2.0, setup.loss_run)?;
    }
    match host.nat {
        NatKind::None => {}
        NatKind::NoUdp => writeln!(text, "nat = \"port-restricted\"\nudp_blocked = true")?,
        // With the port preserved the public address and the own port are what STUN would tell: the native peer
        // does not ask. Behind a symmetric NAT they are as wrong as STUN's answer.
        kind => writeln!(text, "nat = \"{}\"\nnat_port_preserve = true", nat_name(kind))?,
    }
    writeln!(text)
}

fn nat_name(kind: NatKind) -> &'static str {
    match kind {
        NatKind::None | NatKind::NoUdp => "none",
        NatKind::FullCone => "full-cone",
        NatKind::PortRestricted => "port-restricted",
        NatKind::Symmetric => "symmetric",
    }
}

/// `unshare` with what makes namespaces of their own: all processes end with the first one.
pub fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !is_root() {
        command.arg("--map-root-user");
    }
    command.arg("--");
    command
}

/// Whether this system lets us make namespaces and network devices; if not, why.
pub fn available(netlab: &Path, folder: &Path) -> Result<(), String> {
    let probe = folder.join("probe.toml");
    std::fs::write(&probe, "[[host]]\nname = \"probe\"\n").map_err(|error| error.to_string())?;
    let up = unshare()
        .arg(netlab)
        .args(["up", "--quiet"])
        .arg(&probe)
        .args(["--", "true"])
        .env("NETLAB_STATE", folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    if up.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&up.stderr).trim().to_owned()) }
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
        uids.split_whitespace().nth(1) == Some("0")
    })
}

/// What netlab counted, in a few figures: whether the network was as it should be.
pub fn summary(stats: &Value) -> Value {
    let hosts = || stats["hosts"].as_object().into_iter().flatten().map(|(_, host)| host);
    let dropped = |causes: &[&str]| -> u64 {
        let packets = |host: &Value, cause: &&str| host["drops"][*cause]["packets"].as_u64().unwrap_or(0);
        hosts().map(|host| causes.iter().map(|cause| packets(host, cause)).sum::<u64>()).sum()
    };
    let sent: u64 = hosts().filter_map(|host| host["out"]["packets"].as_u64()).sum();
    let worst = |queue: &str| hosts().filter_map(|host| host[queue]["p99"].as_f64()).fold(0.0, f64::max);
    let overrun: u64 = hosts().filter_map(|host| host["tun_overrun"].as_u64()).sum();
    json!({
        "packets": sent,
        "lost": share(dropped(&["loss_up", "loss_down"]) as f64, sent as f64),
        "queue_dropped": share(dropped(&["queue_up", "queue_down"]) as f64, sent as f64),
        "unreachable": dropped(&["nat", "firewall", "blocked", "no_route"]),
        "overrun": overrun,
        "queue_up_p99_worst_ms": worst("queue_up_ms"),
        "queue_down_p99_worst_ms": worst("queue_down_ms"),
        "router_cores": stats["router"]["cpu_share"],
        "router_late_p99_ms": stats["router"]["late_ms"]["p99"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm_setup::{NAT_MIX, NatClass};

    #[test]
    fn every_host_has_its_line() {
        let text = scenario(&SwarmSetup { viewers: 3, ..SwarmSetup::default() });
        assert_eq!(text.matches("[[host]]").count(), 5);
        assert_eq!(text.matches("rate = 0.005, burst = 3.0").count(), 4, "none at the tracker");
        assert!(text.contains("delay = [[0.0, 15.0, 30.0], "));
    }

    #[test]
    fn nats_are_dealt() {
        let nats = NAT_MIX.map(|class| NatClass { ..class }).into();
        let text = scenario(&SwarmSetup { viewers: 100, nats, ..SwarmSetup::default() });
        assert_eq!(text.matches("nat = \"symmetric\"").count(), 15);
        assert_eq!(text.matches("udp_blocked = true").count(), 3);
    }

    #[test]
    fn losses_are_told_as_shares() {
        let host = json!({"out": {"packets": 200}, "drops": {"loss_up": {"packets": 1}, "loss_down": {"packets": 1}}});
        let summary = summary(&json!({"hosts": {"a": host}, "router": {}}));
        assert_eq!((summary["packets"].as_u64(), summary["lost"].as_f64()), (Some(200), Some(0.01)));
    }
}
