//! What a node answers.

use std::path::PathBuf;

use muster_roles::{GroupId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Changed, Delivery, GroupState, JoinRequest, Matrix, Member, Message, MessageId, Order, Peer, Position, Status,
};

/// What a node answers to a request that it has carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// A message is stored.
    Posted(Posted),
    /// A page of messages.
    Page(Page),
    /// An export is on disk.
    Exported {
        /// Where.
        path: PathBuf,
        /// How many messages.
        count: u64,
    },
    /// Who has a message.
    Matrix(Matrix),
    /// The orders of the week.
    Orders {
        /// The oldest first.
        orders: Vec<Order>,
    },
    /// The groups that the member may read, heads first.
    Groups {
        /// The groups.
        groups: Vec<GroupState>,
    },
    /// The members of the unit.
    Members {
        /// The members, the commander first.
        members: Vec<Member>,
    },
    /// The members that are connected.
    Peers {
        /// The members.
        peers: Vec<Peer>,
    },
    /// How the node is.
    Status(Box<Status>),
    /// The roster has been changed.
    Changed(Changed),
    /// The devices that ask to be admitted.
    JoinRequests {
        /// The oldest first.
        requests: Vec<JoinRequest>,
    },
    /// It is done, and there is nothing to tell.
    Done,
}

/// A message that has been stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Its name.
    pub id: MessageId,
    /// Where it was posted.
    pub group: GroupId,
    /// Where it stands in the group; its time is in it.
    pub position: Position,
    /// Its own time in UTC, for people.
    pub time: String,
    /// How far it had come when this was said.
    pub delivery: Delivery,
}

impl Posted {
    /// Describes a message that has just been stored, and that nobody else is known to have.
    #[must_use]
    pub fn new(group: GroupId, time: Timestamp, id: MessageId) -> Self {
        let position = Position { time, id };
        Self { id, group, position, time: super::message::rfc3339(time), delivery: Delivery::Waiting }
    }
}

/// Messages of a group in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The group.
    pub group: GroupId,
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// Ask for what is before this to get the page of older messages; nothing where there are none.
    pub older: Option<Position>,
    /// The newest message of the group that had been read when this was said.
    pub seen: Option<Position>,
}
