//! The server's UDP port: answers STUN questions, and carries the links of hosted broadcasts.

use std::net::{IpAddr, SocketAddr};

use peer::transport::{Endpoint, EndpointConfig, EndpointError};

/// Binds the port. `None` stays none.
pub(crate) async fn bind(
    address: Option<SocketAddr>,
    announce: &[IpAddr],
) -> Result<Option<Endpoint>, EndpointError> {
    let Some(address) = address else { return Ok(None) };
    let config = EndpointConfig { announce: announce.to_vec(), ..EndpointConfig::new(address) };
    Endpoint::bind(config).await.map(Some)
}
