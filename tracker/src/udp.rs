//! The server's UDP ports: one answers STUN questions, one carries the links of hosted broadcasts.

use std::io;
use std::net::{IpAddr, SocketAddr};

use peer::transport::{Endpoint, EndpointConfig, EndpointError, StunConfig, StunServer};

/// From the STUN port to that of the links, unless told otherwise. 2: the port between is the uploader's default.
const LINKS_PORT_OFFSET: u16 = 2;

/// Where links are made when only the address for STUN is given: next to it, or anywhere if that is anywhere.
pub(crate) fn beside(stun: SocketAddr) -> SocketAddr {
    let port = match stun.port() {
        0 => 0,
        port => port.checked_add(LINKS_PORT_OFFSET).unwrap_or(0),
    };
    SocketAddr::new(stun.ip(), port)
}

/// Starts the STUN server.
pub(crate) async fn stun(address: SocketAddr) -> io::Result<StunServer> {
    StunServer::bind(StunConfig::new(address)).await
}

/// Binds the port for links.
pub(crate) async fn links(address: SocketAddr, announce: &[IpAddr]) -> Result<Endpoint, EndpointError> {
    Endpoint::bind(EndpointConfig { announce: announce.to_vec(), ..EndpointConfig::new(address) }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_beside_stun() {
        let at = |text: &str| beside(text.parse().unwrap()).to_string();
        assert_eq!(at("0.0.0.0:3478"), "0.0.0.0:3480");
        assert_eq!(at("127.0.0.1:0"), "127.0.0.1:0");
        assert_eq!(at("[::]:65535"), "[::]:0");
    }
}
