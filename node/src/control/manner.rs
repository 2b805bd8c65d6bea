//! How something is said: as an order or not, how urgent, and about which other message.

use muster_roles::Precedence;
use serde::{Deserialize, Serialize};

use super::MessageId;
use crate::engine::content;
use crate::engine::draft::Draft;
use crate::engine::view::Row;
use crate::engine::wire::Kind;

/// How something is said; a plain routine text by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// Whether it is an order, which its readers are to answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub order: bool,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "is_routine")]
    pub precedence: Precedence,
    /// Which other message of the group it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
}

/// Which other message a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// It replies to this one.
    Reply(MessageId),
    /// It corrects this one, where both have one author.
    Correction(MessageId),
    /// It says that this order is carried out, or will be.
    Acknowledged(MessageId),
    /// It says that this order cannot be carried out.
    Cannot(MessageId),
}

fn is_routine(precedence: &Precedence) -> bool {
    *precedence == Precedence::Routine
}

impl Manner {
    /// A routine text about another message.
    #[must_use]
    pub fn about(about: About) -> Self {
        Self { about: Some(about), ..Self::default() }
    }

    /// Tells whether it answers an order.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self.about, Some(About::Acknowledged(_) | About::Cannot(_)))
    }

    /// Returns how urgent it is to whoever reads it.
    ///
    /// An answer to an order goes before routine traffic, as somebody waits for it; to a person it is none the more urgent.
    #[must_use]
    pub fn urgency(self) -> Precedence {
        if self.is_answer() && self.precedence == Precedence::Priority { Precedence::Routine } else { self.precedence }
    }

    /// Says a text like this.
    ///
    /// What answers an order is about it, whatever else is said; it is never less urgent than priority.
    #[must_use]
    pub fn draft(self, text: String) -> Draft {
        let draft = match self.about {
            Some(About::Acknowledged(of)) => Draft::acknowledgement(of.into(), text),
            Some(About::Cannot(of)) => Draft::cannot(of.into(), text),
            Some(About::Reply(to)) => Draft::reply(to.into(), text),
            Some(About::Correction(of)) => Draft::correction(of.into(), text),
            None if self.order => Draft::order(text),
            None => Draft::text(text),
        };
        let precedence = draft.precedence.max(self.precedence);
        draft.with_precedence(precedence)
    }
}

impl From<&Row> for Manner {
    fn from(row: &Row) -> Self {
        let about = row.about().map(|about| match about {
            content::About::Reply(id) => About::Reply(id.into()),
            content::About::Correction(id) => About::Correction(id.into()),
            content::About::Acknowledged(id) => About::Acknowledged(id.into()),
            content::About::Cannot(id) => About::Cannot(id.into()),
        });
        Self { order: row.kind() == Kind::Order, precedence: row.precedence(), about }
    }
}

impl About {
    /// Returns the other message.
    #[must_use]
    pub fn id(self) -> MessageId {
        match self {
            Self::Reply(id) | Self::Correction(id) | Self::Acknowledged(id) | Self::Cannot(id) => id,
        }
    }
}
