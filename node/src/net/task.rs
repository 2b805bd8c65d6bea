//! The task that owns the swarm: commands in, events out, and upkeep in between.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::request_response::{OutboundRequestId, ResponseChannel};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, Swarm};
use libp2p::{Multiaddr, PeerId};
use muster_keys::PublicKey;
use muster_roles::{GroupId, Role, Roster};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::behaviour::Behaviour;
use super::clock::{Watch, unix_ms};
use super::discovery::{Book, Class, Target};
use super::firsthand::Firsthand;
use super::gossip::{self, Pending, Topics};
use super::joining::Joining;
use super::links::{Links, Stage};
use super::meeting::Ask;
use super::names::{ByName, LookupError};
use super::pace::Pace;
use super::peer::{Named, role_key};
use super::reports::Reports;
use super::shape::{FIRSTHAND_SPREAD, FIRSTHAND_WAIT};
use super::translate::{Happening, translate};
use super::uplink::Uplink;
use super::{Carry, Command, Event, Place};
use crate::control::Found;
use crate::engine::hello::Response;
use crate::engine::io::PublishOutcome;
use crate::ticks::Ticks;

/// Addresses of one peer tried at the same time: usually one of each transport.
const DIAL_CONCURRENCY: NonZeroU8 = NonZeroU8::MIN.saturating_add(1);

/// How long messages published last are given to leave when the node ends.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// How recently something must have been published for that.
const LAST_WORDS_WINDOW: Duration = Duration::from_secs(2);

/// How long connections are given to close when the node ends.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Everything the task knows.
pub(crate) struct Task {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) roster: Arc<Roster>,
    pub(super) me: PublicKey,
    pub(super) incarnation: u64,
    pub(super) links: Links,
    pub(super) book: Book,
    pub(super) reports: Reports,
    /// Requests without a response yet.
    pub(super) asked: BTreeMap<OutboundRequestId, Ask>,
    /// Responses that wait until the gate of their connection is open.
    pub(super) answers: BTreeMap<ConnectionId, Vec<(ResponseChannel<Response>, Response)>>,
    /// Connected peers with which there is nothing to talk about.
    pub(super) refused: BTreeSet<PeerId>,
    pub(super) joining: Joining,
    commands: mpsc::Receiver<Command>,
    carry: Carry,
    pub(super) topics: Topics,
    pub(super) joined: BTreeSet<GroupId>,
    dials: BTreeMap<ConnectionId, Target>,
    /// Names being looked up, of standing addresses only: no more than the user gave.
    lookups: JoinSet<(Multiaddr, Result<Vec<Multiaddr>, LookupError>)>,
    pub(super) pending: Pending,
    pub(super) firsthand: Firsthand,
    pub(super) ignored: u64,
    published: Option<Instant>,
    pace: Pace,
    clock: Watch,
    ticks: Ticks,
    uplink: Uplink,
}

/// What a task starts with.
pub(crate) struct Start {
    /// The swarm, listening.
    pub(crate) swarm: Swarm<Behaviour>,
    /// The roster in force.
    pub(crate) roster: Arc<Roster>,
    /// The node's own member.
    pub(crate) me: PublicKey,
    /// A random number that tells this process from an earlier one.
    pub(crate) incarnation: u64,
    /// Which groups' topics to join.
    pub(crate) carry: Carry,
    /// Addresses to keep dialling.
    pub(crate) dial: Vec<Multiaddr>,
    /// Whether there is a network, as far as is known.
    pub(crate) uplink: Uplink,
    /// Where members could be reached when the node last ran.
    pub(crate) places: Vec<Place>,
    /// When to look at deadlines.
    pub(crate) ticks: Ticks,
    /// From the driver.
    pub(crate) commands: mpsc::Receiver<Command>,
    /// To the driver.
    pub(crate) events: mpsc::Sender<Event>,
}

