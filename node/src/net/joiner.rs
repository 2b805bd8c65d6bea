//! The other side of joining: a device that is nobody yet, and asks whoever it meets to be let in.
//!
//! It listens nowhere and says nothing but the name that it would have. It meets nodes by multicast DNS and by the addresses
//! it was given, and asks each; those whose member may admit answer, the others refuse. Towards each that answers it has
//! a nonce, and six words, of its own. A connection lasts no longer than any stranger's; the device comes back until
//! somebody has decided.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::request_response::{self, ResponseChannel};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{Config as SwarmConfig, NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, mdns};
use muster_keys::{Identity, PublicKey, RandomError};
use muster_roles::{JoinNonce, JoinWords, Joining, MemberName, Roster, Timestamp, UnitId};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::clock::unix_ms;
use super::discovery::dialable;
use super::peer::{keypair, role_key};
use super::{behaviour, hello, transport};
use crate::engine::hello::{Hello, MAX_PEER_ADDRESSES, Request, Response};

/// Nodes that are known and asked in turn; more than one network of a unit shows to a newcomer.
const MAX_NODES: usize = 64;

/// Nodes that it waits for at once: those of a commander and a few leaders.
const MAX_WAITED_FOR: usize = 8;

/// How often a node is asked whether somebody has decided.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Requests over one connection, which a node gives a stranger eight of.
const MAX_REQUESTS: u32 = 6;

/// How long before a node that cannot be reached is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// How long before a node that refuses is asked again: its member may be somebody else's leader by then.
const REFUSED_RETRY: Duration = Duration::from_secs(15);

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(200);

/// Who asks, and where.
#[derive(Debug)]
pub struct JoinConfig {
    /// The name that the device would have.
    pub name: MemberName,
    /// Addresses to ask at.
    pub dial: Vec<Multiaddr>,
    /// Whether to look for nodes by multicast DNS.
    pub mdns: bool,
}

/// What a person should see while the device waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinEvent {
    /// A node waits for a person's decision: these words must stand on its screen too.
    Words {
        /// The node's role key.
        admitter: PublicKey,
        /// The unit, as the node says.
        unit: UnitId,
        /// The words.
        words: JoinWords,
    },
    /// That node does not wait any more: the request was turned away, or has had its time.
    Over {
        /// The node's role key.
        admitter: PublicKey,
    },
}

/// A device that has been let in.
#[derive(Debug)]
pub struct Joined {
    /// The roster, in which the device's key stands.
    pub roster: Roster,
    /// The role key of the node that gave it.
    pub admitter: PublicKey,
    /// Where that node was reached.
    pub address: Option<Multiaddr>,
}

/// Why a device cannot ask.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// An address that cannot be asked at.
    #[error("cannot dial {address}: expected /ip4/… or /ip6/… with /tcp/PORT or /udp/PORT/quic-v1")]
    Dial {
        /// The address.
        address: Multiaddr,
    },
    /// Multicast DNS cannot start.
    #[error("cannot look for nodes by multicast DNS")]
    Mdns(#[source] io::Error),
    /// The system has no randomness to give.
    #[error("no random numbers from the system")]
    Random(#[from] RandomError),
    /// The role key or the settings do not suit the network library.
    #[error("the network library refuses its settings: {0}")]
    Setup(String),
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    mdns: Toggle<mdns::tokio::Behaviour>,
    hello: hello::Behaviour,
}

/// One node, and how far the device has come with it.
struct Node {
    addresses: Vec<Multiaddr>,
    stage: Stage,
    due: Instant,
    connected: bool,
    /// Requests over the present connection.
    requests: u32,
    /// Whether a request is under way.
    asked: bool,
}

enum Stage {
    /// Nothing has been said.
    New,
    /// The commitment has been sent.
    Committed(Joining),
    /// The nonce is revealed, and a person decides.
    Waiting { unit: UnitId, nonce: JoinNonce },
}

/// Asks until somebody lets the device in; ends before that only where it cannot ask at all.
///
/// Cancel safe: dropping it closes every connection, and the nodes forget the request after a minute.
///
/// # Errors
/// When the network cannot be set up, or the system has no random numbers.
pub async fn join(
    config: JoinConfig,
    identity: &Identity,
    events: mpsc::Sender<JoinEvent>,
) -> Result<Joined, JoinError> {
    let mut joiner = Joiner::new(config, identity, events)?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = joiner.swarm.select_next_some() => {
                if let Some(joined) = joiner.on_event(event).await? {
                    return Ok(joined);
                }
            }
            _ = tick.tick() => joiner.on_tick(Instant::now())?,
        }
    }
}

