//! `serve`: the server as a program. Signals: SIGHUP reads the settings again, SIGTERM and SIGINT end in order, a
//! second one at once.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Args;
use sd_notify::NotifyState;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracker::check::{self, Finding, Weight};
use tracker::{AdminToken, Config, LogFormat, Server};

use crate::command_line::Loaded;
use crate::commands::Command;

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Print the settings in force, each with where it comes from, as a file that would set them; then end
    #[arg(long, help_heading = "Settings")]
    print_config: bool,
}

pub(super) fn run(config: Config, loaded: Loaded) -> anyhow::Result<()> {
    match config.seeing.log_format {
        LogFormat::Text => super::log().init(),
        LogFormat::Json => super::log().json().flatten_event(true).init(),
    }
    for doubt in loaded.doubtful_variables() {
        tracing::warn!("{doubt}");
    }
    // A session is a file to the system, whose usual 1,024 are for programs that do not ask for more.
    if let Err(error) = rlimit::increase_nofile_limit(check::files_wanted(&config.limits)) {
        tracing::warn!("the limit on open files stays as it is: {error}");
    }
    std::fs::create_dir_all(&config.data).with_context(|| {
        format!("cannot use {}; choose another directory with --data", config.data.display())
    })?;
    let runtime = Builder::new_multi_thread().worker_threads(config.threads()).enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut times = endings().context("cannot listen for signals")?;
        let mut times_again = times.clone();
        let hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        let data = config.data.clone();
        let checked = config.clone();
        let server = Server::bind(config).await?;
        log_findings(check::look(&checked));
        tokio::spawn(async move { log_findings(check::knock(&checked).await) });
        tokio::spawn(reload(hangup, loaded, server.settings()));
        announce(&server, first_token(&data));
        notify(&[NotifyState::Ready]);
        let shutdown = async move {
            let _ = times.wait_for(|times| *times >= 1).await;
            tracing::info!("ending: sessions are told to come again; a second signal ends at once");
            notify(&[NotifyState::Stopping]);
        };
        tokio::select! {
            () = server.run(shutdown) => Ok(()),
            _ = times_again.wait_for(|times| *times >= 2) => Err(anyhow!("ended at once, by a second signal")),
        }
    })?;
    runtime.shutdown_background();
    Ok(())
}

/// Notes are for who asks: `swarmcast-tracker check`.
fn log_findings(findings: Vec<Finding>) {
    for finding in findings {
        match finding.weight {
            Weight::Note => {}
            Weight::Warning | Weight::Fault => tracing::warn!("{}", finding.text),
        }
    }
}

/// The token of the operator's page, at the very first start.
fn first_token(data: &Path) -> Option<AdminToken> {
    AdminToken::first(data).unwrap_or_else(|error| {
        tracing::error!("no token for the page at /admin can be kept: {error}");
        None
    })
}

/// Says where. Whoever started the program may have stopped listening: that is no reason to end.
fn announce(server: &Server, first_token: Option<AdminToken>) {
    let mut out = std::io::stdout().lock();
    let scheme = if server.has_tls() { "https" } else { "http" };
    let _ = writeln!(out, "listening on {scheme}://{}/", server.address());
    if let Some(address) = server.rtmp_address() {
        let _ = writeln!(out, "encoders publish to rtmp://{address}/live");
    }
    if let Some(AdminToken(token)) = first_token {
        let _ =
            writeln!(out, "the operator's page is {scheme}://{}/admin, its token {token}", server.address());
        let _ = writeln!(out, "the token is shown this once; `admin new-token` makes another");
    }
}

/// Reads the settings again at each SIGHUP. A file with mistakes changes nothing.
async fn reload(mut hangup: Signal, mut loaded: Loaded, settings: watch::Sender<Arc<Config>>) {
    while hangup.recv().await.is_some() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("systemd cannot be told: {error}"),
        }
        match loaded.again() {
            Ok(again) => {
                if let Command::Serve(serve) = &again.command {
                    settings.send_replace(Arc::new(serve.config.clone()));
                }
                loaded = again;
                tracing::info!("settings were read again");
            }
            Err(error) => tracing::error!("settings stay as they are: {error:#}"),
        }
        notify(&[NotifyState::Ready]);
    }
}

/// How often the program was told to end, by SIGINT or SIGTERM.
fn endings() -> std::io::Result<watch::Receiver<u32>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (told, times) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            told.send_modify(|times| *times += 1);
        }
    });
    Ok(times)
}

/// Tells systemd, if it has started the program and wants to know.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd cannot be told: {error}");
    }
}
