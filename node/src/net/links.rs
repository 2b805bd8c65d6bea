//! The connections there are, how far each has come, and what the peers have said of themselves.
//!
//! Pure: the time is passed in, and what follows is left to the caller.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use muster_keys::PublicKey;

#[cfg(test)]
mod tests;

/// How long a connection may stay without being admitted; a stranger's is gone within 10 seconds whatever it does.
const PROBATION: Duration = Duration::from_secs(8);

/// How long a last word is given to arrive: a connection closed at once takes it along.
const REFUSAL_GRACE: Duration = Duration::from_secs(1);

/// How long the documents that removed a member are given to arrive: a slow device looks up what it lacks and asks for it.
const EXPULSION_GRACE: Duration = Duration::from_secs(3);

/// How long an admitted peer may take to tell its topics; one that does not is connected to anew.
const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// Strangers' connections at a time.
pub(crate) const MAX_STRANGERS: usize = 16;

/// Requests that a connection may make before it is admitted: a few hellos and fetches as rosters change.
const MAX_REQUESTS: u32 = 8;

/// Requests that an admitted peer may make in each [`REQUEST_WINDOW`]; a hello follows every change of a roster.
const MAX_MEMBER_REQUESTS: u32 = 64;

/// The time over which an admitted peer's requests are counted.
const REQUEST_WINDOW: Duration = Duration::from_secs(10);

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Only hellos go over it.
    Hello,
    /// Its gate is being opened at this end.
    Attached,
    /// Its gate is open at this end.
    Open,
    /// Its gate is open at both ends.
    Speaking,
    /// It is being closed.
    Closing,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    /// The other end.
    pub(crate) peer: PeerId,
    /// The other end's role key, if it can be one.
    pub(crate) key: Option<PublicKey>,
    /// Where the other end is.
    pub(crate) host: Option<IpAddr>,
    /// How far it has come.
    pub(crate) stage: Stage,
    member: bool,
    /// Until when it must be admitted.
    deadline: Instant,
    attached: Option<Instant>,
    /// Whether it was admitted and the peer is a member no more.
    expelled: bool,
    /// Since when the other end has its gate shut, though this end knows nothing against it.
    shut_out: Option<Instant>,
    heard: bool,
    incarnation: Option<u64>,
    requests: u32,
    window: Instant,
}

/// What a peer has said of itself, while it is connected.
#[derive(Debug, Default)]
pub(crate) struct Note {
    /// The digest of its roster.
    pub(crate) digest: Option<[u8; 32]>,
    /// Where it listens.
    pub(crate) listen: Vec<Multiaddr>,
    /// Its digest and the own one at the last fetch: between the same two rosters, one is enough.
    pub(crate) fetched: Option<([u8; 32], [u8; 32])>,
    /// How often it has been fetched from.
    pub(crate) fetches: u32,
    /// What its clock showed and what this device's showed then, until that is reported.
    pub(crate) clock: Option<(u64, u64)>,
    /// Its roster's version, until that is reported.
    pub(crate) version: Option<u64>,
    /// The last of the peers that it has been told of; the next hello goes on from there.
    pub(crate) told: Option<PeerId>,
}

/// Every connection, and a note on every connected peer.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: BTreeMap<ConnectionId, Link>,
    notes: BTreeMap<PeerId, Note>,
}

impl Link {
    /// Returns whether both ends are on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.is_some_and(|host| host.is_loopback())
    }
}

impl Links {
    /// Takes in a new connection; false if it is one stranger too many, and to be closed.
    #[must_use]
    pub(crate) fn open(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        key: Option<PublicKey>,
        member: bool,
        host: Option<IpAddr>,
        now: Instant,
    ) -> bool {
        let strangers = self.links.values().filter(|link| !link.member && link.stage != Stage::Closing).count();
        let fits = member || strangers < MAX_STRANGERS;
        let link = Link {
            peer,
            key,
            host,
            stage: if fits { Stage::Hello } else { Stage::Closing },
            member,
            deadline: now + PROBATION,
            attached: None,
            expelled: false,
            shut_out: None,
            heard: false,
            incarnation: None,
            requests: 0,
            window: now,
        };
        self.links.insert(id, link);
        self.notes.entry(peer).or_default();
        fits
    }

    /// Takes out a connection that is gone.
    pub(crate) fn close(&mut self, id: ConnectionId) -> Option<Link> {
        let link = self.links.remove(&id)?;
        if !self.links.values().any(|other| other.peer == link.peer) {
            self.notes.remove(&link.peer);
        }
        Some(link)
    }

    /// Returns a connection.
    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Link> {
        self.links.get(&id)
    }

