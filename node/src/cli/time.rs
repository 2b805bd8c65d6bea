//! The device's clock, and times as a person reads them.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use muster_roles::Timestamp;

/// The present by the device's clock; a clock that stands before 1970 counts as 1970.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A time in the device's time zone, to the second, such as `2026-11-22 14:03:05`.
pub(crate) fn local(time: Timestamp) -> String {
    in_zone(time, TimeZone::system())
}

fn in_zone(time: Timestamp, zone: TimeZone) -> String {
    // Any record may carry any time: one beyond the calendar is shown as the end of it.
    let time = i64::try_from(time.ms())
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or(jiff::Timestamp::MAX);
    time.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_the_zone_of_the_reader() {
        let time = Timestamp::from_ms(1_795_356_185_999);
        assert_eq!(in_zone(time, TimeZone::UTC), "2026-11-22 14:03:05");
        assert_eq!(in_zone(time, TimeZone::fixed(jiff::tz::offset(2))), "2026-11-22 16:03:05");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_shown_all_the_same() {
        assert!(in_zone(Timestamp::from_ms(u64::MAX >> 16), TimeZone::UTC).starts_with("9999-12-"));
    }
}
