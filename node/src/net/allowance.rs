//! Allowances: how much of something may be used at once, and how fast that comes back.

use std::time::{Duration, Instant};

/// So many at once, and then one for each of these times that has passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) burst: u32,
    pub(super) each: Duration,
}

/// What has been used of an allowance: it is all there again at this time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    full: Option<Instant>,
}

impl Meter {
    /// Takes one of an allowance, if there is one.
    pub(super) fn take(&mut self, allowance: Allowance, now: Instant) -> bool {
        let before = *self;
        self.spend(1, allowance, now);
        if self.full > Some(now + allowance.each * allowance.burst) {
            *self = before;
            return false;
        }
        true
    }

    /// Notes that so many have been used, be they there or not: what is owed is paid off before there is any again.
    pub(super) fn spend(&mut self, count: u32, allowance: Allowance, now: Instant) {
        self.full = Some(self.full.map_or(now, |full| full.max(now)) + allowance.each * count);
    }

    /// Tells whether there is any.
    pub(super) fn is_some(&self, allowance: Allowance, now: Instant) -> bool {
        self.full.is_none_or(|full| full + allowance.each <= now + allowance.each * allowance.burst)
    }

    /// Tells whether all of it is there.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full.is_none_or(|full| full <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Allowance = Allowance { burst: 10, each: Duration::from_millis(100) };

    #[test]
    fn so_many_are_taken_at_once_and_then_one_after_the_other() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        let taken = |meter: &mut Meter, at| (0..100).filter(|_| meter.take(TEN, start + at)).count();
        assert_eq!(taken(&mut meter, Duration::ZERO), 10);
        assert_eq!(taken(&mut meter, Duration::from_millis(99)), 0);
        assert_eq!(taken(&mut meter, Duration::from_millis(300)), 3);
        assert_eq!(taken(&mut meter, Duration::from_secs(60)), 10);
    }

    #[test]
    fn what_was_spent_beyond_it_is_paid_off_first() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        assert!(meter.is_some(TEN, start) && meter.is_full(start));
        meter.spend(9, TEN, start);
        assert!(meter.is_some(TEN, start) && !meter.is_full(start));
        meter.spend(21, TEN, start);
        assert!(!meter.is_some(TEN, start + Duration::from_millis(2099)));
        assert!(meter.is_some(TEN, start + Duration::from_millis(2100)));
        assert!(!meter.is_full(start + Duration::from_millis(2999)));
        assert!(meter.is_full(start + Duration::from_secs(3)));
    }
}
