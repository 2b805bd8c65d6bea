//! The mesh: libp2p behind two bounded channels of our own types.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::core::transport::TransportError;
use libp2p::swarm::{Config as SwarmConfig, Swarm};
use muster_keys::{Identity, PublicKey, random_bytes};
use muster_roles::{GroupId, Roster};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::behaviour::Behaviour;
pub use self::discovery::MAX_PLACES;
use self::doors::Doors;
pub use self::joiner::{JoinConfig, JoinError, JoinEvent, Joined, join};
use self::names::ByName;
pub(crate) use self::peer::{peer_id, role_key};
pub use self::sync::{SyncCommand, SyncStreams};
use self::task::{Start, Task};
use self::uplink::Uplink;
pub use crate::engine::policy::Carry;

use crate::control::Found;
use crate::engine::hello::Address;
use crate::engine::io::{GossipHandle, JoinTicket, PublishOutcome, Verdict};
use crate::engine::join::{JoinAnswer, JoinAsk};
use crate::ticks::Ticks;

mod alive;
mod allowance;
mod behaviour;
mod clock;
mod discovery;
mod doors;
mod firsthand;
mod gate;
mod gossip;
mod hearing;
mod hello;
mod intake;
mod joiner;
mod joining;
mod knocks;
mod links;
mod meeting;
mod muxer;
mod names;
mod pace;
mod peer;
mod reports;
pub mod shape;
mod sync;
mod task;
mod translate;
mod transport;
mod uplink;

/// Commands waiting for the network task; a full queue makes the driver wait, which is the back-pressure wanted.
pub const COMMAND_QUEUE_LEN: usize = 256;

/// Events waiting for the driver; when it is full, gossip is answered `Ignore` and counted rather than queued.
pub const EVENT_QUEUE_LEN: usize = 1024;

/// What the network task is told to do.
#[derive(Debug)]
pub enum Command {
    /// Publish a gossip message on a group's topic; answered by [`Event::Published`].
    Publish {
        /// The topic's group.
        group: GroupId,
        /// The message.
        message: Vec<u8>,
    },
    /// Publish a sign of life.
    Beacon(Vec<u8>),
    /// Answer a gossip message given out by [`Event::Gossip`].
    Verdict {
        /// Which one.
        handle: GossipHandle,
        /// The answer.
        verdict: Verdict,
    },
    /// A newer roster is in force: judge every connection anew and tell the peers.
    Roster(Arc<Roster>),
    /// Answer a device that asks to join, given out by [`Event::Join`].
    JoinAnswer {
        /// Which question.
        ticket: JoinTicket,
        /// The answer.
        answer: JoinAnswer,
    },
    /// Close every connection and end the task.
    Shutdown,
}

/// What the network task reports.
#[derive(Debug)]
pub enum Event {
    /// The node listens on this address.
    Listening(Multiaddr),
    /// A gossip message came in and waits for [`Command::Verdict`].
    Gossip {
        /// Names it.
        handle: GossipHandle,
        /// The member from whose node it came.
        bearer: PublicKey,
        /// The topic's group.
        group: GroupId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A sign of life came in and waits for [`Command::Verdict`].
    Beacon {
        /// Names it.
        handle: GossipHandle,
        /// The member from whose node it came.
        bearer: PublicKey,
        /// The beacon.
        bytes: Vec<u8>,
    },
    /// A publish has been carried out, or not.
    Published {
        /// The topic's group.
        group: GroupId,
        /// How it went.
        outcome: PublishOutcome,
    },
    /// A member listens to the topic of this group now.
    Listener {
        /// The topic's group.
        group: GroupId,
        /// The member.
        member: PublicKey,
    },
    /// A peer's newer roster documents, unverified.
    Documents(Vec<Vec<u8>>),
    /// A member is connected and speaks gossip.
    MemberUp(PublicKey),
    /// How a connected member was found is known, or was found in one more way.
    Found {
        /// The member.
        member: PublicKey,
        /// Every way in which it was found; none where it found this node.
        found: BTreeSet<Found>,
    },
    /// A member's last connection is gone.
    MemberDown(PublicKey),
    /// A connected member has told what its clock shows, uncorrected.
    Clock {
        /// The member.
        member: PublicKey,
        /// What its clock showed, in milliseconds since 1970.
        theirs_ms: u64,
        /// What this device's clock showed then, as nearly as it is known: in the middle of the round trip.
        ours_ms: u64,
    },
    /// A connected member has told its roster's version.
    RosterOf {
        /// The member.
        member: PublicKey,
        /// The version.
        version: u64,
    },
    /// Where members can be reached has changed: all the places that are worth remembering, those met last first.
    Places(Vec<Place>),
    /// Gossip to this member was dropped: it does not take it fast enough.
    Slow(PublicKey),
    /// A device that is no member asks to join; it waits for [`Command::JoinAnswer`].
    Join {
        /// Names the question.
        ticket: JoinTicket,
        /// The device's key, proved by the transport.
        key: PublicKey,
        /// What it says.
        ask: JoinAsk,
    },
}

/// Where a member could be reached when last met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The member.
    pub member: PublicKey,
    /// Its addresses in binary form, the one that answered first.
    pub addresses: Vec<Address>,
}

