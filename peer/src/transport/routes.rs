//! Which link a datagram belongs to: by the ICE user name we gave out, then by remote address.
//!
//! Pure bookkeeping: no socket, no parsing.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::sync::mpsc;

use super::socket::Inbound;

/// Links that may share one remote address: a peer that restarts on the same port, and its predecessor.
const LINKS_PER_ADDRESS_MAX: usize = 4;

/// A link's number within its endpoint, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LinkId(u64);

/// The table behind the one socket.
pub(super) struct Routes {
    next: u64,
    links_max: usize,
    addresses_max: usize,
    links: HashMap<LinkId, Route>,
    by_ufrag: HashMap<String, LinkId>,
    /// The first link of an address gets its DTLS; all of them get STUN responses.
    by_address: HashMap<SocketAddr, Vec<LinkId>>,
}

struct Route {
    ufrag: String,
    inbox: mpsc::Sender<Inbound>,
    addresses: Vec<SocketAddr>,
}

impl Routes {
    /// An empty table with room for `links_max` links of `addresses_max` remote addresses each.
    pub(super) fn new(links_max: usize, addresses_max: usize) -> Self {
        Self {
            next: 0,
            links_max,
            addresses_max,
            links: HashMap::new(),
            by_ufrag: HashMap::new(),
            by_address: HashMap::new(),
        }
    }

    /// Adds a link that announces `ufrag`; `None` when the table is full.
    pub(super) fn add(&mut self, ufrag: String, inbox: mpsc::Sender<Inbound>) -> Option<LinkId> {
        if self.links.len() >= self.links_max || self.by_ufrag.contains_key(&ufrag) {
            return None;
        }
        let id = LinkId(self.next);
        self.next += 1;
        self.by_ufrag.insert(ufrag.clone(), id);
        self.links.insert(id, Route { ufrag, inbox, addresses: Vec::new() });
        Some(id)
    }

    /// Forgets a link and everything that leads to it.
    pub(super) fn remove(&mut self, id: LinkId) {
        let Some(route) = self.links.remove(&id) else { return };
        self.by_ufrag.remove(&route.ufrag);
        for address in route.addresses {
            if let Some(links) = self.by_address.get_mut(&address) {
                links.retain(|link| *link != id);
                if links.is_empty() {
                    self.by_address.remove(&address);
                }
            }
        }
    }

    /// Number of links.
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// Lets STUN from `address` reach the link, and DTLS when no other link has it. False when the link has
    /// too many addresses, or the address too many links.
    pub(super) fn associate(&mut self, id: LinkId, address: SocketAddr) -> bool {
        let Some(route) = self.links.get_mut(&id) else { return false };
        if route.addresses.contains(&address) {
            return true;
        }
        let neighbors = self.by_address.get(&address).map_or(0, Vec::len);
        if route.addresses.len() >= self.addresses_max || neighbors >= LINKS_PER_ADDRESS_MAX {
            return false;
        }
        route.addresses.push(address);
        self.by_address.entry(address).or_default().push(id);
        true
    }

    /// Gives the DTLS of `address` to this link. For addresses that have passed a connectivity check.
    pub(super) fn claim(&mut self, id: LinkId, address: SocketAddr) {
        if self.associate(id, address)
            && let Some(links) = self.by_address.get_mut(&address)
            && let Some(place) = links.iter().position(|link| *link == id)
        {
            links.swap(0, place);
        }
    }

    /// A connectivity check for the link that announced `ufrag`.
    pub(super) fn deliver_check(&mut self, ufrag: &str, datagram: Inbound) {
        if let Some(&id) = self.by_ufrag.get(ufrag)
            && self.associate(id, datagram.from)
        {
            self.put(id, datagram);
        }
    }

    /// A STUN response, for whichever link asked.
    pub(super) fn deliver_response(&self, datagram: Inbound) {
        let Some(links) = self.by_address.get(&datagram.from) else { return };
        for &id in links {
            let Inbound { from, to, bytes } = &datagram;
            self.put(id, Inbound { from: *from, to: *to, bytes: bytes.clone() });
        }
    }

    /// Anything else, for the link that has the address.
    pub(super) fn deliver(&self, datagram: Inbound) {
        if let Some(&id) = self.by_address.get(&datagram.from).and_then(|links| links.first()) {
            self.put(id, datagram);
        }
    }

    /// A full inbox loses the datagram, like a full queue in the network.
    fn put(&self, id: LinkId, datagram: Inbound) {
        if let Some(route) = self.links.get(&id) {
            let _ = route.inbox.try_send(datagram);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn datagram(port: u16) -> Inbound {
        Inbound { from: address(port), to: None, bytes: BytesMut::from(&b"x"[..]) }
    }

    fn link(routes: &mut Routes, ufrag: &str) -> (LinkId, mpsc::Receiver<Inbound>) {
        let (inbox, receiver) = mpsc::channel(8);
        (routes.add(ufrag.to_owned(), inbox).unwrap(), receiver)
    }

    #[test]
    fn a_check_opens_the_way_for_what_follows() {
        let mut routes = Routes::new(8, 8);
        let (_, mut inbox) = link(&mut routes, "alpha");
        routes.deliver(datagram(1));
        assert!(inbox.try_recv().is_err());
        routes.deliver_check("alpha", datagram(1));
        routes.deliver(datagram(1));
        assert!(inbox.try_recv().is_ok() && inbox.try_recv().is_ok());
    }

    #[test]
    fn a_second_link_of_the_same_address_sees_responses_and_can_take_it_over() {
        let mut routes = Routes::new(8, 8);
        let (_, mut old) = link(&mut routes, "old");
        let (id, mut new) = link(&mut routes, "new");
        routes.deliver_check("old", datagram(1));
        routes.deliver_check("new", datagram(1));
        routes.deliver_response(datagram(1));
        routes.deliver(datagram(1));
        assert_eq!((old.len(), new.len()), (3, 2));
        routes.claim(id, address(1));
        routes.deliver(datagram(1));
        assert_eq!((old.len(), new.len()), (3, 3));
        old.close();
        new.close();
    }

    #[test]
    fn links_and_addresses_are_bounded_and_forgotten() {
        let mut routes = Routes::new(1, 2);
        let (id, inbox) = link(&mut routes, "alpha");
        assert!(routes.add("beta".to_owned(), mpsc::channel(1).0).is_none());
        (1..=5).for_each(|port| routes.deliver_check("alpha", datagram(port)));
        assert_eq!(inbox.len(), 2);
        routes.remove(id);
        assert!(routes.by_address.is_empty() && routes.by_ufrag.is_empty() && routes.len() == 0);
    }
}
