//! A record's name, and the rank in it.

use std::fmt;

use muster_roles::Precedence;

/// What goes first where something waits: the lowest makes room, the highest is sent and fetched before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// A receipt.
    Receipt,
    /// A routine message.
    Routine,
    /// A priority message.
    Priority,
    /// An immediate message.
    Immediate,
    /// A flash message.
    Flash,
}

impl Rank {
    /// All ranks, the lowest first.
    pub const ALL: [Self; 5] = [Self::Receipt, Self::Routine, Self::Priority, Self::Immediate, Self::Flash];

    const fn code(self) -> u8 {
        match self {
            Self::Receipt => 0,
            Self::Routine => 1,
            Self::Priority => 2,
            Self::Immediate => 3,
            Self::Flash => 4,
        }
    }

    /// Reads a rank; a code that is none, which no record's is, counts for the lowest.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Routine,
            2 => Self::Priority,
            3 => Self::Immediate,
            4 => Self::Flash,
            _ => Self::Receipt,
        }
    }
}

impl From<Precedence> for Rank {
    fn from(precedence: Precedence) -> Self {
        match precedence {
            Precedence::Routine => Self::Routine,
            Precedence::Priority => Self::Priority,
            Precedence::Immediate => Self::Immediate,
            Precedence::Flash => Self::Flash,
        }
    }
}

/// A record's name: SHA-256 over its payload, the first byte of it replaced by the record's rank.
///
/// So whoever knows a record by name alone, as one does that is yet to be fetched, knows whether it goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId([u8; 32]);

impl RecordId {
    /// Wraps an id read back from a store or an index.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Names the payload that has this digest and rank.
    pub(super) fn of(digest: [u8; 32], rank: Rank) -> Self {
        let mut id = digest;
        let [first, ..] = &mut id;
        *first = rank.code();
        Self(id)
    }

    /// Returns the record's rank.
    #[must_use]
    pub const fn rank(&self) -> Rank {
        let [code, ..] = self.0;
        Rank::from_code(code)
    }

    /// Returns the id's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(5).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
