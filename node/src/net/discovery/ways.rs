//! How the peers in the book were found.

use std::collections::BTreeSet;

use libp2p::PeerId;

use super::Book;
use crate::control::Found;

impl Book {
    /// Notes how a peer was found; returns whether that is news.
    pub(crate) fn note_found(&mut self, peer: &PeerId, found: Found) -> bool {
        self.peers.get_mut(peer).is_some_and(|entry| entry.found.insert(found))
    }

    /// Returns how a peer was found, in every way that it was.
    pub(crate) fn found(&self, peer: &PeerId) -> BTreeSet<Found> {
        self.peers.get(peer).map(|entry| entry.found.clone()).unwrap_or_default()
    }
}
