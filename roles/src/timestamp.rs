//! Hybrid time: wall-clock milliseconds with a counter for what happens within one.

use serde::{Deserialize, Serialize};

/// How many low bits hold the counter.
const COUNTER_BITS: u32 = 16;

/// The last millisecond that fits above the counter: the year 10889, so no real clock reaches it.
const MAX_MS: u64 = u64::MAX >> COUNTER_BITS;

/// An instant of the hybrid logical clock: `unix_ms << 16 | counter`.
///
/// The counter lets an answer sort after what it answers within the same millisecond, and lets time go
/// on when a clock has been set back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant before all others.
    pub const ZERO: Self = Self(0);

    /// The first instant of a millisecond since the Unix epoch; milliseconds past the range are clamped.
    pub const fn from_ms(ms: u64) -> Self {
        let ms = if ms > MAX_MS { MAX_MS } else { ms };
        Self(ms << COUNTER_BITS)
    }

    /// The milliseconds since the Unix epoch, without the counter.
    pub const fn ms(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    /// The instant that a number read from a record or document stands for.
    pub const fn from_u64(value: u64) -> Self {
        Self(value)
    }

    /// The number that records and documents carry.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The instant right after this one; the last instant is its own successor.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// This instant moved forward by milliseconds, stopping at the last instant.
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(Self::from_ms(ms).0))
    }

    /// This instant moved back by milliseconds, stopping at [`Timestamp::ZERO`].
    pub const fn minus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(Self::from_ms(ms).0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn milliseconds_come_back_without_the_counter() {
        let t = Timestamp::from_ms(1_795_000_000_123);
        assert_eq!(t.ms(), 1_795_000_000_123);
        assert_eq!(t.next().ms(), t.ms());
        assert!(t < t.next() && t.next() < Timestamp::from_ms(1_795_000_000_124));
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let last = Timestamp::from_u64(u64::MAX);
        assert_eq!(last.next(), last);
        assert_eq!(last.plus_ms(1), last);
        assert_eq!(Timestamp::ZERO.minus_ms(1), Timestamp::ZERO);
        assert_eq!(Timestamp::from_ms(u64::MAX).ms(), MAX_MS);
    }

    proptest! {
        #[test]
        fn number_roundtrips(value: u64) {
            prop_assert_eq!(Timestamp::from_u64(value).to_u64(), value);
        }

        #[test]
        fn order_is_the_order_of_milliseconds(a in 0..MAX_MS, b in 0..MAX_MS) {
            prop_assert_eq!(a.cmp(&b), Timestamp::from_ms(a).cmp(&Timestamp::from_ms(b)));
        }
    }
}
