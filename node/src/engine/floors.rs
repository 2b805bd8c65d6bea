//! How far back something reaches, rank by rank.

use muster_roles::Timestamp;

use super::sync::SyncId;
use super::wire::Rank;

/// The oldest time that is kept of each rank: what is less urgent reaches less far back where there is little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floors([Timestamp; Rank::ALL.len()]);

impl Floors {
    /// Everything is kept.
    pub const NONE: Self = Self::at(Timestamp::ZERO);

    /// All ranks reach back to the same time.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        Self([time; Rank::ALL.len()])
    }

    /// Returns the oldest time that is kept of a rank.
    #[must_use]
    pub const fn of(&self, rank: Rank) -> Timestamp {
        let [receipt, routine, priority, immediate, flash] = self.0;
        match rank {
            Rank::Receipt => receipt,
            Rank::Routine => routine,
            Rank::Priority => priority,
            Rank::Immediate => immediate,
            Rank::Flash => flash,
        }
    }

    /// Sets the oldest time that is kept of a rank.
    pub const fn set(&mut self, rank: Rank, time: Timestamp) {
        let [receipt, routine, priority, immediate, flash] = &mut self.0;
        *match rank {
            Rank::Receipt => receipt,
            Rank::Routine => routine,
            Rank::Priority => priority,
            Rank::Immediate => immediate,
            Rank::Flash => flash,
        } = time;
    }

    /// Returns what is kept by both of two.
    #[must_use]
    pub fn max(mut self, other: Self) -> Self {
        for (time, other) in self.0.iter_mut().zip(other.0) {
            *time = other.max(*time);
        }
        self
    }

    /// Tells whether a record of this time and rank is kept.
    #[must_use]
    pub fn keep(&self, time: Timestamp, rank: Rank) -> bool {
        time >= self.of(rank)
    }

    /// Tells whether the record of this name is kept.
    #[must_use]
    pub fn keep_name(&self, name: &SyncId) -> bool {
        self.keep(name.time(), name.rank())
    }

    /// Returns the time before which nothing is kept.
    #[must_use]
    pub fn lowest(&self) -> Timestamp {
        self.0.into_iter().fold(Timestamp::from_u64(u64::MAX), Timestamp::min)
    }

    /// Returns the time from which on all is kept.
    #[must_use]
    pub fn highest(&self) -> Timestamp {
        self.0.into_iter().fold(Timestamp::ZERO, Timestamp::max)
    }

    /// Returns the times as they travel: the lowest rank's first, and of equal ones at the end only one.
    #[must_use]
    pub fn to_times(&self) -> Vec<u64> {
        let mut times: Vec<u64> = self.0.iter().map(|time| time.to_u64()).collect();
        while let [.., one, last] = times[..]
            && one == last
        {
            times.pop();
        }
        times
    }

    /// Takes the times as they travel; nothing where there are none or too many.
    #[must_use]
    pub fn from_times(times: &[u64]) -> Option<Self> {
        let last = *times.last()?;
        let mut floors = Self::at(Timestamp::from_u64(last));
        if times.len() > floors.0.len() {
            return None;
        }
        for (floor, time) in floors.0.iter_mut().zip(times) {
            *floor = Timestamp::from_u64(*time);
        }
        Some(floors)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Floors at these times, the lowest rank's first.
    fn floors(times: [u64; 5]) -> Floors {
        Floors(times.map(Timestamp::from_u64))
    }

    #[test]
    fn each_rank_has_a_floor_of_its_own() {
        let mut floors = Floors::NONE;
        for (rank, ms) in Rank::ALL.into_iter().zip([50, 40, 30, 20, 10]) {
            floors.set(rank, Timestamp::from_ms(ms));
            assert_eq!(floors.of(rank), Timestamp::from_ms(ms));
            assert!(floors.keep(Timestamp::from_ms(ms), rank) && !floors.keep(Timestamp::from_ms(ms - 1), rank));
        }
        assert_eq!((floors.lowest(), floors.highest()), (Timestamp::from_ms(10), Timestamp::from_ms(50)));
    }

    #[test]
    fn equal_times_of_the_more_urgent_travel_once() {
        for (times, travels) in [
            ([7; 5], &[7][..]),
            ([9, 8, 7, 7, 7], &[9, 8, 7]),
            ([7, 7, 7, 7, 8], &[7, 7, 7, 7, 8]),
            ([7, 7, 8, 8, 8], &[7, 7, 8]),
        ] {
            assert_eq!(floors(times).to_times(), travels);
        }
        assert_eq!(Floors::from_times(&[]), None);
        assert_eq!(Floors::from_times(&[1, 2, 3, 4, 5, 6]), None);
    }

    proptest! {
        #[test]
        fn floors_come_back_as_they_went(times in proptest::array::uniform5(0_u64..3)) {
            prop_assert_eq!(Floors::from_times(&floors(times).to_times()), Some(floors(times)));
        }

        #[test]
        fn what_both_of_two_keep_is_what_their_maximum_keeps(
            one in proptest::array::uniform5(0_u64..9), other in proptest::array::uniform5(0_u64..9), time in 0_u64..9,
        ) {
            let (one, other, time) = (floors(one), floors(other), Timestamp::from_u64(time));
            let both = one.max(other);
            for rank in Rank::ALL {
                prop_assert_eq!(both.keep(time, rank), one.keep(time, rank) && other.keep(time, rank));
                prop_assert!(!both.keep(time, rank) || both.lowest() <= time);
                prop_assert!(both.keep(time, rank) || time < both.highest());
            }
        }
    }
}
