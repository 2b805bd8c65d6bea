//! The mesh: libp2p behind two bounded channels of our own types.

use std::sync::Arc;

use libp2p::Multiaddr;
use muster_keys::PublicKey;
use muster_roles::{GroupId, Roster};

use crate::engine::io::{GossipHandle, PublishOutcome, Verdict};

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
    /// Answer a gossip message given out by [`Event::Gossip`].
    Verdict {
        /// Which one.
        handle: GossipHandle,
        /// The answer.
        verdict: Verdict,
    },
    /// A newer roster is in force: judge every connection anew and tell the peers.
    Roster(Arc<Roster>),
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
        /// The topic's group.
        group: GroupId,
        /// The message.
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
    },
    /// A peer's newer roster documents, unverified.
    Documents(Vec<Vec<u8>>),
    /// A member is connected and speaks gossip.
    MemberUp(PublicKey),
    /// A member's last connection is gone.
    MemberDown(PublicKey),
}

/// Which groups' records a node stores and forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carry {
    /// Every group's, readable or not.
    #[default]
    All,
    /// Only those that its own member may read.
    Own,
}

/// How the network side is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    pub listen: Vec<Multiaddr>,
    /// Addresses to keep dialling.
    pub dial: Vec<Multiaddr>,
    /// Whether to find peers by multicast DNS.
    pub mdns: bool,
    /// Which groups' topics to join.
    pub carry: Carry,
}
