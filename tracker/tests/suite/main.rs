//! The server as its users meet it: over real sockets, in the words of the protocol.

// In a test a panic is the message.
#![allow(clippy::unwrap_used)]

mod acme;
mod admin;
mod api;
mod bans;
mod certificates;
mod chat;
mod command_line;
mod configured;
mod floods;
mod hooks;
mod hosted;
mod hostile;
mod logs;
mod metrics;
mod pages;
mod relay;
mod relays;
mod rules;
mod sessions;
mod support;
mod tls;
mod tokens;
