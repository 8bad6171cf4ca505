//! Whose request it is, for limits. The address goes no further.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::http::{PeerAddress, Site, origin};

/// The address that a request comes from.
pub(crate) struct Caller(pub(crate) IpAddr);

impl FromRequestParts<Site> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Infallible> {
        let connected = parts.extensions.get::<PeerAddress>();
        // Every connection has one; without, it counts as a household of its own.
        let connected = connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0);
        let config = site.shell.config();
        Ok(Caller(origin(connected, &parts.headers, |address| config.trusts(address))))
    }
}
