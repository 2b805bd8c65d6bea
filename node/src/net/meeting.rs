//! How two nodes come to terms over a connection: hellos, roster documents, and the opening of the gate.

use std::time::Instant;

use libp2p::multiaddr::Protocol;
use libp2p::request_response::{OutboundFailure, OutboundRequestId, ResponseChannel};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use muster_keys::PublicKey;

use super::clock;
use super::discovery::{Class, dialable};
use super::links::{Link, Stage};
use super::peer::{Named, peer_id, role_key};
use super::task::Task;
use super::translate::host;
use super::{Event, Place};
use crate::engine::hello::{
    self, Address, Hello, Judgement, MAX_LISTEN, MAX_PEER_ADDRESSES, MAX_PEERS, Request, Response,
};

/// Fetches under way at a time; a change that everybody has is fetched from one or two.
const MAX_FETCHES: usize = 2;

/// Fetches from a stranger while it is connected: one brings what makes it a member, if anything does.
const MAX_STRANGER_FETCHES: u32 = 3;

/// What a peer has been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Who it is.
    Hello {
        /// When it was asked.
        asked: Instant,
    },
    /// Its roster documents.
    Fetch,
}

impl Task {
    /// Introduces this node to a connected peer.
    pub(super) fn say_hello(&mut self, peer: PeerId) {
        // Without a connection the request would make one, past the book.
        if self.links.of_peer(peer).next().is_none() {
            return;
        }
        let hello = self.introduction(peer);
        let id = self.swarm.behaviour_mut().hello.send_request(&peer, Request::Hello(hello));
        self.asked.insert(id, Ask::Hello { asked: Instant::now() });
    }

    /// Answers a peer's request.
    pub(super) fn on_asked(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        request: Request,
        channel: ResponseChannel<Response>,
    ) {
        let Some(key) = self.links.get(connection).and_then(|link| link.key) else {
            // No member can have such a key.
            return self.shut(connection);
        };
        if !self.links.count_request(connection, Instant::now()) {
            tracing::debug!(peer = %Named(&peer), "too many requests");
            if self.class(&peer) == Class::Stranger {
                self.shut(connection);
            }
            return;
        }
        match request {
            Request::Hello(hello) => self.on_hello(peer, key, connection, &hello, channel),
            Request::Fetch { have } => self.respond(channel, hello::answer_fetch(&self.roster, &key, &have)),
        }
    }

    fn on_hello(
        &mut self,
        peer: PeerId,
        key: PublicKey,
        connection: ConnectionId,
        hello: &Hello,
        channel: ResponseChannel<Response>,
    ) {
        let Judgement::SameUnit { admit, fetch } = hello::judge(&self.roster, &key, hello) else {
            self.refused.insert(peer);
            self.links.dismiss(connection, Instant::now());
            return self.respond(channel, Response::Refused);
        };
        self.take_note(peer, connection, hello, admit);
        let admitted = admit && self.attach(connection, false);
        let response = Response::Hello { hello: self.introduction(peer), admitted };
        match self.links.get(connection).map(|link| link.stage) {
            // The peer's first gossip must find the gate open.
            Some(Stage::Attached) => self.answers.entry(connection).or_default().push((channel, response)),
            _ => self.respond(channel, response),
        }
        if fetch {
            self.fetch(peer);
        }
    }

    /// Takes in a peer's response.
    pub(super) fn on_answered(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        id: OutboundRequestId,
        response: Response,
    ) {
        let Some(key) = role_key(&peer) else { return self.shut(connection) };
        match (self.asked.remove(&id), response) {
            (Some(Ask::Hello { asked }), Response::Hello { hello, admitted }) => {
                let Judgement::SameUnit { admit, fetch } = hello::judge(&self.roster, &key, &hello) else {
                    return self.refuse(peer, connection);
                };
                self.take_note(peer, connection, &hello, admit);
                self.tell_clock(key, hello.clock_ms, clock::middle_of(asked));
                if admit && admitted {
                    self.attach(connection, true);
                }
                if fetch {
                    self.fetch(peer);
                }
            }
            (Some(Ask::Hello { .. }), Response::Refused) => self.refuse(peer, connection),
            (Some(Ask::Fetch), Response::Documents(documents)) => {
                tracing::debug!(peer = %Named(&peer), documents = documents.len(), "fetched");
                if !documents.is_empty() && !self.reports.documents(documents) {
                    self.forget_fetch(&peer);
                }
            }
            // It does not know this node, and will know it once it has fetched from here.
            (Some(Ask::Fetch), Response::Refused) | (None, _) => {}
            (Some(_), _) => {
                tracing::debug!(peer = %Named(&peer), "answered something else");
                self.shut(connection);
            }
        }
    }

