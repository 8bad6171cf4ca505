//! The server as its users meet it: over real sockets, in the words of the protocol.

mod hostile;
mod pages;
mod relay;
mod sessions;
mod support;
