//! `relay`: this machine as a relay of a server elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use peer::Authorities;
use tokio::signal::unix::{SignalKind, signal};
use tracker::{Outpost, OutpostConfig};

#[derive(Args)]
pub(crate) struct Relay {
    /// The server that this one helps
    #[arg(long, value_name = "URL")]
    of: String,
    /// Your own authority's certificates, in PEM, if that server's is from none that browsers believe
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Its name in that server's log: a-z, 0-9, `-`, `_`
    #[arg(long, value_name = "NAME", default_value = "relay")]
    name: String,
    /// The secret that both servers share; better given as SWARMCAST_RELAY_SECRET, or in the file
    #[arg(long, value_name = "SECRET", hide_env_values = true)]
    relay_secret: Option<String>,
    /// Where viewers link to it, by UDP
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:3480")]
    links: SocketAddr,
    /// Addresses that viewers reach this machine at; may be repeated, or separated by commas. Needed behind NAT
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    announce: Vec<IpAddr>,
    /// Megabits a second that it may send; no limit by default
    #[arg(long, value_name = "NUMBER")]
    egress_mbps: Option<u32>,
}

pub(super) fn run(relay: &Relay) -> anyhow::Result<()> {
    super::log().init();
    let config = OutpostConfig {
        of: relay.of.clone(),
        authorities: match &relay.ca {
            Some(path) => Authorities::in_file(path).context("choose another file with --ca")?,
            None => Authorities::OfTheWeb,
        },
        name: relay.name.clone(),
        secret: relay
            .relay_secret
            .clone()
            .context("give the secret that both servers share: --relay-secret")?,
        links: relay.links,
        announce: relay.announce.clone(),
        egress_bps: relay.egress_mbps.map(|mbps| u64::from(mbps) * 1_000_000),
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
        let outpost = Outpost::bind(config).await?;
        super::print(&format!("relaying for {}\n", relay.of))?;
        outpost
            .run(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            })
            .await?;
        anyhow::Ok(())
    })
}