    /// Draws the conclusion from a response that does not come.
    pub(super) fn on_unanswered(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        id: OutboundRequestId,
        error: &OutboundFailure,
    ) {
        tracing::debug!(peer = %Named(&peer), connection = %connection, %error, "no answer");
        match self.asked.remove(&id) {
            Some(Ask::Hello { .. }) if matches!(error, OutboundFailure::UnsupportedProtocols) => {
                self.refuse(peer, connection);
            }
            Some(Ask::Hello { .. }) => {
                if self.links.get(connection).is_some_and(|link| link.stage == Stage::Hello) {
                    self.shut(connection);
                }
                // Of two connections made at the same moment, the other end may have wanted only the other one.
                if self.links.of_peer(peer).all(|(_, link)| link.stage == Stage::Hello) {
                    self.say_hello(peer);
                }
            }
            Some(Ask::Fetch) => self.forget_fetch(&peer),
            None => {}
        }
    }

    /// Compares clocks with every member that gossip flows to.
    pub(super) fn compare_clocks(&mut self) {
        let peers: Vec<PeerId> =
            self.links.peers().map(|(peer, _)| peer).filter(|peer| self.links.is_speaking(*peer)).collect();
        for peer in peers {
            self.say_hello(peer);
        }
    }

    /// Reports a connected member's clock, uncorrected as it is told, beside what this device's showed then.
    fn tell_clock(&mut self, member: PublicKey, theirs_ms: u64, ours_ms: u64) {
        if peer_id(&member).is_some_and(|peer| self.links.is_speaking(peer)) {
            self.reports.tell(Event::Clock { member, theirs_ms, ours_ms });
        }
    }

    /// Sends the responses that promise an open gate.
    pub(super) fn on_opened(&mut self, connection: ConnectionId) {
        for (channel, response) in self.answers.remove(&connection).unwrap_or_default() {
            self.respond(channel, response);
        }
        self.links.advance(connection, Stage::Open, Instant::now());
    }

    /// Notes that gossip flows.
    pub(super) fn on_speaking(&mut self, peer: PeerId, connection: ConnectionId) {
        let first = !self.links.is_speaking(peer);
        self.links.advance(connection, Stage::Speaking, Instant::now());
        self.book.welcomed(&peer);
        if let Some(key) = role_key(&peer)
            && first
            && self.links.is_speaking(peer)
        {
            tracing::info!(peer = %Named(&peer), "member connected");
            self.reports.member(key, true);
            // Of several that came at the same moment none has been told of the others yet.
            self.say_hello(peer);
        }
    }

    /// Fetches from every peer that may have something new and has not been asked for it.
    pub(super) fn fetch_due(&mut self) {
        let own = self.roster.digest();
        let peers: Vec<PeerId> = self
            .links
            .peers()
            .filter(|(_, note)| note.digest.is_some_and(|theirs| theirs != own && note.fetched != Some((theirs, own))))
            .map(|(peer, _)| peer)
            .collect();
        for peer in peers {
            self.fetch(peer);
        }
    }

    fn fetch(&mut self, peer: PeerId) {
        let own = self.roster.digest();
        let under_way = self.asked.values().filter(|ask| **ask == Ask::Fetch).count();
        let stranger = self.class(&peer) == Class::Stranger;
        let connected = self.links.of_peer(peer).next().is_some();
        let Some(note) = self.links.note_mut(&peer) else { return };
        let Some(theirs) = note.digest else { return };
        if !connected
            || theirs == own
            || note.fetched == Some((theirs, own))
            || under_way >= MAX_FETCHES
            || (stranger && note.fetches >= MAX_STRANGER_FETCHES)
        {
            return;
        }
        note.fetched = Some((theirs, own));
        note.fetches = note.fetches.saturating_add(1);
        let id = self.swarm.behaviour_mut().hello.send_request(&peer, hello::fetch(&self.roster));
        self.asked.insert(id, Ask::Fetch);
    }

    fn forget_fetch(&mut self, peer: &PeerId) {
        if let Some(note) = self.links.note_mut(peer) {
            note.fetched = None;
        }
    }

    fn respond(&mut self, channel: ResponseChannel<Response>, response: Response) {
        if self.swarm.behaviour_mut().hello.send_response(channel, response).is_err() {
            tracing::debug!("the peer did not wait for its response");
        }
    }

