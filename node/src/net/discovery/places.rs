//! Where members could be reached last: the part of the book that outlives the process.

use std::time::Instant;

use libp2p::{Multiaddr, PeerId};

use super::{Book, Class, dialable};
use crate::engine::hello::MAX_PEER_ADDRESSES;

/// Members remembered; the ones met last.
pub const MAX_PLACES: usize = 256;

/// Addresses remembered of each: as many as others are told.
const MAX_GOOD: usize = MAX_PEER_ADDRESSES;

impl Book {
    /// Notes where a connected peer can be reached again: where it has answered, or where it says itself that it
    /// listens, if it came from there. What others say of it is no more than a hint.
    pub(crate) fn reachable(&mut self, peer: &PeerId, told: &[Multiaddr]) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        let answered = entry.addresses.iter().take(usize::from(entry.proven));
        let mut good: Vec<Multiaddr> = Vec::with_capacity(MAX_GOOD);
        for address in answered.chain(told) {
            if good.len() < MAX_GOOD && !good.contains(address) {
                good.push(address.clone());
            }
        }
        if !good.is_empty() && good != entry.good {
            entry.good = good;
            self.places_changed = true;
        }
    }

    /// Takes in where a member could be reached when the node last ran.
    pub(crate) fn recall(&mut self, peer: PeerId, class: Class, addresses: &[Multiaddr], now: Instant) {
        if class == Class::Stranger {
            return;
        }
        let mut good: Vec<Multiaddr> = addresses.iter().filter_map(|address| dialable(address, true)).collect();
        good.truncate(MAX_GOOD);
        self.learn(peer, class, good.clone(), true, now);
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.good = good;
        }
    }

    /// Returns where members could be reached last, those met last first, if that has changed since it was last asked.
    pub(crate) fn changed_places(&mut self) -> Option<Vec<(PeerId, Vec<Multiaddr>)>> {
        if !std::mem::take(&mut self.places_changed) {
            return None;
        }
        let mut known: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, entry)| entry.class != Class::Stranger && !entry.good.is_empty())
            .map(|(peer, entry)| (entry.seen, *peer, entry.good.clone()))
            .collect();
        known.sort_by_key(|(seen, ..)| std::cmp::Reverse(*seen));
        Some(known.into_iter().take(MAX_PLACES).map(|(_, peer, good)| (peer, good)).collect())
    }
}
