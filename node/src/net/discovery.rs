//! Who could be connected to, and when to try: an address book and its schedule.
//!
//! Pure: the time is passed in, and jitter comes from a seed. Addresses are hints from anybody on the network; the
//! transport proves who answers there.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

mod places;
mod ways;

#[cfg(test)]
mod tests;

pub use self::places::MAX_PLACES;
use super::names::ByName;
use super::shape::{MAX_OUTGOING, MAX_OUTGOING_NEAR};
use crate::control::Found;

/// Peers in the book: a unit of 1,000, and some strangers.
const MAX_PEERS: usize = 1024;

/// Addresses kept of one peer: a few interfaces with two transports each.
const MAX_ADDRESSES: usize = 8;

/// Strangers dialled and connected that way: they may be members that joined lately, or anything else on the network.
const MAX_OUTGOING_STRANGERS: usize = 4;

/// The first wait before dialling again; it doubles with every failure.
const MIN_BACKOFF: Duration = Duration::from_secs(1);

/// The longest wait before dialling again.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// The wait before dialling a node again that has nothing in common with this one.
const REFUSED_BACKOFF: Duration = Duration::from_secs(600);

/// How much later the higher of two peer ids dials: the lower one's connection is there by then.
const HIGHER_DELAY: Duration = Duration::from_secs(2);

/// How much a connection to a peer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A carrier, or a member of a group of one's own.
    Near,
    /// Another member of the unit.
    Member,
    /// Not in the roster.
    Stranger,
}

/// What is to be dialled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A peer, at any of its addresses.
    Peer(PeerId),
    /// An address given by the user, perhaps with a host's name in it, whoever answers.
    Standing(Multiaddr),
}

/// The address book.
#[derive(Debug)]
pub(crate) struct Book {
    me: PeerId,
    seed: u64,
    own: BTreeSet<Multiaddr>,
    peers: BTreeMap<PeerId, Entry>,
    standing: BTreeMap<Multiaddr, Standing>,
    places_changed: bool,
}

#[derive(Debug)]
struct Entry {
    class: Class,
    /// The most promising first: the one that answered last, then the newest.
    addresses: Vec<Multiaddr>,
    /// Whether the peer has answered at the first of them.
    proven: bool,
    /// Where it could be reached when last met.
    good: Vec<Multiaddr>,
    state: State,
    failures: u32,
    /// How it was found; there are four ways.
    found: BTreeSet<Found>,
    seen: Instant,
    /// No dial before this, whatever is heard of the peer.
    rested: Instant,
}

#[derive(Debug)]
struct Standing {
    /// Who answered there last.
    peer: Option<PeerId>,
    state: State,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle { due: Instant },
    Dialling,
    Connected { dialled: bool },
}

impl Book {
    /// Opens an empty book for a node; the seed makes its waits differ from other nodes'.
    pub(crate) fn new(me: PeerId, seed: u64) -> Self {
        Self {
            me,
            seed,
            own: BTreeSet::new(),
            peers: BTreeMap::new(),
            standing: BTreeMap::new(),
            places_changed: false,
        }
    }

    /// Adds an address that is to be dialled until somebody answers, and again when that peer is gone.
    pub(crate) fn stand(&mut self, address: Multiaddr, now: Instant) {
        let standing = Standing { peer: None, state: State::Idle { due: now }, failures: 0 };
        self.standing.entry(address).or_insert(standing);
    }

    /// Notes an address as the node's own, which it need not dial.
    pub(crate) fn add_own(&mut self, address: Multiaddr) {
        self.own.insert(address);
    }

    /// Forgets an address of the node's own.
    pub(crate) fn remove_own(&mut self, address: &Multiaddr) {
        self.own.remove(address);
    }

    /// Notes where a peer is said to be, the best address first.
    ///
    /// Anybody can say so; no number of hints displaces the address at which the peer has answered.
    /// Loopback addresses say something only to a node on the same machine, so they count only where the hint itself
    /// came over loopback.
    pub(crate) fn learn(
        &mut self,
        peer: PeerId,
        class: Class,
        addresses: impl IntoIterator<Item = Multiaddr>,
        loopback: bool,
        now: Instant,
    ) {
        if peer == self.me {
            return;
        }
        let mut hints: Vec<Multiaddr> = addresses
            .into_iter()
            .filter_map(|address| dialable(&address, loopback))
            .filter(|address| !self.own.contains(address))
            .collect();
        if hints.is_empty() || !self.make_room(peer, class) {
            return;
        }
        let due = now + self.politeness(&peer);
        let entry = self.peers.entry(peer).or_insert_with(|| Entry::new(class, due, now));
        entry.class = class;
        entry.seen = now;
        hints.retain(|hint| !entry.addresses.contains(hint));
        if hints.is_empty() {
            return;
        }
        let at = usize::from(entry.proven);
        entry.addresses.splice(at..at, hints);
        entry.addresses.truncate(MAX_ADDRESSES);
        // Somebody who is at a new place may well answer there, however often the old one failed.
        let due = due.max(entry.rested);
        if let State::Idle { due: planned } = &mut entry.state {
            *planned = due.min(*planned);
        }
    }

