//! What a node and those who use it say to each other: plain data, the same for a screen in the node's own process, one
//! that is attached over the control socket, and a command that asks one thing and ends.
//!
//! A [`Request`] is answered by one [`Answer`] or one [`Refusal`]; [`Event`]s come by themselves. A screen has one channel
//! each way: it sends [`Ask`]s, and is told [`Event`]s, the answers to its own questions among them. Everything here can be
//! written as JSON and read back.

mod answer;
mod attend;
mod event;
mod export;
mod manner;
mod matrix;
mod member;
mod message;
mod node;
mod notice;
mod order;
mod profile;
mod refusal;
mod request;
mod role;
mod roster;
mod status;

pub use crate::engine::MAX_TEXT_LEN;
pub use crate::engine::mention::calls;
pub use crate::engine::view::{Printable, Text};
pub use answer::{Answer, Page, Posted};
pub use attend::{answered, attend};
pub use event::{Event, Late};
pub use export::{Export, Format};
pub use manner::{About, Manner};
pub use matrix::{Matrix, Receiver};
pub use member::{Carries, Found, Member, Peer, Presence};
pub(crate) use message::FROM_REMOVED;
pub use message::{Delivery, Message, MessageId, Position, PositionError};
pub use node::{
    CALL_QUEUE_LEN, Call, EXPORT_QUEUE_LEN, EventId, EventIdError, Exporting, Listening, Node, Piece, Reply, Told, line,
};
pub use notice::Notice;
pub use order::{Order, OrderAnswer};
pub use profile::{GroupChoice, GroupState, Profile};
pub use refusal::{Refusal, RefusalKind};
pub use request::{Ask, Request, RequestId};
pub use roster::{Change, Changed, JoinRequest};
pub use status::{ClockState, PeerRoster, RosterState, Status};

/// Messages on a page that nobody has asked more of: a screenful.
pub const PAGE_LEN: usize = 50;

/// The most messages on a page: a few MiB at the very most.
pub const MAX_PAGE_LEN: usize = 500;

/// Requests and events between a screen and the node: a screenful may wait, then the sender does.
pub const SCREEN_QUEUE_LEN: usize = 256;
