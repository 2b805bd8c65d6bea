//! The doors: whether a connection is taken at all, before anything is said over it.
//!
//! They stand in place of the network library's own limits, which know neither hosts nor members and keep an entry for every
//! key that ever came: here a stranger that is one too many is turned away as soon as its key is known, one host's
//! unfinished handshakes leave room for the others', nobody begins them without end (`knocks.rs`), and nothing is kept of a
//! peer that is gone.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::{Multiaddr, PeerId};
use muster_roles::Roster;

use super::knocks::Knocks;
use super::links::MAX_STRANGERS;
use super::peer::role_key;
use super::shape::MAX_ESTABLISHED;
use super::translate::host;

/// Handshakes under way that others began; each takes a file, of which a process has 1,024 unless it is given more.
const MAX_HANDSHAKES: usize = 256;

/// Of these, from one host: members behind one address come one after the other, and eight hosts together fill no more.
const MAX_HANDSHAKES_PER_HOST: usize = 32;

/// Of all these, so many are only for hosts from which members have come: whoever has many addresses keeps none of them out.
const RESERVED_HANDSHAKES: usize = 64;

/// Hosts remembered from which members have come; the one that came longest ago is forgotten first.
const MAX_HOSTS: usize = 256;

/// Connections to one peer: two that dialled each other at the same moment, and one that is dead and not known to be.
const MAX_PER_PEER: usize = 3;

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TurnedAway {
    /// Too many have begun and not finished.
    #[error("too many handshakes under way")]
    Handshakes,
    /// One host has begun too many.
    #[error("too many handshakes under way from one host")]
    HandshakesOfHost,
    /// A host has begun too many of late, or hosts that nobody knows have.
    #[error("too many handshakes of late")]
    TooOften,
    /// The house is full.
    #[error("too many connections")]
    Full,
    /// The peer is connected already.
    #[error("too many connections to one peer")]
    SamePeer,
    /// Too many are here that are no members.
    #[error("too many strangers")]
    Strangers,
}

/// Who stands in the door, and who is in.
pub(crate) struct Doors {
    roster: Arc<Roster>,
    /// Where unfinished handshakes come from; an address that tells no host is one of its own.
    handshakes: BTreeMap<ConnectionId, Option<IpAddr>>,
    established: BTreeMap<ConnectionId, Guest>,
    /// Hosts from which members have come, the latest last.
    hosts: VecDeque<IpAddr>,
    knocks: Knocks,
}

struct Guest {
    peer: PeerId,
    is_member: bool,
}

impl Doors {
    /// Opens the doors for the members of a roster, and for a few others.
    pub(crate) fn new(roster: Arc<Roster>) -> Self {
        Self {
            roster,
            handshakes: BTreeMap::new(),
            established: BTreeMap::new(),
            hosts: VecDeque::new(),
            knocks: Knocks::default(),
        }
    }

    /// Puts another roster in force: whoever is in stays, as what it is now.
    pub(crate) fn adopt(&mut self, roster: Arc<Roster>) {
        self.roster = roster;
        for guest in self.established.values_mut() {
            guest.is_member = is_member(&self.roster, &guest.peer);
        }
    }

    fn begin(&mut self, id: ConnectionId, from: Option<IpAddr>, now: Instant) -> Result<(), TurnedAway> {
        let is_known = from.is_some_and(|host| self.hosts.contains(&host));
        let room = if is_known { MAX_HANDSHAKES } else { MAX_HANDSHAKES - RESERVED_HANDSHAKES };
        if self.handshakes.len() >= room {
            return Err(TurnedAway::Handshakes);
        }
        if self.handshakes.values().filter(|host| **host == from).count() >= MAX_HANDSHAKES_PER_HOST {
            return Err(TurnedAway::HandshakesOfHost);
        }
        if !self.knocks.take(from, is_known, now) {
            return Err(TurnedAway::TooOften);
        }
        self.handshakes.insert(id, from);
        Ok(())
    }

    fn admit(&mut self, id: ConnectionId, peer: PeerId, dialled: bool) -> Result<(), TurnedAway> {
        self.handshakes.remove(&id);
        if self.established.len() >= MAX_ESTABLISHED {
            return Err(TurnedAway::Full);
        }
        if self.established.values().filter(|guest| guest.peer == peer).count() >= MAX_PER_PEER {
            return Err(TurnedAway::SamePeer);
        }
        // Where this node dialled it wants to know who is there.
        let strangers = || self.established.values().filter(|guest| !guest.is_member).count();
        if !dialled && !is_member(&self.roster, &peer) && strangers() >= MAX_STRANGERS {
            return Err(TurnedAway::Strangers);
        }
        Ok(())
    }

    fn enter(&mut self, id: ConnectionId, peer: PeerId, from: Option<IpAddr>) {
        let is_member = is_member(&self.roster, &peer);
        if let Some(host) = from.filter(|_| is_member) {
            self.hosts.retain(|known| *known != host);
            self.hosts.push_back(host);
            if self.hosts.len() > MAX_HOSTS {
                self.hosts.pop_front();
            }
        }
        self.established.insert(id, Guest { peer, is_member });
    }

    fn leave(&mut self, id: ConnectionId) {
        self.handshakes.remove(&id);
        self.established.remove(&id);
    }
}

fn is_member(roster: &Roster, peer: &PeerId) -> bool {
    role_key(peer).is_some_and(|key| roster.member(&key).is_some())
}

