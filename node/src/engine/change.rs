//! Changes of the roster by this node's own member: one after the other, each made upon the one before.

use std::collections::VecDeque;

use muster_roles::{Edit, EditError, Refusal};

use super::io::RequestId;

/// Changes that may wait: more than a person asks for while one is being signed.
pub const MAX_CHANGES: usize = 16;

/// A change of the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Make an edit by this member's own right.
    Make(Edit),
    /// End the epochs that are old and this member's to end.
    RekeyDue,
    /// Take in documents that have been signed elsewhere.
    Adopt(Vec<Vec<u8>>),
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The change cannot be made, or not by this member.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The roster does not take a document.
    #[error("the roster does not take the document: {0}")]
    Refused(#[from] Refusal),
    /// Too many changes wait already.
    #[error("earlier changes are still being made")]
    Busy,
}

impl ChangeError {
    /// Returns what can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Edit(error) => error.hint(),
            Self::Refused(_) => None,
            Self::Busy => Some("try again in a moment".to_owned()),
        }
    }
}

/// A change, and who waits for it.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Nobody, where the node changes the roster by itself.
    pub(super) request: Option<RequestId>,
    pub(super) change: Change,
}

/// The changes that are wanted and not made yet.
#[derive(Debug, Default)]
pub(super) struct Changes {
    waiting: VecDeque<Wanted>,
    /// Being signed outside the engine.
    pub(super) signing: Option<Wanted>,
}

impl Changes {
    /// Takes in a change, if there is room.
    pub(super) fn push(&mut self, wanted: Wanted) -> Result<(), Wanted> {
        if self.waiting.len() >= MAX_CHANGES {
            return Err(wanted);
        }
        self.waiting.push_back(wanted);
        Ok(())
    }

    /// Returns the next change to make, unless one is being signed.
    pub(super) fn next(&mut self) -> Option<Wanted> {
        if self.signing.is_some() { None } else { self.waiting.pop_front() }
    }
}