impl Task {
    /// Makes the task ready to run.
    pub(crate) fn new(start: Start) -> Self {
        let mut book = Book::new(*start.swarm.local_peer_id(), start.incarnation);
        let now = Instant::now();
        for address in start.dial {
            book.stand(address, now);
        }
        let topics = Topics::new(start.roster.unit());
        let mut task = Self {
            swarm: start.swarm,
            roster: start.roster,
            me: start.me,
            incarnation: start.incarnation,
            links: Links::default(),
            book,
            reports: Reports::new(start.events),
            asked: BTreeMap::new(),
            answers: BTreeMap::new(),
            refused: BTreeSet::new(),
            joining: Joining::default(),
            commands: start.commands,
            carry: start.carry,
            topics,
            joined: BTreeSet::new(),
            dials: BTreeMap::new(),
            lookups: JoinSet::new(),
            pending: Pending::default(),
            firsthand: Firsthand::default(),
            ignored: 0,
            published: None,
            pace: Pace::default(),
            clock: Watch::new(unix_ms(), now),
            ticks: start.ticks,
            uplink: start.uplink,
        };
        task.join_topics();
        for place in start.places {
            task.recall(&place, now);
        }
        task
    }

    /// Runs until it is told to stop, or the driver is gone.
    pub(crate) async fn run(mut self) {
        self.on_tick();
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    None | Some(Command::Shutdown) => break,
                    Some(command) => self.on_command(command),
                },
                event = self.swarm.select_next_some(), if !self.reports.is_congested() => {
                    if let Some(happening) = translate(event) {
                        self.on_happening(happening);
                    }
                }
                there = self.reports.send_waiting(), if self.reports.is_waiting() => {
                    if !there {
                        break;
                    }
                }
                () = until(self.pace.due()) => {
                    for (group, outcome) in self.pace.take_due(Instant::now()) {
                        self.reports.tell(Event::Published { group, outcome });
                    }
                }
                () = until(self.firsthand.due()) => self.forward_firsthand(Instant::now()),
                Some(looked_up) = self.lookups.join_next() => match looked_up {
                    Ok((address, found)) => self.on_looked_up(&address, found),
                    Err(error) => tracing::warn!(%error, "a lookup broke off"),
                },
                // No deadline is finer than a second.
                () = self.ticks.next() => self.on_tick(),
            }
        }
        self.close().await;
    }

    /// Lets the last messages leave and closes every connection, so that the peers need not find out by themselves.
    async fn close(mut self) {
        self.forward_firsthand(Instant::now() + FIRSTHAND_WAIT + FIRSTHAND_SPREAD);
        if self.published.is_some_and(|at| at.elapsed() < LAST_WORDS_WINDOW) {
            let _elapsed = timeout(LAST_WORDS, async { while self.swarm.next().await.is_some() {} }).await;
        }
        for (id, _) in self.links.iter() {
            self.swarm.close_connection(id);
        }
        let closed = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        if timeout(CLOSE_LIMIT, closed).await.is_err() {
            tracing::debug!("connections were still closing");
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish { group, message } => {
                let len = message.len();
                let outcome = self.publish(&group, message);
                if let Some(outcome) = self.pace.published(&group, outcome, len, Instant::now()) {
                    self.reports.tell(Event::Published { group, outcome });
                }
            }
            Command::Beacon(bytes) => self.publish_beacon(bytes),
            Command::Verdict { handle, verdict } => {
                if let Some(brought) = self.pending.take(handle, verdict) {
                    self.on_verdict(&brought, verdict);
                }
            }
            Command::Roster(roster) => self.on_roster(roster),
            Command::JoinAnswer { ticket, answer } => self.on_join_answer(ticket, answer),
            // Ends the loop before it comes here.
            Command::Shutdown => {}
        }
    }

    fn publish(&mut self, group: &GroupId, message: Vec<u8>) -> PublishOutcome {
        let result = self.swarm.behaviour_mut().gossip().publish(self.topics.topic(group), message);
        self.published = Some(Instant::now());
        let outcome = gossip::outcome(&result);
        if let Err(error) = result {
            tracing::debug!(%group, %error, ?outcome, "publish");
        }
        outcome
    }

    fn on_roster(&mut self, roster: Arc<Roster>) {
        self.swarm.behaviour_mut().doors.adopt(Arc::clone(&roster));
        let before = std::mem::replace(&mut self.roster, roster);
        self.join_topics();
        let roster = &self.roster;
        self.links.reclassify(|key| roster.member(key).is_some());
        let (me, roster) = (self.me, Arc::clone(&self.roster));
        self.book.reclassify(|peer| class(&roster, &me, peer));
        self.tell_change(&before);
    }

    /// Subscribes to the topic of signs of life and to those of the groups to carry, and to no others.
    fn join_topics(&mut self) {
        let wanted: BTreeSet<GroupId> = self.carry.groups(&self.roster, &self.me).into_iter().collect();
        let new = wanted.difference(&self.joined).map(|group| self.topics.topic(group));
        // Joining it again changes nothing.
        for topic in new.chain([self.topics.presence()]) {
            let gossip = self.swarm.behaviour_mut().gossip();
            if let Err(error) = gossip.set_topic_params(topic.clone(), gossip::topic_score()) {
                tracing::warn!(%topic, error, "topic not scored");
            }
            if let Err(error) = gossip.subscribe(&topic) {
                tracing::warn!(%topic, %error, "topic not joined");
            }
        }
        for group in self.joined.difference(&wanted) {
            self.swarm.behaviour_mut().gossip().unsubscribe(&self.topics.topic(group));
        }
        self.joined = wanted;
        for (group, outcome) in self.pace.retain(|group| self.joined.contains(group)) {
            self.reports.tell(Event::Published { group, outcome });
        }
    }

    fn on_happening(&mut self, happening: Happening) {
        match happening {
            Happening::Listening(address) => {
                self.book.add_own(address.clone());
                self.reports.tell(Event::Listening(address));
            }
            Happening::NotListening(address) => self.book.remove_own(&address),
            Happening::Connected { peer, connection, dialled, host } => {
                self.on_connected(peer, connection, dialled.as_ref(), host);
            }
            Happening::Disconnected { peer, connection, last } => self.on_disconnected(peer, connection, last),
            Happening::DialFailed { connection, wrong, own, reason } => {
                self.on_dial_failed(connection, wrong, own, &reason);
            }
            Happening::Discovered(peers) => {
                for (peer, address) in peers {
                    self.book.learn(peer, self.class(&peer), [address], false, Instant::now());
                    self.note_found(peer, Found::Multicast);
                }
                self.dial_due();
            }
            Happening::Asked { peer, connection, request, channel } => {
                self.on_asked(peer, connection, request, channel);
            }
            Happening::Answered { peer, connection, id, response } => self.on_answered(peer, connection, id, response),
            Happening::Unanswered { peer, connection, id, error } => self.on_unanswered(peer, connection, id, &error),
            Happening::Opened { connection } => self.on_opened(connection),
            Happening::Speaking { peer, connection } => self.on_speaking(peer, connection),
            Happening::Gossip { from, id, message } => self.on_gossip(from, id, message),
            Happening::Subscribed { peer, topic } => self.on_subscribed(peer, &topic),
            Happening::Slow { peer } => {
                tracing::warn!(peer = %Named(&peer), "peer too slow, messages to it dropped");
                if let Some(member) = role_key(&peer) {
                    self.reports.tell(Event::Slow(member));
                }
            }
            Happening::Deaf { peer } => {
                let links: Vec<ConnectionId> = self.links.of_peer(peer).map(|(id, _)| id).collect();
                for id in links {
                    self.shut(id);
                }
            }
            Happening::ShutOut { connection } => self.links.shut_out(connection, Instant::now()),
            Happening::Dead { connection } => self.shut(connection),
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, dialled: Option<&Multiaddr>, host: Option<IpAddr>) {
        let now = Instant::now();
        let class = self.class(&peer);
        let target = self.dials.remove(&id);
        tracing::debug!(connection = %id, peer = %Named(&peer), ?class, dialled = target.is_some(), "connected");
        self.book.connected(peer, class, target.as_ref().zip(dialled), now);
        if matches!(target, Some(Target::Standing(_))) {
            self.note_found(peer, Found::Dial);
        }
        if !self.links.open(id, peer, role_key(&peer), class != Class::Stranger, host, now) {
            tracing::debug!(peer = %Named(&peer), "too many strangers");
            self.swarm.behaviour_mut().members.shut(id);
        } else if dialled.is_some() {
            self.say_hello(peer);
        }
    }

    fn on_disconnected(&mut self, peer: PeerId, id: ConnectionId, last: bool) {
        let was_speaking = self.links.is_speaking(peer);
        let link = self.links.close(id);
        self.answers.remove(&id);
        if let Some(key) = link.and_then(|link| link.key)
            && was_speaking
            && !self.links.is_speaking(peer)
        {
            self.reports.member(key, false);
        }
        if last {
            let refused = self.refused.remove(&peer);
            self.book.disconnected(peer, refused, Instant::now());
        }
    }

    fn on_dial_failed(&mut self, id: ConnectionId, wrong: Option<Multiaddr>, own: bool, reason: &str) {
        let Some(target) = self.dials.remove(&id) else { return };
        tracing::debug!(?target, reason, "dial failed");
        self.book.failed(&target, Instant::now());
        if let Some(address) = wrong {
            self.book.strike(&target, &address);
            if own {
                self.book.add_own(address);
            }
        }
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        for id in self.links.overdue(now) {
            tracing::debug!(connection = %id, "had its time");
            self.shut(id);
        }
        match self.uplink.look(self.swarm.listeners(), now) {
            Some(false) => {
                tracing::warn!("no network: nothing but loopback is up; what is posted is kept until there is one");
            }
            Some(true) => tracing::info!("the network is there"),
            None => {}
        }
        let forgotten = self.pending.expire(now);
        if forgotten > 0 {
            tracing::warn!(forgotten, "gossip messages were not judged in time");
        }
        if self.clock.is_due(unix_ms(), now) {
            self.compare_clocks();
        }
        self.fetch_due();
        self.dial_due();
        self.tell_places();
    }

    fn dial_due(&mut self) {
        for (target, addresses) in self.book.due(Instant::now()) {
            // A new port each: two nodes that dial each other from their listening ports may never connect (a TCP
            // simultaneous open ends with two initiators).
            match &target {
                Target::Peer(peer) => {
                    let options = DialOpts::peer_id(*peer)
                        .condition(PeerCondition::DisconnectedAndNotDialing)
                        .override_dial_concurrency_factor(DIAL_CONCURRENCY)
                        .allocate_new_port()
                        .addresses(addresses)
                        .build();
                    self.dial(target, options);
                }
                Target::Standing(address) => match ByName::parse(address) {
                    Some(by_name) => {
                        let address = address.clone();
                        self.lookups.spawn(async move { (address, by_name.look_up().await) });
                    }
                    None => {
                        let options = DialOpts::unknown_peer_id().address(address.clone()).allocate_new_port().build();
                        self.dial(target, options);
                    }
                },
            }
        }
    }

    fn on_looked_up(&mut self, address: &Multiaddr, found: Result<Vec<Multiaddr>, LookupError>) {
        let target = Target::Standing(address.clone());
        match found {
            Ok(places) => {
                for place in places {
                    let options = DialOpts::unknown_peer_id().address(place).allocate_new_port().build();
                    self.dial(target.clone(), options);
                }
            }
            Err(error) => {
                tracing::warn!(%address, %error, "cannot dial");
                self.book.failed(&target, Instant::now());
            }
        }
    }

    fn dial(&mut self, target: Target, options: DialOpts) {
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(id, target);
            }
            Err(error) => {
                tracing::debug!(?target, %error, "not dialled");
                self.book.failed(&target, Instant::now());
            }
        }
    }

    /// Closes a connection; nothing that still comes over it counts.
    pub(super) fn shut(&mut self, id: ConnectionId) {
        let Some((peer, key)) = self.links.get(id).map(|link| (link.peer, link.key)) else { return };
        let was_speaking = self.links.is_speaking(peer);
        self.links.advance(id, Stage::Closing, Instant::now());
        self.answers.remove(&id);
        self.swarm.behaviour_mut().members.shut(id);
        if let Some(key) = key
            && was_speaking
            && !self.links.is_speaking(peer)
        {
            self.reports.member(key, false);
        }
    }

    /// Returns what a connection to a peer is worth.
    pub(super) fn class(&self, peer: &PeerId) -> Class {
        class(&self.roster, &self.me, peer)
    }
}

/// Waits for a moment, or for ever if there is none to wait for.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

fn class(roster: &Roster, me: &PublicKey, peer: &PeerId) -> Class {
    let Some(other) = role_key(peer).and_then(|key| roster.member(&key)) else { return Class::Stranger };
    let near = other.role == Role::Carrier
        || roster.member(me).is_some_and(|member| {
            roster.groups().any(|group| member.role.may_read(group) && other.role.may_read(group))
        });
    if near { Class::Near } else { Class::Member }
}
