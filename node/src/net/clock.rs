//! This device's clock, as hellos tell it, and when it is time to compare it with the others' again.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often connected members compare their clocks: even a bad one drifts by less than a second meanwhile.
const INTERVAL: Duration = Duration::from_secs(5 * 60);

/// The clock has been set, or the device has slept, where it has moved by so much more or less than time has passed.
const JUMP_MS: u64 = 5_000;

/// Returns what the clock shows; before 1970 it shows 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    millis(since)
}

/// Returns what the clock showed in the middle of a round trip that began at `asked` and has just ended.
pub(crate) fn middle_of(asked: Instant) -> u64 {
    unix_ms().saturating_sub(millis(asked.elapsed()) / 2)
}

/// Tells when clocks are to be compared.
#[derive(Debug)]
pub(crate) struct Watch {
    compared: Instant,
    looked: Instant,
    wall_ms: u64,
}

impl Watch {
    /// Begins with a clock that shows `wall_ms`.
    pub(crate) fn new(wall_ms: u64, now: Instant) -> Self {
        Self { compared: now, looked: now, wall_ms }
    }

    /// Looks at the clock; true where it is to be compared now: from time to time, and when it has been set.
    pub(crate) fn is_due(&mut self, wall_ms: u64, now: Instant) -> bool {
        let expected = self.wall_ms.saturating_add(millis(now.saturating_duration_since(self.looked)));
        let jumped = expected.abs_diff(wall_ms) > JUMP_MS;
        (self.looked, self.wall_ms) = (now, wall_ms);
        if !jumped && now.saturating_duration_since(self.compared) < INTERVAL {
            return false;
        }
        self.compared = now;
        true
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: u64 = 1_800_000_000_000;
    const LOOK: Duration = Duration::from_millis(500);

    #[test]
    fn a_steady_clock_is_compared_every_few_minutes() {
        let start = Instant::now();
        let mut watch = Watch::new(NOON_MS, start);
        let due: Vec<u32> =
            (1..=1300).filter(|look| watch.is_due(NOON_MS + 500 * u64::from(*look), start + LOOK * *look)).collect();
        assert_eq!(due, [600, 1200]);
    }

    #[test]
    fn a_clock_that_is_set_is_compared_at_once_and_only_once() {
        for set_to in [0, NOON_MS - 7_200_000, NOON_MS + 7_200_000] {
            let start = Instant::now();
            let mut watch = Watch::new(NOON_MS, start);
            assert!(!watch.is_due(NOON_MS + 500, start + LOOK));
            assert!(watch.is_due(set_to, start + LOOK * 2));
            assert!(!watch.is_due(set_to + 500, start + LOOK * 3));
        }
    }
}
