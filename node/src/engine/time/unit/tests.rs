#![allow(clippy::unwrap_used)]

use muster_keys::Identity;
use proptest::prelude::*;

use super::*;
use crate::engine::time::{Clock, MAX_AHEAD_MS};

const NOON: UnixMillis = UnixMillis(1_800_000_000_000);
const ISSUED: Timestamp = Timestamp::from_ms(NOON.0 - 3_600_000);
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

fn key(n: u8) -> PublicKey {
    Identity::from_seed(&[n; 32]).public()
}

/// This device, and what the unit's time really is.
struct Device {
    time: UnitTime,
    wall: UnixMillis,
}

impl Device {
    /// A device whose clock is so far ahead of noon.
    fn ahead(by_ms: i64) -> Self {
        Self { time: UnitTime::default(), wall: UnixMillis(NOON.0.saturating_add_signed(by_ms)) }
    }

    fn at_1970() -> Self {
        Self { time: UnitTime::default(), wall: UnixMillis(30_000) }
    }

    /// Meets a member whose clock is so far ahead of noon.
    fn meets(&mut self, member: u8, ahead_ms: i64) -> Option<ClockNews> {
        self.time.member_up(key(member));
        self.is_told(member, ahead_ms)
    }

    fn is_told(&mut self, member: u8, ahead_ms: i64) -> Option<ClockNews> {
        let theirs = UnixMillis(NOON.0.saturating_add_signed(ahead_ms));
        self.time.read(&key(member), theirs, self.wall, ISSUED)
    }

    /// By how much it takes the time to be later than noon.
    fn error_ms(&mut self) -> i64 {
        i64::try_from(self.time.now(self.wall).0).unwrap() - i64::try_from(NOON.0).unwrap()
    }
}

#[test]
fn a_clock_two_hours_ahead_is_corrected_by_two_members_and_told_once() {
    let mut device = Device::ahead(2 * HOUR_MS);
    assert_eq!(device.meets(1, 0), None);
    assert_eq!(device.error_ms(), 2 * HOUR_MS, "one word against another");
    assert!(!device.time.is_confirmed());
    assert_eq!(device.meets(2, 0), Some(ClockNews::Off(2 * HOUR_MS)));
    assert_eq!(device.error_ms(), 0);
    assert_eq!(device.meets(3, 10), None);
    assert_eq!(device.error_ms(), 0);
    assert!(device.time.is_confirmed());
}

#[test]
fn one_member_that_disagrees_is_told_of_once_if_no_other_comes() {
    let mut device = Device::ahead(2 * HOUR_MS);
    device.meets(1, 0);
    let mut told = Vec::new();
    for _ in 0..120 {
        device.error_ms();
        told.extend(device.time.overdue());
        device.wall.0 += 1_000;
    }
    assert_eq!(told, [ClockNews::Differs(key(1), 2 * HOUR_MS)]);
    assert!(!device.time.is_confirmed());
    let mut met_another = Device::ahead(2 * HOUR_MS);
    met_another.meets(1, 0);
    met_another.meets(2, 0);
    met_another.error_ms();
    met_another.wall.0 += LONE_MS;
    met_another.error_ms();
    assert_eq!(met_another.time.overdue(), None);
}

#[test]
fn a_clock_at_1970_has_no_say_and_is_set_by_the_first_member() {
    let mut device = Device::at_1970();
    assert!(matches!(device.meets(1, 0), Some(ClockNews::Off(behind)) if behind < 0));
    assert_eq!(device.error_ms(), 0);
    assert_eq!(device.meets(2, HOUR_MS), None, "of two, the earlier is believed");
    assert_eq!(device.error_ms(), 0);
}

#[test]
fn members_whose_clocks_stand_before_the_roster_have_no_say() {
    let mut device = Device::ahead(0);
    let long_ago = -i64::try_from(NOON.0).unwrap();
    assert_eq!(device.meets(1, long_ago), None);
    assert_eq!(device.meets(2, long_ago), None);
    assert_eq!(device.meets(3, long_ago), None);
    assert_eq!(device.error_ms(), 0);
    assert!(!device.time.is_confirmed());
}

#[test]
fn one_liar_among_two_members_moves_nobody() {
    for lie in [i64::MIN, -HOUR_MS / 2, 2 * HOUR_MS, i64::MAX] {
        let mut device = Device::ahead(3_000);
        device.meets(1, 0);
        device.meets(2, lie);
        assert_eq!(device.error_ms(), 3_000, "{lie}");
    }
}

#[test]
fn less_than_a_minute_is_left_to_the_hybrid_clock() {
    let mut device = Device::ahead(MINUTE_MS);
    assert_eq!((device.meets(1, 0), device.meets(2, 0)), (None, None));
    assert_eq!(device.error_ms(), MINUTE_MS);
    assert!(device.time.is_confirmed());
}