/// How the network side is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    pub listen: Vec<Multiaddr>,
    /// Addresses to keep dialling; they may begin with a host's name.
    pub dial: Vec<Multiaddr>,
    /// Where members could be reached when the node last ran: tried like everything heard since.
    pub places: Vec<Place>,
    /// Whether to find peers by multicast DNS.
    pub mdns: bool,
    /// Which groups' topics to join.
    pub carry: Carry,
}

/// The network side of a running node.
#[derive(Debug)]
pub struct Net {
    /// What it is to do.
    pub commands: mpsc::Sender<Command>,
    /// What it reports.
    pub events: mpsc::Receiver<Event>,
    /// The streams of synchronisation.
    pub sync: SyncStreams,
    /// Its ticks, for who has work to do as often.
    pub ticks: Ticks,
    /// Ends after [`Command::Shutdown`], or when one of the channels is dropped.
    pub task: JoinHandle<()>,
}

/// Why the network side cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address to listen on is taken, not this machine's, or of an unknown kind.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the system says.
        source: TransportError<io::Error>,
    },
    /// An address to dial is of a kind that cannot be dialled.
    #[error("cannot dial {address}: expected /ip4/…, /ip6/… or /dns4/… with /tcp/PORT or /udp/PORT/quic-v1")]
    Dial {
        /// The address.
        address: Multiaddr,
    },
    /// Multicast DNS cannot start.
    #[error("cannot look for peers by multicast DNS")]
    Mdns(#[source] io::Error),
    /// The system has no randomness to give.
    #[error("no random numbers from the system")]
    Random(#[from] muster_keys::RandomError),
    /// The role key or the settings do not suit the network library.
    #[error("the network library refuses its settings: {0}")]
    Setup(String),
}

impl StartError {
    /// Returns what can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Listen { .. } => Some("give another address with `--listen`, for example /ip4/0.0.0.0/tcp/0"),
            Self::Dial { .. } => Some("give `--dial` an address as `muster start --plain` on the other node shows it"),
            Self::Mdns(_) => Some("start with `--no-mdns --dial ADDR`"),
            Self::Random(_) | Self::Setup(_) => None,
        }
    }
}

/// How long a connection with nothing to do is kept: until its other end is found to be gone (`alive`), that is.
const IDLE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Streams on one connection whose protocol is being agreed on.
const MAX_NEGOTIATING: usize = 16;

/// Starts the network side of a node. Must be called within a tokio runtime.
///
/// # Errors
///
/// When an address cannot be listened on or dialled, or the system lacks what is needed.
pub fn start(config: Config, identity: &Identity, roster: Arc<Roster>) -> Result<Net, StartError> {
    let in_vain =
        |address: &&Multiaddr| discovery::dialable(address, true).is_none() && ByName::parse(address).is_none();
    if let Some(address) = config.dial.iter().find(in_vain) {
        return Err(StartError::Dial { address: address.clone() });
    }
    let mut swarm = swarm(&config, identity, &roster)?;
    let uplink = Uplink::new(config.listen.iter());
    for address in config.listen {
        swarm.listen_on(address.clone()).map_err(|source| StartError::Listen { address, source })?;
    }
    let control = swarm.behaviour_mut().sync_control();
    let sync = sync::start(control).map_err(|error| StartError::Setup(error.to_string()))?;
    let (command_tx, commands) = mpsc::channel(COMMAND_QUEUE_LEN);
    let (events, event_rx) = mpsc::channel(EVENT_QUEUE_LEN);
    let ticks = Ticks::new();
    let task = Task::new(Start {
        swarm,
        roster,
        me: identity.public(),
        incarnation: u64::from_le_bytes(random_bytes()?),
        carry: config.carry,
        dial: config.dial,
        uplink,
        places: config.places,
        ticks: ticks.shared(),
        commands,
        events,
    });
    Ok(Net { commands: command_tx, events: event_rx, sync, ticks, task: tokio::spawn(task.run()) })
}

fn swarm(config: &Config, identity: &Identity, roster: &Arc<Roster>) -> Result<Swarm<Behaviour>, StartError> {
    let keypair = peer::keypair(identity).ok_or_else(|| StartError::Setup("not an Ed25519 key".into()))?;
    let me = keypair.public().to_peer_id();
    let mdns = if config.mdns { Some(behaviour::mdns(me).map_err(StartError::Mdns)?) } else { None };
    let gossip = gossip::behaviour(&gossip::Topics::new(roster.unit())).map_err(StartError::Setup)?;
    let transport = transport::transport(&keypair).map_err(|error| StartError::Setup(error.to_string()))?;
    let settings = SwarmConfig::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_LIMIT)
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING);
    Ok(Swarm::new(transport, Behaviour::new(Doors::new(Arc::clone(roster)), gossip, mdns), me, settings))
}
