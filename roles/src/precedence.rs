//! How urgent a message is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How urgent a message is: the four precedences of ACP 121, the lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precedence {
    /// What need not hurry.
    #[default]
    Routine,
    /// What goes before routine traffic.
    Priority,
    /// What bears on operations that are under way.
    Immediate,
    /// First contact and the like: for the commander and the leaders alone.
    Flash,
}

impl Precedence {
    /// All four, the lowest first.
    pub const ALL: [Self; 4] = [Self::Routine, Self::Priority, Self::Immediate, Self::Flash];

    /// Returns its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::Priority => "priority",
            Self::Immediate => "immediate",
            Self::Flash => "flash",
        }
    }
}

impl fmt::Display for Precedence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is no precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected routine, priority, immediate or flash")]
pub struct PrecedenceError;

impl FromStr for Precedence {
    type Err = PrecedenceError;

    fn from_str(text: &str) -> Result<Self, PrecedenceError> {
        Self::ALL.into_iter().find(|precedence| precedence.as_str() == text).ok_or(PrecedenceError)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_precedence_is_read_as_it_is_written_and_nothing_else_is() {
        for precedence in Precedence::ALL {
            assert_eq!(precedence.to_string().parse(), Ok(precedence));
        }
        assert_eq!("Flash".parse::<Precedence>(), Err(PrecedenceError));
    }

    #[test]
    fn flash_goes_before_all_and_routine_is_meant_where_nothing_is_said() {
        assert!(Precedence::ALL.is_sorted());
        assert_eq!((Precedence::default(), Precedence::ALL.last()), (Precedence::Routine, Some(&Precedence::Flash)));
    }
}