    /// Weighs every peer anew, after a change of the roster.
    pub(crate) fn reclassify(&mut self, class: impl Fn(&PeerId) -> Class) {
        for (peer, entry) in &mut self.peers {
            let class = class(peer);
            self.places_changed |= class != entry.class && !entry.good.is_empty();
            entry.class = class;
        }
    }

    /// Returns what is to be dialled now, and takes it as being dialled.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(Target, Vec<Multiaddr>)> {
        let mut dials = Vec::new();
        for (address, standing) in &mut self.standing {
            let connected = standing.peer.is_some_and(|peer| {
                self.peers.get(&peer).is_some_and(|entry| matches!(entry.state, State::Connected { .. }))
            });
            if !connected && standing.state.is_due(now) {
                standing.state = State::Dialling;
                dials.push((Target::Standing(address.clone()), vec![address.clone()]));
            }
        }
        let mut slots = Slots::default();
        for entry in self.peers.values().filter(|entry| entry.state.is_outgoing()) {
            slots.take(entry.class);
        }
        let mut candidates: Vec<(Class, u64, PeerId)> = self
            .peers
            .iter()
            .filter(|(_, entry)| entry.state.is_due(now) && !entry.addresses.is_empty())
            .map(|(peer, entry)| (entry.class, self.noise(peer, 0), *peer))
            .collect();
        candidates.sort_unstable();
        for (class, _, peer) in candidates {
            let Some(entry) = self.peers.get_mut(&peer) else { continue };
            if slots.have_room(class) {
                slots.take(class);
                entry.state = State::Dialling;
                entry.rested = now + MIN_BACKOFF;
                dials.push((Target::Peer(peer), entry.addresses.clone()));
            }
        }
        dials
    }

    /// Notes that a connection to a peer is there: its own doing, or that of a dial and the address that answered.
    pub(crate) fn connected(
        &mut self,
        peer: PeerId,
        class: Class,
        dialled: Option<(&Target, &Multiaddr)>,
        now: Instant,
    ) {
        if let Some((Target::Standing(address), _)) = dialled
            && let Some(standing) = self.standing.get_mut(address)
        {
            standing.peer = Some(peer);
            // Due again as soon as the peer is gone.
            standing.state = State::Idle { due: now + MIN_BACKOFF };
        }
        // Whoever is connected belongs in the book; there are fewer connections than places.
        if !self.make_room(peer, Class::Near) {
            return;
        }
        let entry = self.peers.entry(peer).or_insert_with(|| Entry::new(class, now, now));
        entry.seen = now;
        let by_dial = matches!(dialled, Some((Target::Peer(_), _)));
        let was_dialled = matches!(entry.state, State::Connected { dialled: true });
        entry.state = State::Connected { dialled: by_dial || was_dialled };
        if let Some((_, address)) = dialled
            && let Some(address) = dialable(address, true)
        {
            entry.addresses.retain(|known| *known != address);
            entry.addresses.insert(0, address);
            entry.addresses.truncate(MAX_ADDRESSES);
            entry.proven = true;
        }
    }

    /// Notes that a peer has let this node in: its next absence is no failure.
    pub(crate) fn welcomed(&mut self, peer: &PeerId) {
        let failures = self.peers.get_mut(peer).map(|entry| &mut entry.failures);
        let standing = self.standing.values_mut().filter(|standing| standing.peer == Some(*peer));
        failures.into_iter().chain(standing.map(|standing| &mut standing.failures)).for_each(|failures| *failures = 0);
    }

    /// Notes that the last connection to a peer is gone; `refused` if it has nothing in common with this node.
    pub(crate) fn disconnected(&mut self, peer: PeerId, refused: bool, now: Instant) {
        let politeness = self.politeness(&peer);
        let failures = self.peers.get(&peer).map_or(0, |entry| entry.failures);
        let backoff = self.backoff(&peer, failures);
        for standing in self.standing.values_mut().filter(|standing| standing.peer == Some(peer)) {
            standing.failures = standing.failures.saturating_add(1);
            // The user wants this one: somebody else may answer there soon.
            standing.state = State::Idle { due: now + if refused { MAX_BACKOFF } else { backoff } };
        }
        let wait = if refused { REFUSED_BACKOFF } else { backoff };
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.failures = failures.saturating_add(1);
            entry.state = State::Idle { due: now + wait + politeness };
            if entry.addresses.is_empty() {
                self.peers.remove(&peer);
            }
        }
    }

    /// Notes that a dial has failed.
    pub(crate) fn failed(&mut self, target: &Target, now: Instant) {
        match target {
            Target::Peer(peer) => {
                let failures = self.peers.get(peer).map_or(0, |entry| entry.failures);
                let due = now + self.backoff(peer, failures) + self.politeness(peer);
                if let Some(entry) = self.peers.get_mut(peer)
                    && entry.state == State::Dialling
                {
                    entry.failures = failures.saturating_add(1);
                    entry.state = State::Idle { due };
                }
            }
            Target::Standing(address) => {
                let failures = self.standing.get(address).map_or(0, |standing| standing.failures);
                let due = now + self.backoff(address, failures);
                if let Some(standing) = self.standing.get_mut(address) {
                    standing.failures = failures.saturating_add(1);
                    standing.state = State::Idle { due };
                }
            }
        }
    }

    /// Strikes an address at which somebody else answers, or this node itself.
    pub(crate) fn strike(&mut self, target: &Target, address: &Multiaddr) {
        match target {
            Target::Peer(peer) => {
                if let Some(entry) = self.peers.get_mut(peer) {
                    let address = dialable(address, true);
                    entry.proven &= entry.addresses.first() != address.as_ref();
                    entry.addresses.retain(|known| Some(known) != address.as_ref());
                    if entry.addresses.is_empty() && !matches!(entry.state, State::Connected { .. }) {
                        self.peers.remove(peer);
                    }
                }
            }
            // A name may stand for somebody else tomorrow.
            Target::Standing(address) if ByName::parse(address).is_some() => {}
            Target::Standing(address) => {
                self.standing.remove(address);
            }
        }
    }

    /// Makes sure that a peer has a place in the book, at the cost of one that is worth no more.
    fn make_room(&mut self, peer: PeerId, class: Class) -> bool {
        if self.peers.contains_key(&peer) || self.peers.len() < MAX_PEERS {
            return true;
        }
        let idle = self.peers.iter().filter(|(_, entry)| matches!(entry.state, State::Idle { .. }));
        let Some((victim, worst)) = idle
            .map(|(peer, entry)| (*peer, entry))
            .max_by_key(|(_, entry)| (entry.class, std::cmp::Reverse(entry.seen)))
        else {
            return false;
        };
        if worst.class < class {
            return false;
        }
        self.peers.remove(&victim);
        true
    }

    /// Returns how long to let the other one dial first.
    fn politeness(&self, peer: &PeerId) -> Duration {
        if self.me < *peer { Duration::ZERO } else { HIGHER_DELAY }
    }

    /// Returns the wait after so many failures: doubling from the least to the most, give or take a quarter.
    fn backoff(&self, whom: &impl Hash, failures: u32) -> Duration {
        let wait = MIN_BACKOFF.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(MAX_BACKOFF);
        let quarter_ms = u64::try_from(wait.as_millis() / 4).unwrap_or(u64::MAX).max(1);
        let jitter = Duration::from_millis(self.noise(whom, failures.saturating_add(1)) % (2 * quarter_ms));
        wait + jitter - Duration::from_millis(quarter_ms)
    }

    fn noise(&self, whom: &impl Hash, round: u32) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, round).hash(&mut hasher);
        whom.hash(&mut hasher);
        hasher.finish()
    }
}

