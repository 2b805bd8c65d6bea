//! How two nodes come to terms over a connection: hellos, roster documents, and the opening of the gate.

use std::sync::Arc;
use std::time::Instant;

use libp2p::multiaddr::Protocol;
use libp2p::request_response::{OutboundFailure, OutboundRequestId, ResponseChannel};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use muster_keys::PublicKey;
use muster_roles::Roster;

use super::clock;
use super::discovery::{Class, dialable};
use super::links::{Link, Note, Stage};
use super::peer::{Named, peer_id, role_key};
use super::task::Task;
use super::translate::host;
use super::{Event, Place};
use crate::control::Found;
use crate::engine::hello::{self, Address, Hello, Judgement, MAX_LISTEN, MAX_PEER_ADDRESSES, Request, Response};
use crate::engine::join::JoinAsk;

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
        self.ask_hello(peer, Request::Hello(hello));
    }

    fn ask_hello(&mut self, peer: PeerId, request: Request) {
        let id = self.swarm.behaviour_mut().hello.send_request(&peer, request);
        self.asked.insert(id, Ask::Hello { asked: Instant::now() });
    }

    /// Tells every peer of a change: with the documents themselves whoever held what was in force here until now, and
    /// cannot have them from elsewhere yet as far as is known. The others fetch what they lack.
    ///
    /// Whoever is a member no more is cut off at once, and told why: it may know the documents that removed it, for it
    /// proves a place in the ones before.
    pub(super) fn tell_change(&mut self, before: &Arc<Roster>) {
        let now = Instant::now();
        let digest = before.digest();
        let news = hello::news(before, &self.roster);
        for id in self.links.expelled() {
            self.expel(id, now);
        }
        let peers: Vec<(PeerId, bool)> =
            self.links.peers().map(|(peer, note)| (peer, note.digest == Some(digest))).collect();
        for (peer, in_step) in peers {
            let was_member = role_key(&peer).is_some_and(|key| before.member(&key).is_some());
            match &news {
                Some(documents) if in_step && was_member && self.links.of_peer(peer).next().is_some() => {
                    let (hello, documents) = (self.introduction(peer), documents.clone());
                    self.ask_hello(peer, Request::News { hello, documents });
                }
                _ => self.say_hello(peer),
            }
        }
    }

    /// Cuts a connection off from all but a last word.
    fn expel(&mut self, id: ConnectionId, now: Instant) {
        let Some((peer, key)) = self.links.get(id).map(|link| (link.peer, link.key)) else { return };
        tracing::info!(peer = %Named(&peer), connection = %id, "a member no more");
        let was_speaking = self.links.is_speaking(peer);
        self.links.expel(id, now);
        self.answers.remove(&id);
        self.swarm.behaviour_mut().members.detach(id);
        if let Some(key) = key
            && was_speaking
            && !self.links.is_speaking(peer)
        {
            self.reports.member(key, false);
        }
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
            Request::News { hello, documents } => self.on_news(peer, key, connection, &hello, documents, channel),
            Request::Join { name, commitment } => self.on_join(key, name, commitment, channel),
            Request::Reveal { nonce } => self.on_join_ask(key, JoinAsk::Reveal { nonce }, channel),
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
            if self.links.is_expelled(connection) {
                // Refused it would close the connection, and the last word with it.
                let hello = self.introduction(peer);
                return self.respond(channel, Response::Hello { hello, admitted: false });
            }
            self.links.dismiss(connection, Instant::now());
            return self.respond(channel, Response::Refused);
        };
        self.take_note(peer, connection, hello, admit);
        self.note_state(peer, key, hello, clock::unix_ms());
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

    /// Takes in a hello with documents; only members bring any, a stranger's are asked for where they can help.
    fn on_news(
        &mut self,
        peer: PeerId,
        key: PublicKey,
        connection: ConnectionId,
        hello: &Hello,
        documents: Vec<Vec<u8>>,
        channel: ResponseChannel<Response>,
    ) {
        if hello.unit == self.roster.unit() && self.roster.member(&key).is_some() {
            let own = self.roster.digest();
            let taken = hello.roster_digest == own || self.reports.documents(documents);
            if let Some(note) = self.links.note_mut(&peer).filter(|_| taken) {
                // What has come need not be fetched; should it not be all, the next look finds that.
                note.fetched = Some((hello.roster_digest, own));
            }
        }
        self.on_hello(peer, key, connection, hello, channel);
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
                    // What was asked before it was expelled may be answered while the last word is under way.
                    if self.links.is_expelled(connection) {
                        self.refused.insert(peer);
                        return;
                    }
                    return self.refuse(peer, connection);
                };
                self.take_note(peer, connection, &hello, admit);
                self.note_state(peer, key, &hello, clock::middle_of(asked));
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

    /// Keeps a peer's roster's version, and what its clock showed, uncorrected as it is told, beside what this device's
    /// showed then; reports both once the peer is a member that gossip flows to.
    fn note_state(&mut self, peer: PeerId, key: PublicKey, hello: &Hello, ours_ms: u64) {
        if let Some(note) = self.links.note_mut(&peer) {
            note.clock = Some((hello.clock_ms, ours_ms));
            note.version = Some(hello.roster_version);
        }
        self.tell_state(peer, key);
    }

    fn tell_state(&mut self, peer: PeerId, member: PublicKey) {
        if !self.links.is_speaking(peer) {
            return;
        }
        let clock = self.links.note_mut(&peer).and_then(|note| note.clock.take());
        if let Some((theirs_ms, ours_ms)) = clock {
            self.reports.tell(Event::Clock { member, theirs_ms, ours_ms });
        }
        if let Some(version) = self.links.note_mut(&peer).and_then(|note| note.version.take()) {
            self.reports.tell(Event::RosterOf { member, version });
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
            self.tell_found(peer, key);
            self.tell_state(peer, key);
            // Of several that came at the same moment none has been told of the others yet.
            if self.known_to_others(peer).next().is_some() {
                self.say_hello(peer);
            }
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

    pub(super) fn respond(&mut self, channel: ResponseChannel<Response>, response: Response) {
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
                self.note_found(other, Found::Told);
            }
        }
    }

    /// Takes in where a member could be reached when the node last ran.
    pub(super) fn recall(&mut self, place: &Place, now: Instant) {
        if let Some(peer) = peer_id(&place.member) {
            self.book.recall(peer, self.class(&peer), &places(&place.addresses, true), now);
            self.note_found(peer, Found::Remembered);
        }
    }

    /// Notes how a peer was found, and reports it of a member that is connected.
    pub(super) fn note_found(&mut self, peer: PeerId, found: Found) {
        if self.book.note_found(&peer, found)
            && self.links.is_speaking(peer)
            && let Some(key) = role_key(&peer)
        {
            self.tell_found(peer, key);
        }
    }

    fn tell_found(&mut self, peer: PeerId, member: PublicKey) {
        self.reports.tell(Event::Found { member, found: self.book.found(&peer) });
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

    /// Returns the connected members that a peer could be told of.
    fn known_to_others(&self, peer: PeerId) -> impl Iterator<Item = (PeerId, &Note)> {
        self.links
            .peers()
            .filter(move |(other, note)| *other != peer && !note.listen.is_empty() && self.links.is_speaking(*other))
    }

    /// Returns the hello for a peer: a member is told where this node and others are, those first that it has not been
    /// told of.
    fn introduction(&mut self, peer: PeerId) -> Hello {
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
        let known: Vec<(PeerId, PublicKey, Vec<Address>)> = self
            .known_to_others(peer)
            .filter_map(|(other, note)| {
                let told = addresses(note.listen.iter(), loopback, MAX_PEER_ADDRESSES);
                (!told.is_empty()).then_some((other, role_key(&other)?, told))
            })
            .collect();
        let Some(note) = self.links.note_mut(&peer) else { return hello };
        let first = known.partition_point(|(other, ..)| note.told.is_some_and(|told| *other <= told));
        let (told, untold) = known.split_at(first.min(known.len()));
        let turn: Vec<_> = untold.iter().chain(told).collect();
        let count = hello.tell_of(turn.iter().map(|(_, key, addresses)| (*key, addresses.clone())));
        note.told = count.checked_sub(1).and_then(|last| turn.get(last)).map(|(last, ..)| *last).or(note.told);
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
