//! The program's commands, a file each. Only these print.

mod admin;
mod backup;
mod ban;
mod channel;
mod check;
mod invite;
mod manual;
mod relay;
mod serve;

use std::io::{IsTerminal, Stderr, Write, stderr};

use clap::Subcommand;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{DefaultFields, Format};

use crate::command_line::Loaded;
pub(crate) use serve::Serve;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve pages, viewers and broadcasters (the default)
    Serve(Box<Serve>),
    /// Create hosted channels (those that an encoder publishes to with a stream key), list, set and remove channels
    #[command(subcommand)]
    Channel(channel::Channel),
    /// Let chosen people register channels, with --registration invite
    #[command(subcommand)]
    Invite(invite::Invite),
    /// Keep somebody out, of a channel or of the whole server, by address prefix or by peer
    #[command(subcommand)]
    Ban(ban::Ban),
    /// The operator's page at /admin
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Relay for a server elsewhere: take its watched channels once, and feed viewers from here
    Relay(relay::Relay),
    /// Say what strangers would stumble over: addresses, blocked ports, certificates, files and limits
    Check(Box<check::Check>),
    /// Copy the database to a file, also while the server runs
    Backup(backup::Backup),
    /// Print completions for a shell
    Completions(manual::Completions),
    /// Print the manual page, for man(1)
    Man(manual::Man),
}

/// Does what was asked for, with the settings that were loaded.
pub(crate) fn run(loaded: Loaded) -> anyhow::Result<()> {
    if loaded.print_config {
        return print(&loaded.printed());
    }
    match &loaded.command {
        Command::Serve(serve) => serve::run(serve.config.clone(), loaded),
        Command::Channel(channel) => channel::run(channel),
        Command::Invite(invite) => invite::run(invite),
        Command::Ban(ban) => ban::run(ban),
        Command::Admin(admin) => admin::run(admin),
        Command::Check(check) => check::run(check),
        Command::Backup(backup) => backup::run(backup),
        Command::Relay(relay) => relay::run(relay),
        Command::Completions(wanted) => {
            manual::completions(wanted);
            Ok(())
        }
        Command::Man(wanted) => manual::page(wanted),
    }
}

/// Whoever started the program may have stopped listening.
fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// The log goes to standard error, without colours unless somebody looks at them.
fn log() -> SubscriberBuilder<DefaultFields, Format, EnvFilter, fn() -> Stderr> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr as fn() -> Stderr);
    if stderr().is_terminal() { log } else { log.with_ansi(false) }
}
