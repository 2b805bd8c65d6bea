//! What the members' clocks change: the time that records are stamped and judged by, and when old ones go.

use muster_keys::PublicKey;
use muster_roles::Timestamp;

use super::State;
use crate::engine::io::{Effect, Notice};
use crate::engine::store::RETENTION_MS;
use crate::engine::time::{ClockNews, UnixMillis};

/// How often what is older than the week is dropped, in milliseconds.
const PRUNE_INTERVAL_MS: u64 = 60 * 60 * 1000;

impl State {
    /// Returns the unit's time, as this device knows it, when its own clock shows `wall`.
    pub fn unit_time(&mut self, wall: UnixMillis) -> UnixMillis {
        self.unit_time.now(wall)
    }

    pub(super) fn on_clock(&mut self, member: &PublicKey, theirs: UnixMillis, ours: UnixMillis) -> Vec<Effect> {
        let news = self.unit_time.read(member, theirs, ours, self.roster.issued());
        news.and_then(|news| self.clock_notice(news)).into_iter().collect()
    }

    fn clock_notice(&self, news: ClockNews) -> Option<Effect> {
        Some(Effect::Notice(match news {
            ClockNews::Off(by_ms) => Notice::ClockOff { by_ms },
            ClockNews::Mended => Notice::ClockMended,
            ClockNews::Differs(member, by_ms) => {
                Notice::ClocksDiffer { member: self.roster.member(&member)?.name, by_ms }
            }
        }))
    }

    /// Tells of a clock that disagrees, and drops what is older than the week, but only once another clock has confirmed what time it is.
    ///
    /// A device that is alone cannot tell a week's absence from a clock that jumped ahead: it keeps everything, which
    /// is no more than its own member has to say. So a wrong clock costs no record, however wrong it is.
    pub(super) fn keep_time(&mut self, now: UnixMillis) -> Vec<Effect> {
        if !self.unit_time.is_confirmed() {
            let overdue = self.unit_time.overdue();
            return overdue.and_then(|news| self.clock_notice(news)).into_iter().collect();
        }
        self.clock.rein_in(now, self.roster.issued());
        // A time of pruning in the future means that the clock has been set back since.
        if self.pruned.is_some_and(|last| now.0.abs_diff(last.0) < PRUNE_INTERVAL_MS) {
            return Vec::new();
        }
        self.pruned = Some(now);
        let before = Timestamp::from_ms(now.0.saturating_sub(RETENTION_MS));
        self.sync.prune(before);
        self.unsent.prune(before);
        self.holes.prune(before);
        self.orders.prune(before);
        let mut effects = self.prune_roster(now);
        effects.push(Effect::Prune { before });
        effects
    }
}