impl Entry {
    fn new(class: Class, due: Instant, now: Instant) -> Self {
        Self {
            class,
            addresses: Vec::new(),
            proven: false,
            good: Vec::new(),
            state: State::Idle { due },
            failures: 0,
            found: BTreeSet::new(),
            seen: now,
            rested: now,
        }
    }
}

impl State {
    fn is_due(self, now: Instant) -> bool {
        matches!(self, Self::Idle { due } if due <= now)
    }

    fn is_outgoing(self) -> bool {
        matches!(self, Self::Dialling | Self::Connected { dialled: true })
    }
}

/// Outgoing connections in use.
#[derive(Default)]
struct Slots {
    near: usize,
    members: usize,
    strangers: usize,
}

impl Slots {
    fn have_room(&self, class: Class) -> bool {
        let members_fit = self.near + self.members < MAX_OUTGOING;
        match class {
            Class::Near => members_fit && self.near < MAX_OUTGOING_NEAR,
            Class::Member => members_fit,
            Class::Stranger => self.strangers < MAX_OUTGOING_STRANGERS,
        }
    }

    fn take(&mut self, class: Class) {
        match class {
            Class::Near => self.near += 1,
            Class::Member => self.members += 1,
            Class::Stranger => self.strangers += 1,
        }
    }
}

/// Returns the address in the form in which it is dialled, if it can be: an IP address, and TCP or QUIC at a port.
pub(crate) fn dialable(address: &Multiaddr, loopback: bool) -> Option<Multiaddr> {
    let mut parts = address.iter();
    let host = parts.next()?;
    let ok = match host {
        Protocol::Ip4(ip) => {
            !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && (loopback || !ip.is_loopback())
        }
        Protocol::Ip6(ip) => {
            // Without the interface's name, a link-local address says nothing.
            !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local() && (loopback || !ip.is_loopback())
        }
        _ => false,
    };
    let transport = parts.next()?;
    let rest = match transport {
        Protocol::Tcp(port) if port != 0 => parts.next(),
        Protocol::Udp(port) if port != 0 && parts.next() == Some(Protocol::QuicV1) => parts.next(),
        _ => return None,
    };
    if !ok || !matches!(rest, None | Some(Protocol::P2p(_))) || parts.next().is_some() {
        return None;
    }
    let mut plain = Multiaddr::empty().with(host).with(transport);
    if matches!(plain.iter().nth(1), Some(Protocol::Udp(_))) {
        plain.push(Protocol::QuicV1);
    }
    Some(plain)
}
