//! Why a node has not done what it was asked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::io::PostError;

/// Why a node has not done what it was asked, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// What kind of reason it is.
    pub kind: RefusalKind,
    /// The reason.
    pub error: String,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What kind of reason a refusal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The request makes no sense.
    Invalid,
    /// The member may not.
    Denied,
    /// There is no such thing.
    Unknown,
    /// It is too long.
    TooLarge,
    /// Not now, but in a moment.
    Busy,
    /// The node could not do it.
    Failed,
}

impl Refusal {
    /// A refusal with no more to say than why.
    pub fn new(kind: RefusalKind, error: impl fmt::Display) -> Self {
        Self { kind, error: error.to_string(), hint: None }
    }

    /// Adds what can be done about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The refusal of a request to a node that is ending.
    #[must_use]
    pub fn ending() -> Self {
        Self::new(RefusalKind::Busy, "the node is ending")
    }
}

impl From<PostError> for Refusal {
    fn from(error: PostError) -> Self {
        let kind = match &error {
            PostError::Denied(_) => RefusalKind::Denied,
            PostError::Empty => RefusalKind::Invalid,
            PostError::NoOrder => RefusalKind::Unknown,
            PostError::TooLong { .. } => RefusalKind::TooLarge,
            PostError::Busy => RefusalKind::Busy,
            PostError::NoKey { .. } | PostError::StoreFailed | PostError::Seal => RefusalKind::Failed,
        };
        Self { kind, error: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}
