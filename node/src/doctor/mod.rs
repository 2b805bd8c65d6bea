//! `muster doctor`: why nodes may not see each other, in plain words, and what to do about it.
//!
//! [`Facts`] are gathered first, by what may look at the system; the checks are pure functions over them.

mod checks;
mod device;
mod dial;
mod facts;
mod gather;
mod search;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod system;

use serde::Serialize;

pub use self::dial::{Dial, dial};
pub use self::facts::Facts;
pub use self::gather::{Asked, gather};

/// How good or bad what was found is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth knowing: it may be in the way, or be meant so.
    Note,
    /// In the way.
    Problem,
}

/// One thing that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check that found it, a word.
    pub check: &'static str,
    /// How good or bad it is.
    pub level: Level,
    /// What it is, in a sentence.
    pub what: String,
    /// What to do.
    pub advice: Option<String>,
}

impl Finding {
    fn good(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, level: Level::Good, what: what.into(), advice: None }
    }

    fn note(check: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, level: Level::Note, what: what.into(), advice: Some(advice.into()) }
    }

    fn problem(check: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, level: Level::Problem, what: what.into(), advice: Some(advice.into()) }
    }
}

/// Examines what was gathered: every check, the device's own first.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    [device::CHECKS, checks::CHECKS].concat().into_iter().flat_map(|check| check(facts)).collect()
}

/// A pure function over the facts.
type Check = fn(&Facts) -> Vec<Finding>;