struct Joiner {
    me: PublicKey,
    name: MemberName,
    swarm: Swarm<Behaviour>,
    nodes: BTreeMap<PeerId, Node>,
    /// The addresses that were given, and when each is dialled next.
    given: Vec<(Multiaddr, Instant)>,
    events: mpsc::Sender<JoinEvent>,
}

impl Joiner {
    fn new(config: JoinConfig, identity: &Identity, events: mpsc::Sender<JoinEvent>) -> Result<Self, JoinError> {
        if let Some(address) = config.dial.iter().find(|address| dialable(address, true).is_none()) {
            return Err(JoinError::Dial { address: address.clone() });
        }
        let keypair = keypair(identity).ok_or_else(|| JoinError::Setup("not an Ed25519 key".into()))?;
        let me = keypair.public().to_peer_id();
        let mdns = if config.mdns { Some(behaviour::mdns(me).map_err(JoinError::Mdns)?) } else { None };
        let transport = transport::transport(&keypair).map_err(|error| JoinError::Setup(error.to_string()))?;
        let behaviour = Behaviour { mdns: mdns.into(), hello: hello::behaviour() };
        let settings = SwarmConfig::with_tokio_executor();
        let now = Instant::now();
        Ok(Self {
            me: identity.public(),
            name: config.name,
            swarm: Swarm::new(transport, behaviour, me, settings),
            nodes: BTreeMap::new(),
            given: config.dial.into_iter().map(|address| (address, now)).collect(),
            events,
        })
    }

    fn on_tick(&mut self, now: Instant) -> Result<(), JoinError> {
        for (address, due) in self.given.iter_mut().filter(|(_, due)| *due <= now) {
            *due = now + RETRY;
            let known = self.nodes.values().any(|node| node.addresses.contains(address));
            if !known {
                let dial = DialOpts::unknown_peer_id().address(address.clone()).allocate_new_port().build();
                if let Err(error) = self.swarm.dial(dial) {
                    tracing::debug!(%address, %error, "not dialled");
                }
            }
        }
        let due: Vec<PeerId> = self.nodes.iter().filter(|(_, node)| node.due <= now).map(|(peer, _)| *peer).collect();
        for peer in due {
            self.go_on(peer, now)?;
        }
        Ok(())
    }

    /// Takes the next step with a node.
    fn go_on(&mut self, peer: PeerId, now: Instant) -> Result<(), JoinError> {
        let waited_for = self.nodes.values().filter(|node| !matches!(node.stage, Stage::New)).count();
        let Some(node) = self.nodes.get_mut(&peer) else { return Ok(()) };
        node.due = now + RETRY;
        if !node.connected {
            let dial = DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .allocate_new_port()
                .addresses(node.addresses.clone())
                .build();
            if let Err(error) = self.swarm.dial(dial) {
                tracing::debug!(%peer, %error, "not dialled");
            }
            return Ok(());
        }
        if node.asked {
            return Ok(());
        }
        if node.requests >= MAX_REQUESTS {
            // A new connection has its own ten seconds.
            let _gone = self.swarm.disconnect_peer_id(peer);
            return Ok(());
        }
        let request = match &node.stage {
            Stage::New if waited_for >= MAX_WAITED_FOR => return Ok(()),
            Stage::New | Stage::Committed(_) => {
                let joining = Joining::new(self.me, JoinNonce::generate()?);
                let commitment = joining.commitment();
                node.stage = Stage::Committed(joining);
                Request::Join { name: self.name.clone(), commitment }
            }
            Stage::Waiting { nonce, .. } => Request::Reveal { nonce: *nonce },
        };
        node.asked = true;
        node.requests += 1;
        self.swarm.behaviour_mut().hello.send_request(&peer, request);
        Ok(())
    }