    /// Returns every connection.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Link)> {
        self.links.iter().map(|(id, link)| (*id, link))
    }

    /// Returns every connected peer and what is noted of it.
    pub(crate) fn peers(&self) -> impl Iterator<Item = (PeerId, &Note)> {
        self.notes.iter().map(|(peer, note)| (*peer, note))
    }

    /// Returns the note on a connected peer.
    pub(crate) fn note_mut(&mut self, peer: &PeerId) -> Option<&mut Note> {
        self.notes.get_mut(peer)
    }

    /// Returns a peer's connections that are not being closed.
    pub(crate) fn of_peer(&self, peer: PeerId) -> impl Iterator<Item = (ConnectionId, &Link)> {
        self.iter().filter(move |(_, link)| link.peer == peer && link.stage != Stage::Closing)
    }

    /// Returns whether gossip flows between a peer and this node.
    pub(crate) fn is_speaking(&self, peer: PeerId) -> bool {
        self.of_peer(peer).any(|(_, link)| link.stage == Stage::Speaking)
    }

    /// Brings a connection forward, never back.
    pub(crate) fn advance(&mut self, id: ConnectionId, stage: Stage, now: Instant) {
        let Some(link) = self.links.get(&id) else { return };
        let heard = self.of_peer(link.peer).any(|(_, link)| link.heard);
        let Some(link) = self.links.get_mut(&id) else { return };
        if stage == Stage::Attached && link.stage == Stage::Hello {
            link.attached = Some(now);
            link.heard = heard;
        }
        link.stage = link.stage.max(stage);
    }

    /// Notes that a peer has told its topics.
    pub(crate) fn heard(&mut self, peer: PeerId) {
        self.links.values_mut().filter(|link| link.peer == peer).for_each(|link| link.heard = true);
    }

    /// Notes which process is at the other end; returns the peer's connections to an earlier one, which are dead.
    pub(crate) fn incarnate(&mut self, id: ConnectionId, incarnation: u64) -> Vec<ConnectionId> {
        let Some(link) = self.links.get_mut(&id) else { return Vec::new() };
        link.incarnation = Some(incarnation);
        let peer = link.peer;
        let is_earlier = |link: &Link| link.incarnation.is_some_and(|other| other != incarnation);
        self.of_peer(peer).filter(|(_, link)| is_earlier(link)).map(|(id, _)| id).collect()
    }

    /// Leaves a connection no longer than it takes to be told why.
    pub(crate) fn dismiss(&mut self, id: ConnectionId, now: Instant) {
        if let Some(link) = self.links.get_mut(&id) {
            link.deadline = link.deadline.min(now + REFUSAL_GRACE);
        }
    }

    /// Counts a request; false if the connection has made too many.
    #[must_use]
    pub(crate) fn count_request(&mut self, id: ConnectionId, now: Instant) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let admitted = link.attached.is_some();
        if admitted && now.saturating_duration_since(link.window) >= REQUEST_WINDOW {
            link.window = now;
            link.requests = 0;
        }
        link.requests = link.requests.saturating_add(1);
        link.stage != Stage::Closing && link.requests <= if admitted { MAX_MEMBER_REQUESTS } else { MAX_REQUESTS }
    }

    /// Looks up again who is a member.
    pub(crate) fn reclassify(&mut self, is_member: impl Fn(&PublicKey) -> bool) {
        for link in self.links.values_mut() {
            link.member = link.key.as_ref().is_some_and(&is_member);
        }
    }

    /// Takes back a connection's admission; it lasts as long as a last word may take.
    pub(crate) fn expel(&mut self, id: ConnectionId, now: Instant) {
        if let Some(link) = self.links.get_mut(&id) {
            link.stage = Stage::Hello;
            link.attached = None;
            link.expelled = true;
            link.deadline = now + EXPULSION_GRACE;
            link.requests = 0;
        }
    }

    /// Notes that the other end has shut its gate: it may be about to tell why, and is left as long as that may take.
    pub(crate) fn shut_out(&mut self, id: ConnectionId, now: Instant) {
        if let Some(link) = self.links.get_mut(&id) {
            link.shut_out.get_or_insert(now);
        }
    }

    /// Tells whether a connection is kept for nothing but a last word.
    pub(crate) fn is_expelled(&self, id: ConnectionId) -> bool {
        self.links.get(&id).is_some_and(|link| link.expelled)
    }

    /// Returns admitted connections whose peers are members no more.
    pub(crate) fn expelled(&self) -> Vec<ConnectionId> {
        self.ids(|link| link.attached.is_some() && !link.member)
    }

    /// Returns connections that have had their time: not admitted yet, silent since, or shut at the other end.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<ConnectionId> {
        let has_passed = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        self.ids(|link| match link.attached {
            _ if link.shut_out.is_some_and(|since| has_passed(since, EXPULSION_GRACE)) => true,
            None => now >= link.deadline,
            Some(attached) => !link.heard && has_passed(attached, SILENCE_LIMIT),
        })
    }

    fn ids(&self, wanted: impl Fn(&Link) -> bool) -> Vec<ConnectionId> {
        self.iter().filter(|(_, link)| link.stage != Stage::Closing && wanted(link)).map(|(id, _)| id).collect()
    }
}
