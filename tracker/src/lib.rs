//! The server: pages, the channel list, signalling sessions, matching, the relay, STUN and hosted ingest.
//!
//! It decides nothing about swarms itself. Each channel has one task that owns two pure values, the
//! [`swarm::Roster`] (who feeds whom) and a relay's [`swarm::Swarm`] (what to send on), and feeds them with what
//! its sessions read; the rest of the crate is sockets, files and limits.
//!
//! ```text
//!   browser ── WebSocket ── session ──┐                 ┌── Roster
//!                                     ├── channel task ─┤
//!   uploader ─ WebSocket ── session ──┘     (one each)  └── relay Swarm
//! ```

mod admin;
mod answering;
mod api;
mod assets;
mod bans;
mod budget;
mod cards;
mod channel;
mod chat;
pub mod check;
mod config;
mod connection;
mod delegations;
mod directory;
mod egress;
mod embedding;
mod encoder_settings;
mod figures;
mod firewall;
mod history;
mod hooks;
mod hosted;
mod http;
mod ingest_health;
mod lately;
mod ledger;
mod machine;
mod members;
mod metrics;
mod modules;
mod opening;
mod outbox;
mod outpost;
mod ports;
mod pulse;
mod rate;
mod refusals;
mod relays;
mod seeing;
mod server;
mod session;
pub mod settings;
mod shell;
mod stills;
mod store;
mod template;
mod tls;
pub mod tokens;
mod turn;
mod udp;
pub mod websocket;

pub use admin::AdminToken;
pub use config::{
    Config, HookConfig, Limits, NEED_RESTART, Prefix, PrivateAddresses, Registration, TlsConfig, WebAddress,
};
pub use hooks::HooksError;
pub use outpost::{Outpost, OutpostConfig, OutpostError};
pub use seeing::{LogFormat, MetricsAccess, Seeing, Token};
pub use server::{Server, ServerError};
pub use store::settings as channel_settings;
pub use store::{
    Ban, Banned, Channel, Database, HostedChannel, JoinSecret, NewBan, NewChannel, Poster, Records, Right,
    StoreError, StreamKeyId, StreamKeyInfo, StreamKeyOwner, create_hosted, invite, prefix as address_prefix,
    remove_named, renew_join_secret, setup_link,
};
pub use tls::TlsError;
