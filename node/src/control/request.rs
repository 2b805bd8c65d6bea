//! What is asked of a node.

use muster_roles::GroupId;
use serde::{Deserialize, Serialize};

use super::{Change, Manner, MessageId, Position};

/// Names one request of a screen, so that its answer finds the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// One request of a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Comes back with the answer.
    pub id: RequestId,
    /// What is asked.
    pub request: Request,
}

/// What is asked of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Post a message; answered by [`Answer::Posted`](super::Answer::Posted) once it is stored.
    Post {
        /// Where to.
        group: GroupId,
        /// What.
        text: String,
        /// How.
        #[serde(flatten)]
        manner: Manner,
        /// Answer only once a member that may read it has confirmed it, or so many milliseconds after it is stored,
        /// whichever is first; where its readers do not confirm, once anybody has it.
        #[serde(default)]
        wait_ms: u64,
    },
    /// Show a page of a group's messages; answered by [`Answer::Page`](super::Answer::Page).
    Page {
        /// The group.
        group: GroupId,
        /// Messages older than this one; the newest, if none is given.
        before: Option<Position>,
        /// How many, at most [`MAX_PAGE_LEN`](super::MAX_PAGE_LEN).
        limit: usize,
    },
    /// The person has read a group up to this message; whoever shows the group is told by
    /// [`Event::Read`](super::Event::Read).
    Read {
        /// The group.
        group: GroupId,
        /// The newest message read.
        upto: Position,
    },
    /// Write the last week of a group to a text file; answered by [`Answer::Exported`](super::Answer::Exported).
    Export {
        /// The group.
        group: GroupId,
    },
    /// Tell who has a message; answered by [`Answer::Matrix`](super::Answer::Matrix).
    Who {
        /// Its group.
        group: GroupId,
        /// The message.
        id: MessageId,
    },
    /// List the orders of the week; answered by [`Answer::Orders`](super::Answer::Orders).
    Orders,
    /// List the groups that the member may read; answered by [`Answer::Groups`](super::Answer::Groups).
    Groups,
    /// List the members; answered by [`Answer::Members`](super::Answer::Members).
    Members,
    /// List the connected members; answered by [`Answer::Peers`](super::Answer::Peers).
    Peers,
    /// Tell how the node is; answered by [`Answer::Status`](super::Answer::Status).
    Status,
    /// Change the roster; answered by [`Answer::Changed`](super::Answer::Changed).
    Change(Change),
    /// List the devices that ask to be admitted; answered by [`Answer::JoinRequests`](super::Answer::JoinRequests).
    JoinRequests,
    /// The person leaves this screen; the node ends only where the screen is the one it was started with.
    Leave {
        /// Wait a few seconds too until what was posted has reached somebody: for scripts, which leave at once.
        patient: bool,
    },
    /// End the node.
    Shutdown {
        /// Wait a few seconds too until what was posted has reached somebody.
        patient: bool,
    },
    /// End the node at once, and destroy its home: the key, the roster with the group keys, and the messages.
    Wipe,
}
