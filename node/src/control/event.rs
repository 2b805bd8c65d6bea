//! What a node tells by itself.

use muster_roles::GroupId;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Delivery, JoinRequest, Member, Message, MessageId, Notice, Order, Position, Profile, Refusal, RequestId,
};
use crate::engine::late::LateRows;

/// What a node tells those who listen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Who sits here; the first event, and again when the roster changes it.
    Profile(Profile),
    /// A message has been stored and may be shown; also again, when one that was told waits no more or otherwise changes.
    Message(Message),
    /// Messages that came late, together.
    Late {
        /// By group.
        groups: Vec<Late>,
    },
    /// How far messages of this member have come.
    Delivery {
        /// Their group.
        group: GroupId,
        /// The messages.
        ids: Vec<MessageId>,
        /// How far.
        delivery: Delivery,
    },
    /// An order has been given, or answered.
    Order(Order),
    /// A group has been read further, here or at another screen.
    Read {
        /// The group.
        group: GroupId,
        /// The newest message read.
        upto: Position,
        /// Messages of others that are newer.
        unread: u64,
    },
    /// The node listens on this address.
    Listening {
        /// The address.
        address: String,
    },
    /// A member came within reach or left it.
    Presence {
        /// Members connected now.
        connected: usize,
    },
    /// What is known of a member has changed.
    Member(Member),
    /// A device asks to be admitted, or does not any more.
    JoinRequests {
        /// All that ask now, the oldest first.
        requests: Vec<JoinRequest>,
    },
    /// Something the person should know.
    Notice(Notice),
    /// Whoever listens took too long: events were left out. Messages among them can be had by
    /// [`Request::Page`](super::Request::Page).
    Missed {
        /// How many events.
        count: u64,
    },
    /// A request of this very screen has been carried out.
    Answered {
        /// The request.
        to: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// A request of this very screen has not been carried out.
    Refused {
        /// The request.
        to: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// The node has stopped or is about to; nothing follows.
    Closed,
}

/// Messages of one group that came late, together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// The group.
    pub group: GroupId,
    /// The newest of them, oldest first; a screenful.
    pub messages: Vec<Message>,
    /// How many older ones there are beside them.
    pub older: u64,
    /// Whether all are from before this node was last joined by a member.
    pub while_away: bool,
}

impl From<LateRows> for Late {
    fn from(late: LateRows) -> Self {
        let LateRows { group, rows, older, while_away } = late;
        Self { group, messages: rows.into_iter().map(Message::from).collect(), older, while_away }
    }
}
