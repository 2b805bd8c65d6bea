//! Patience with members with whom sessions come to nothing.
//!
//! Links break and clocks are set, so one failure says nothing about a member. A member that lets session after session
//! come to nothing is left alone for longer and longer: whatever it is up to, the time belongs to the others.

use std::collections::BTreeMap;

use muster_keys::PublicKey;

use crate::engine::time::UnixMillis;

/// How long a member is left alone after its second failure in a row; twice as long after each further one.
pub(super) const FIRST_PAUSE_MS: u64 = 20_000;

/// The longest that it is left alone.
pub(super) const MAX_PAUSE_MS: u64 = 10 * 60_000;

/// The members whose last session has come to nothing; members only, so the roster bounds them.
#[derive(Debug, Default)]
pub(super) struct Patience {
    strained: BTreeMap<PublicKey, Strained>,
}

#[derive(Clone, Copy, Debug)]
struct Strained {
    /// Failures in a row.
    failures: u32,
    /// Until when it is left alone, and for how long in all.
    pause: Option<(UnixMillis, u64)>,
}

impl Patience {
    /// A session with a member has come to nothing; returns whether the member is left alone for a while.
    pub(super) fn fail(&mut self, peer: PublicKey, now: UnixMillis) -> bool {
        let strained = self.strained.entry(peer).or_insert(Strained { failures: 0, pause: None });
        strained.failures = strained.failures.saturating_add(1);
        let doublings = strained.failures.checked_sub(2);
        strained.pause = doublings.map(|doublings| {
            let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
            let pause_ms = FIRST_PAUSE_MS.saturating_mul(factor).min(MAX_PAUSE_MS);
            (UnixMillis(now.0.saturating_add(pause_ms)), pause_ms)
        });
        strained.pause.is_some()
    }

    /// A session with a member has come to its end.
    pub(super) fn restore(&mut self, peer: &PublicKey) {
        self.strained.remove(peer);
    }

    /// Lets time pass; a clock that was set back does not make a pause longer than it was.
    pub(super) fn tick(&mut self, now: UnixMillis) {
        for strained in self.strained.values_mut() {
            strained.pause =
                strained.pause.filter(|(until, whole_ms)| now < *until && until.0 <= now.0.saturating_add(*whole_ms));
        }
    }

    /// Tells whether a member is left alone.
    pub(super) fn is_paused(&self, peer: &PublicKey) -> bool {
        self.strained.get(peer).is_some_and(|strained| strained.pause.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> UnixMillis {
        UnixMillis(1_780_000_000_000 + ms)
    }

    fn key() -> PublicKey {
        muster_keys::Identity::from_seed(&[7; 32]).public()
    }

    fn failed(times: u32) -> Patience {
        let mut patience = Patience::default();
        for _ in 0..times {
            patience.fail(key(), at(0));
        }
        patience
    }

    fn is_paused_at(times: u32, ms: u64) -> bool {
        let mut patience = failed(times);
        patience.tick(at(ms));
        patience.is_paused(&key())
    }

    #[test]
    fn one_failure_costs_a_member_nothing() {
        assert!(!failed(0).is_paused(&key()) && !failed(1).is_paused(&key()) && failed(2).is_paused(&key()));
    }

    #[test]
    fn each_further_failure_doubles_the_pause_up_to_its_bound() {
        for (failures, pause_ms) in [(2, FIRST_PAUSE_MS), (3, 2 * FIRST_PAUSE_MS), (4, 4 * FIRST_PAUSE_MS)] {
            assert!(is_paused_at(failures, pause_ms - 1) && !is_paused_at(failures, pause_ms), "{failures}");
        }
        for failures in [7, 66, 80] {
            assert!(is_paused_at(failures, MAX_PAUSE_MS - 1) && !is_paused_at(failures, MAX_PAUSE_MS), "{failures}");
        }
    }

    #[test]
    fn a_session_that_comes_to_its_end_makes_up_for_all() {
        let mut patience = failed(5);
        patience.restore(&key());
        assert!(!patience.is_paused(&key()) && !patience.fail(key(), at(0)));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_pause_longer() {
        let mut patience = failed(2);
        patience.tick(UnixMillis(at(0).0 - 1));
        assert!(!patience.is_paused(&key()));
    }
}