    fn refuse(&mut self, peer: PeerId, connection: ConnectionId) {
        tracing::debug!(peer = %Named(&peer), "not of this unit");
        self.refused.insert(peer);
        self.shut(connection);
    }

    fn attach(&mut self, connection: ConnectionId, speak: bool) -> bool {
        let attached = self.swarm.behaviour_mut().members.attach(connection, speak);
        if attached {
            self.links.advance(connection, Stage::Attached, Instant::now());
        }
        attached
    }

    /// Keeps what a hello says, and closes what it shows to be dead.
    fn take_note(&mut self, peer: PeerId, connection: ConnectionId, hello: &Hello, admit: bool) {
        for dead in self.links.incarnate(connection, hello.incarnation) {
            tracing::debug!(peer = %Named(&peer), connection = %dead, "peer has restarted");
            self.shut(dead);
        }
        let loopback = self.links.get(connection).is_some_and(Link::is_loopback);
        let listen = places(&hello.listen, loopback);
        if let Some(note) = self.links.note_mut(&peer) {
            note.digest = Some(hello.roster_digest);
            note.listen.clone_from(&listen);
        }
        if !admit {
            return;
        }
        let now = Instant::now();
        let come_from = self.links.get(connection).and_then(|link| link.host);
        let own: Vec<Multiaddr> = listen.iter().filter(|address| host(address) == come_from).cloned().collect();
        self.book.learn(peer, self.class(&peer), listen, loopback, now);
        self.book.reachable(&peer, &own);
        self.tell_places();
        for (key, addresses) in &hello.peers {
            let Some(other) = peer_id(key) else { continue };
            let class = self.class(&other);
            if class != Class::Stranger {
                self.book.learn(other, class, places(addresses, loopback), loopback, now);
            }
        }
    }

    /// Takes in where a member could be reached when the node last ran.
    pub(super) fn recall(&mut self, place: &Place, now: Instant) {
        if let Some(peer) = peer_id(&place.member) {
            self.book.recall(peer, self.class(&peer), &places(&place.addresses, true), now);
        }
    }

    /// Reports where members can be reached, if that has changed.
    pub(super) fn tell_places(&mut self) {
        let Some(places) = self.book.changed_places() else { return };
        let places = places.into_iter().filter_map(|(peer, addresses)| {
            let addresses = addresses.iter().map(Multiaddr::to_vec).collect();
            Some(Place { member: role_key(&peer)?, addresses })
        });
        self.reports.tell(Event::Places(places.collect()));
    }

    /// Returns the hello for a peer: a member is told where this node and others are.
    fn introduction(&self, peer: PeerId) -> Hello {
        let mut hello = Hello {
            unit: self.roster.unit(),
            incarnation: self.incarnation,
            roster_version: self.roster.version(),
            roster_digest: self.roster.digest(),
            clock_ms: clock::unix_ms(),
            listen: Vec::new(),
            peers: Vec::new(),
        };
        if self.class(&peer) == Class::Stranger {
            return hello;
        }
        let loopback = self.links.of_peer(peer).any(|(_, link)| link.is_loopback());
        hello.listen = addresses(self.swarm.listeners(), loopback, MAX_LISTEN);
        hello.peers = self
            .links
            .peers()
            .filter(|(other, note)| *other != peer && !note.listen.is_empty() && self.links.is_speaking(*other))
            .filter_map(|(other, note)| {
                let told = addresses(note.listen.iter(), loopback, MAX_PEER_ADDRESSES);
                (!told.is_empty()).then_some((role_key(&other)?, told))
            })
            .take(MAX_PEERS)
            .collect();
        hello
    }
}

/// Returns addresses as they travel, TCP first.
fn addresses<'a>(known: impl Iterator<Item = &'a Multiaddr>, loopback: bool, max: usize) -> Vec<Address> {
    let mut known: Vec<Multiaddr> = known.filter_map(|address| dialable(address, loopback)).collect();
    known.sort_by_key(|address| !address.iter().any(|part| matches!(part, Protocol::Tcp(_))));
    known.iter().map(Multiaddr::to_vec).take(max).collect()
}

/// Reads addresses that a peer has told.
fn places(told: &[Address], loopback: bool) -> Vec<Multiaddr> {
    told.iter()
        .filter_map(|bytes| Multiaddr::try_from(bytes.clone()).ok())
        .filter_map(|address| dialable(&address, loopback))
        .collect()
}