impl NetworkBehaviour for Doors {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.begin(id, host(from), Instant::now()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(id, peer, false).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(id, peer, true).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let from = host(established.endpoint.get_remote_address());
                self.enter(established.connection_id, established.peer_id, from);
            }
            FromSwarm::ConnectionClosed(closed) => self.leave(closed.connection_id),
            FromSwarm::ListenFailure(failure) => self.leave(failure.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use muster_keys::Identity;
    use muster_roles::{Timestamp, found};

    use super::super::peer::peer_id;
    use super::*;

    fn doors() -> (Doors, PeerId) {
        let (chief, now) = (Identity::from_seed(&[1; 32]), Timestamp::from_ms(1_800_000_000_000));
        let (name, troops) = ("1st Brigade".parse().unwrap(), ["army:r".parse().unwrap()]);
        let documents = found(&name, &"Chief".parse().unwrap(), &chief, &troops, now).unwrap();
        let roster = Roster::from_documents(documents.iter().map(Vec::as_slice), now).unwrap();
        (Doors::new(Arc::new(roster)), peer_id(&chief.public()).unwrap())
    }

    fn id(n: usize) -> ConnectionId {
        ConnectionId::new_unchecked(n)
    }

    fn from(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn one_host_s_unfinished_handshakes_leave_room_for_the_others() {
        let (mut doors, _) = doors();
        let now = Instant::now();
        let begun = (0..1000).filter(|n| doors.begin(id(*n), from(1), now).is_ok()).count();
        assert_eq!(begun, MAX_HANDSHAKES_PER_HOST);
        assert_eq!(doors.begin(id(1001), from(1), now), Err(TurnedAway::HandshakesOfHost));
        doors.begin(id(1002), from(2), now).unwrap();
        // One that has come to nothing makes room.
        doors.leave(id(0));
        let later = now + Duration::from_secs(1);
        doors.begin(id(1003), from(1), later).unwrap();
        // But not for ever new ones.
        doors.leave(id(1003));
        let begun = (2000..3000).filter(|n| {
            let begun = doors.begin(id(*n), from(1), later).is_ok();
            doors.leave(id(*n));
            begun
        });
        assert_eq!(begun.count(), 3, "four a second");
        assert_eq!(doors.begin(id(3000), from(1), later), Err(TurnedAway::TooOften));
    }

    #[test]
    fn unfinished_handshakes_are_bounded_however_many_hosts_there_are() {
        let (mut doors, _) = doors();
        let begun = (0..=u8::MAX).flat_map(|host| (0..4).map(move |nth| (host, nth)));
        let now = Instant::now();
        let begun = begun.filter(|(host, nth)| doors.begin(id(usize::from(*host) * 4 + nth), from(*host), now).is_ok());
        assert_eq!(begun.count(), MAX_HANDSHAKES - RESERVED_HANDSHAKES);
    }

    #[test]
    fn a_host_from_which_a_member_has_come_finds_the_door_free_whoever_else_stands_there() {
        let (mut doors, chief) = doors();
        let now = Instant::now();
        doors.enter(id(0), chief, from(200));
        doors.leave(id(0));
        for n in 1..1000 {
            let _turned_away = doors.begin(id(n), from(u8::try_from(n % 100).unwrap()), now);
        }
        assert_eq!(doors.begin(id(1000), from(201), now), Err(TurnedAway::Handshakes));
        doors.begin(id(1001), from(200), now).unwrap();
    }

    #[test]
    fn the_hosts_of_members_are_bounded_and_the_latest_are_kept() {
        let (mut doors, chief) = doors();
        for n in 0..2 * MAX_HOSTS {
            let n = u16::try_from(n).unwrap().to_be_bytes();
            doors.enter(id(0), chief, Some(IpAddr::from([10, 1, n[0], n[1]])));
        }
        assert_eq!(doors.hosts.len(), MAX_HOSTS);
        assert_eq!(doors.hosts.back(), Some(&IpAddr::from([10, 1, 1, 255])));
    }

    #[test]
    fn strangers_beyond_their_number_are_turned_away_and_members_are_not() {
        let (mut doors, chief) = doors();
        let come = |doors: &mut Doors, n: usize, peer: PeerId, dialled| {
            doors.admit(id(n), peer, dialled).map(|()| doors.enter(id(n), peer, from(1)))
        };
        let admitted = (0..100).filter(|n| come(&mut doors, *n, PeerId::random(), false).is_ok()).count();
        assert_eq!(admitted, MAX_STRANGERS);
        assert_eq!(come(&mut doors, 200, PeerId::random(), false), Err(TurnedAway::Strangers));
        come(&mut doors, 201, PeerId::random(), true).unwrap();
        for n in 0..MAX_PER_PEER {
            come(&mut doors, 300 + n, chief, false).unwrap();
        }
        assert_eq!(come(&mut doors, 400, chief, false), Err(TurnedAway::SamePeer));
    }

    #[test]
    fn nothing_is_kept_of_who_is_gone() {
        let (mut doors, _) = doors();
        let start = Instant::now();
        for n in 0..1000 {
            let peer = PeerId::random();
            // At the pace of a host from which nobody has come.
            let now = start + Duration::from_millis(250) * u32::try_from(n).unwrap();
            doors.begin(id(n), from(1), now).unwrap();
            doors.admit(id(n), peer, false).unwrap();
            doors.enter(id(n), peer, from(1));
            doors.leave(id(n));
        }
        assert!(doors.handshakes.is_empty() && doors.established.is_empty() && doors.hosts.is_empty());
    }
}
