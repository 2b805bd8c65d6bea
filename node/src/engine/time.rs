//! The hybrid logical clock: wall time that never runs backwards and sorts replies after what they answer.
//!
//! After Kulkarni et al., "Logical Physical Clocks" (2014), with 48 bits of milliseconds and a 16-bit counter.

use muster_roles::Timestamp;

mod unit;

pub use unit::{ClockNews, UnitTime};

/// No clock is believed that is further ahead than this, in milliseconds.
pub const MAX_AHEAD_MS: u64 = 5 * 60 * 1000;

/// Wall-clock time in Unix milliseconds, as the outside world gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub u64);

/// Stamps this node's records.
#[derive(Clone, Debug)]
pub struct Clock {
    last: Timestamp,
}

impl Clock {
    /// Starts a clock that never goes below `floor`: the newest of the roster's and the store's times.
    #[must_use]
    pub fn new(floor: Timestamp) -> Self {
        Self { last: floor }
    }

    /// Returns a stamp later than every one given or observed before.
    pub fn stamp(&mut self, now: UnixMillis) -> Timestamp {
        self.last = Timestamp::from_ms(now.0).max(self.last.next());
        self.last
    }

    /// Learns of another's stamp, so that what follows sorts after it; at most [`MAX_AHEAD_MS`] ahead of `now`.
    pub fn observe(&mut self, seen: Timestamp, now: UnixMillis) {
        let cap = Timestamp::from_ms(now.0.saturating_add(MAX_AHEAD_MS));
        self.last = self.last.max(seen.min(cap));
    }

    /// Makes sure that no later stamp is below `floor`, however far ahead that is.
    ///
    /// Only for what the unit's authority has signed: a device without a battery clock takes its time from there.
    pub fn raise(&mut self, floor: Timestamp) {
        self.last = self.last.max(floor);
    }

    /// Makes good what a wrong clock has done, once others have confirmed that it is `now`: stamps that ran further
    /// ahead than anybody believes start anew from the present, though never below `floor`, which authority has signed.
    ///
    /// The one step back that stamps ever take: everything stamped ahead would be ignored by all until its time comes.
    pub fn rein_in(&mut self, now: UnixMillis, floor: Timestamp) {
        if self.last.ms() > now.0.saturating_add(MAX_AHEAD_MS) {
            self.last = Timestamp::from_ms(now.0).max(floor);
        }
    }

    /// Returns the present as this node believes it: its wall clock, or its last stamp where that is later.
    #[must_use]
    pub fn present(&self, now: UnixMillis) -> Timestamp {
        self.last.max(Timestamp::from_ms(now.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn stamps_of_one_millisecond_still_rise() {
        let mut clock = Clock::new(Timestamp::ZERO);
        let first = clock.stamp(NOON);
        let second = clock.stamp(NOON);
        assert_eq!(first.ms(), NOON.0);
        assert!(second > first);
        assert_eq!(second.ms(), NOON.0);
    }

    #[test]
    fn a_wall_clock_set_back_does_not_set_stamps_back() {
        let mut clock = Clock::new(Timestamp::ZERO);
        let before = clock.stamp(NOON);
        assert!(clock.stamp(UnixMillis(0)) > before);
    }

    #[test]
    fn a_reply_sorts_after_what_it_answers_though_its_clock_is_behind() {
        let mut clock = Clock::new(Timestamp::ZERO);
        let question = Timestamp::from_ms(NOON.0 + 60_000);
        clock.observe(question, NOON);
        assert!(clock.stamp(NOON) > question);
    }

    #[test]
    fn a_stamp_from_far_ahead_moves_the_clock_five_minutes_and_no_more() {
        let mut clock = Clock::new(Timestamp::ZERO);
        clock.observe(Timestamp::from_ms(NOON.0 * 2), NOON);
        assert_eq!(clock.stamp(NOON).ms(), NOON.0 + MAX_AHEAD_MS);
    }

    #[test]
    fn a_device_whose_clock_stands_at_1970_stamps_after_the_roster() {
        let issued = Timestamp::from_ms(NOON.0);
        let mut clock = Clock::new(Timestamp::ZERO);
        clock.raise(issued);
        assert!(clock.stamp(UnixMillis(0)) > issued);
    }
}
