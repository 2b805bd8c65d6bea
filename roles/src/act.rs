//! What a member may want to do in a group.

use crate::precedence::Precedence;

/// What a record does, as far as the right to it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Say something, as urgent as this.
    Text(Precedence),
    /// Give an order, as urgent as this.
    Order(Precedence),
    /// Answer an order, as urgently as this.
    Answer(Precedence),
    /// Confirm what has been received and read.
    Receipt,
}

impl Act {
    /// Every act there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let urgent = [Self::Text, Self::Order, Self::Answer];
        urgent.into_iter().flat_map(|act| Precedence::ALL.map(act)).chain([Self::Receipt])
    }

    /// How urgent it is.
    #[must_use]
    pub const fn precedence(self) -> Precedence {
        match self {
            Self::Text(precedence) | Self::Order(precedence) | Self::Answer(precedence) => precedence,
            Self::Receipt => Precedence::Routine,
        }
    }
}

impl Default for Act {
    /// A routine text.
    fn default() -> Self {
        Self::Text(Precedence::Routine)
    }
}
