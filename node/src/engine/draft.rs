//! What a member wants to say, before it is a record.

use muster_roles::Precedence;

use super::content::About;
use super::wire::{Kind, RecordId};

/// What a member wants to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    kind: Kind,
    /// How urgent it is.
    pub precedence: Precedence,
    about: Option<About>,
    /// The text; trimmed and bounded by the engine.
    pub text: String,
}

impl Draft {
    /// A text message, or one about another: a reply or a correction.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: Kind::Text, precedence: Precedence::Routine, about: None, text: text.into() }
    }

    /// A reply to another message of the group.
    #[must_use]
    pub fn reply(to: RecordId, text: impl Into<String>) -> Self {
        Self { about: Some(About::Reply(to)), ..Self::text(text) }
    }

    /// A correction of a message of one's own in the group.
    #[must_use]
    pub fn correction(of: RecordId, text: impl Into<String>) -> Self {
        Self { about: Some(About::Correction(of)), ..Self::text(text) }
    }

    /// An order.
    #[must_use]
    pub fn order(text: impl Into<String>) -> Self {
        Self { kind: Kind::Order, ..Self::text(text) }
    }

    /// An answer to an order: that it is carried out, with or without a text.
    ///
    /// Answers go before routine traffic: somebody waits for them.
    #[must_use]
    pub fn acknowledgement(of: RecordId, text: impl Into<String>) -> Self {
        Self { about: Some(About::Acknowledged(of)), ..Self::answer(text) }
    }

    /// An answer to an order: that it cannot be carried out, with or without a text.
    #[must_use]
    pub fn cannot(of: RecordId, text: impl Into<String>) -> Self {
        Self { about: Some(About::Cannot(of)), ..Self::answer(text) }
    }

    fn answer(text: impl Into<String>) -> Self {
        Self { kind: Kind::Answer, precedence: Precedence::Priority, ..Self::text(text) }
    }

    /// The same, as urgent as this.
    #[must_use]
    pub fn with_precedence(self, precedence: Precedence) -> Self {
        Self { precedence, ..self }
    }

    /// Returns its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns what it is about.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        self.about
    }

    /// Tells whether it may be without a text.
    #[must_use]
    pub fn may_be_empty(&self) -> bool {
        self.kind == Kind::Answer
    }
}

impl From<String> for Draft {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Draft {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}