#[test]
fn one_member_that_agrees_confirms_the_time() {
    let mut device = Device::ahead(0);
    assert_eq!(device.meets(1, 5_000), None);
    assert!(device.time.is_confirmed());
}

#[test]
fn a_correction_outlasts_the_members_and_one_of_them_confirms_it() {
    let mut device = Device::ahead(2 * HOUR_MS);
    for member in [1, 2] {
        device.meets(member, 0);
    }
    for member in [1, 2] {
        device.time.member_down(&key(member));
    }
    assert_eq!(device.error_ms(), 0);
    assert_eq!(device.meets(1, 0), None);
    assert_eq!(device.error_ms(), 0);
}

#[test]
fn a_clock_that_has_been_set_is_read_anew_and_reported_mended() {
    let mut device = Device::ahead(2 * HOUR_MS);
    for member in [1, 2] {
        device.meets(member, 0);
    }
    assert_eq!(device.error_ms(), 0);
    device.wall = NOON;
    assert_eq!(device.error_ms(), 0, "the old correction is gone");
    assert!(!device.time.is_confirmed());
    assert_eq!(device.is_told(1, 0), Some(ClockNews::Mended));
    assert_eq!(device.is_told(2, 0), None);
    assert!(device.time.is_confirmed());
}

#[test]
fn a_warning_comes_again_when_the_clock_is_off_by_notably_more() {
    let mut device = Device::ahead(2 * HOUR_MS);
    for member in [1, 2, 3] {
        device.meets(member, 0);
    }
    assert_eq!((device.is_told(1, -MINUTE_MS), device.is_told(2, -MINUTE_MS)), (None, None));
    assert_eq!(device.is_told(1, -2 * MINUTE_MS), None);
    let by = 2 * HOUR_MS + 2 * MINUTE_MS;
    assert_eq!(device.is_told(2, -2 * MINUTE_MS), Some(ClockNews::Off(by)));
}

#[test]
fn whoever_is_not_connected_is_not_listened_to() {
    let mut device = Device::ahead(2 * HOUR_MS);
    device.meets(1, 0);
    assert_eq!(device.is_told(2, 0), None);
    assert_eq!(device.error_ms(), 2 * HOUR_MS);
    device.time.member_down(&key(1));
    assert_eq!(device.meets(2, 0), None);
    assert_eq!(device.error_ms(), 2 * HOUR_MS, "what member 1 said is forgotten");
}

proptest! {
    #[test]
    fn a_lying_minority_moves_nobody_further_than_the_honest_clocks_lie_apart(
        own in -30_000_i64..30_000,
        honest in prop::collection::vec(-30_000_i64..30_000, 1..6),
        lies in prop::collection::vec(any::<i64>(), 0..6),
    ) {
        let lies = lies.iter().take(honest.len());
        let mut device = Device::ahead(own);
        for (member, ahead_ms) in (1..).zip(honest.iter().chain(lies)) {
            device.meets(member, *ahead_ms);
        }
        prop_assert!(device.error_ms().abs() < 30_000, "{}", device.error_ms());
    }

    #[test]
    fn stamps_rise_strictly_whatever_the_clock_and_the_members_do(
        steps in prop::collection::vec((0..(1_u64 << 47), 0..5_u8, 0..(1_u64 << 47)), 1..60),
    ) {
        let mut time = UnitTime::default();
        let mut clock = Clock::new(ISSUED);
        let mut last = ISSUED;
        for (wall, what, other) in steps {
            let wall = UnixMillis(wall);
            let now = time.now(wall);
            match what {
                0 => time.member_up(key((other % 5) as u8)),
                1 => time.member_down(&key((other % 5) as u8)),
                2 => clock.observe(Timestamp::from_ms(other), now),
                _ => drop(time.read(&key((other % 5) as u8), UnixMillis(other), wall, ISSUED)),
            }
            let stamp = clock.stamp(time.now(wall));
            prop_assert!(stamp > last);
            last = stamp;
        }
    }

    #[test]
    fn stamps_that_are_reined_in_are_believed_by_all_and_never_before_the_roster(
        before in prop::collection::vec(0..(1_u64 << 47), 0..10),
        now in 0..(1_u64 << 47),
    ) {
        let mut clock = Clock::new(ISSUED);
        for wall in before {
            clock.stamp(UnixMillis(wall));
        }
        clock.rein_in(UnixMillis(now), ISSUED);
        let stamp = clock.stamp(UnixMillis(now));
        prop_assert!(stamp > ISSUED);
        prop_assert!(stamp.ms() <= now.max(ISSUED.ms()) + MAX_AHEAD_MS + 1);
    }
}
