//! Screens: how a person or a script talks to the node.
//!
//! A screen knows the node by [`Request`] and [`Event`] alone. [`commands`] understands what is typed; `chat` keeps the
//! state both screens share, purely; `session` is the loop around it; [`run_plain`] and [`run_line`] are the two screens.

pub mod commands;

mod chat;
mod editor;
mod line;
mod plain;
mod printed;
mod session;
mod shown;
mod terminal;
mod turnstile;

#[cfg(test)]
mod sample;

pub use line::run_line;
pub use plain::run_plain;

use muster_roles::{GroupId, Timestamp};

use crate::engine::io::{Notice, PostError, RequestId};
use crate::engine::late::LateRows;
use crate::engine::view::{Profile, Row};
use crate::engine::wire::RecordId;

/// Rows shown when a group is opened: a screenful.
pub const HISTORY_ROWS: usize = 50;

/// Requests and events between a screen and the node: a screenful may wait, then the sender does.
pub const CHANNEL_LEN: usize = 256;

/// What a screen asks of the node.
#[derive(Debug)]
pub enum Request {
    /// Post a message; answered by an [`Event::Row`] once stored, or by [`Event::Refused`].
    Post {
        /// Comes back with a refusal.
        request: RequestId,
        /// Where to.
        group: GroupId,
        /// What.
        text: String,
    },
    /// Show the newest rows of a group; answered by [`Event::History`].
    History {
        /// The group.
        group: GroupId,
    },
    /// Write the last week of a group to a text file; answered by [`Event::Exported`] or [`Event::ExportFailed`].
    Export {
        /// The group.
        group: GroupId,
    },
    /// The person leaves; answered by [`Event::Closed`] once all is stored.
    Leave {
        /// Wait a few seconds too until what was posted has reached somebody: for scripts, which leave at once.
        patient: bool,
    },
}

/// What the node tells a screen.
#[derive(Clone, Debug)]
pub enum Event {
    /// Who sits here; the first event, and again when the roster changes it.
    Profile(Profile),
    /// A message has been stored and may be shown.
    Row(Row),
    /// Messages that came late, together.
    Late(Vec<LateRows>),
    /// The newest rows of a group, oldest first.
    History {
        /// The group.
        group: GroupId,
        /// The rows.
        rows: Vec<Row>,
        /// The last message of the group that had been seen before, by its time and id.
        seen: Option<(Timestamp, RecordId)>,
    },
    /// A post was refused.
    Refused {
        /// The request.
        request: RequestId,
        /// Why.
        reason: PostError,
    },
    /// An export is on disk.
    Exported {
        /// Where.
        path: std::path::PathBuf,
        /// How many messages.
        count: u64,
    },
    /// An export could not be made.
    ExportFailed {
        /// Why, for a person.
        reason: String,
    },
    /// The screen read too slowly: older messages were left out, and can be had by [`Request::History`].
    Missed {
        /// How many events.
        count: u64,
    },
    /// The node listens on this address.
    Listening(String),
    /// A member came within reach or left it.
    Presence {
        /// Members connected now.
        connected: usize,
    },
    /// Something the person should know.
    Notice(Notice),
    /// The node has stopped or is about to; nothing follows.
    Closed,
}