    async fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> Result<Option<Joined>, JoinError> {
        let now = Instant::now();
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                self.met(peer_id, endpoint.get_remote_address(), now);
                if let Some(node) = self.nodes.get_mut(&peer_id) {
                    (node.connected, node.requests, node.asked) = (true, 0, false);
                }
                self.go_on(peer_id, now)?;
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                if let Some(node) = self.nodes.get_mut(&peer_id) {
                    (node.connected, node.asked) = (false, false);
                    // Where a person decides, the device comes back at once.
                    if matches!(node.stage, Stage::Waiting { .. }) {
                        node.due = now;
                    }
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(found))) => {
                for (peer, address) in found {
                    self.met(peer, &address, now);
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Hello(event)) => return self.on_hello(event, now).await,
            _ => {}
        }
        Ok(None)
    }

    /// Notes where a node is.
    fn met(&mut self, peer: PeerId, address: &Multiaddr, now: Instant) {
        let Some(address) = dialable(address, true) else { return };
        if !self.nodes.contains_key(&peer) && self.nodes.len() >= MAX_NODES {
            return;
        }
        let node = self.nodes.entry(peer).or_insert_with(|| Node {
            addresses: Vec::new(),
            stage: Stage::New,
            due: now,
            connected: false,
            requests: 0,
            asked: false,
        });
        // The last one that was heard of first.
        node.addresses.retain(|known| *known != address);
        node.addresses.insert(0, address);
        node.addresses.truncate(MAX_PEER_ADDRESSES);
    }

    async fn on_hello(
        &mut self,
        event: request_response::Event<Request, Response>,
        now: Instant,
    ) -> Result<Option<Joined>, JoinError> {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Response { response, .. } => {
                    return Ok(self.on_response(peer, response, now).await);
                }
                request_response::Message::Request { channel, .. } => self.on_request(peer, channel, now)?,
            },
            request_response::Event::OutboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "no answer");
                if let Some(node) = self.nodes.get_mut(&peer) {
                    node.asked = false;
                    node.due = now + RETRY;
                }
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {}
        }
        Ok(None)
    }

    /// Answers a node that says hello: it does so when its roster has changed, and this device may be in it now.
    fn on_request(&mut self, peer: PeerId, channel: ResponseChannel<Response>, now: Instant) -> Result<(), JoinError> {
        let unit = match self.nodes.get(&peer).map(|node| &node.stage) {
            Some(Stage::Waiting { unit, .. }) => *unit,
            _ => return Ok(()),
        };
        let hello = Hello {
            unit,
            incarnation: 0,
            roster_version: 0,
            roster_digest: [0; 32],
            clock_ms: unix_ms(),
            listen: Vec::new(),
            peers: Vec::new(),
        };
        drop(self.swarm.behaviour_mut().hello.send_response(channel, Response::Hello { hello, admitted: false }));
        self.go_on(peer, now)
    }

    async fn on_response(&mut self, peer: PeerId, response: Response, now: Instant) -> Option<Joined> {
        let admitter = role_key(&peer)?;
        let me = self.me;
        let node = self.nodes.get_mut(&peer)?;
        node.asked = false;
        let stage = std::mem::replace(&mut node.stage, Stage::New);
        match (response, stage) {
            (Response::Waiting { unit, nonce }, Stage::Committed(joining)) => {
                let (words, nonce) = joining.answer(unit, &admitter, &nonce);
                node.stage = Stage::Waiting { unit, nonce };
                node.due = now;
                self.tell(JoinEvent::Words { admitter, unit, words }).await;
            }
            (Response::Waiting { .. }, waiting @ Stage::Waiting { .. }) => {
                node.stage = waiting;
                node.due = now + POLL_INTERVAL;
            }
            (Response::Documents(documents), Stage::Waiting { unit, nonce }) => {
                match roster(&documents, Some(unit), &me) {
                    Some(roster) => {
                        return Some(Joined { roster, admitter, address: node.addresses.first().cloned() });
                    }
                    None => {
                        tracing::warn!(%peer, "a roster that does not list this device, or is not the unit's");
                        node.stage = Stage::Waiting { unit, nonce };
                        node.due = now + REFUSED_RETRY;
                    }
                }
            }
            // Known there already: the device asks again after it was let in, and nobody has compared words this time.
            (Response::Documents(documents), Stage::Committed(_)) => {
                let roster = roster(&documents, None, &me)?;
                return Some(Joined { roster, admitter, address: node.addresses.first().cloned() });
            }
            (_, Stage::Waiting { .. }) => {
                node.due = now + REFUSED_RETRY;
                self.tell(JoinEvent::Over { admitter }).await;
            }
            _ => node.due = now + REFUSED_RETRY,
        }
        None
    }

    /// Tells the person; a screen that is gone is no reason to stop asking.
    async fn tell(&self, event: JoinEvent) {
        drop(self.events.send(event).await);
    }
}

/// The roster that documents make, if it is this unit's and lists the device.
///
/// This device's clock may be years behind: a newcomer takes the newest document's time for the present.
fn roster(documents: &[Vec<u8>], unit: Option<UnitId>, me: &PublicKey) -> Option<Roster> {
    let read = |now| Roster::from_documents(documents.iter().map(Vec::as_slice), now).ok();
    let newest = read(Timestamp::from_ms(u64::MAX))?.issued();
    let roster = read(newest)?;
    (unit.is_none_or(|unit| roster.unit() == unit) && roster.member(me).is_some()).then_some(roster)
}
