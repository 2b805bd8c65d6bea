//! The unit's time: what the members' clocks say together, for a device whose own clock is wrong.
//!
//! Nobody's clock is the right one. Each connected member tells what its own clock shows, uncorrected, so that one
//! device's correction never feeds another's; the median of them is taken for the unit's. It is the median of an odd
//! number of clocks: where the members are even in number, this device's own is counted with them. So of two members
//! one liar, and of any number a lying minority, cannot move it further than the honest clocks lie apart. One member
//! alone is one word against another: it is told to the person, unless others come soon, and corrects nothing. A clock that stands before what
//! the unit's authority has signed is wrong beyond doubt and has no say, a member's or this device's; where this
//! device's has none, one member is enough.

use std::collections::BTreeMap;

use muster_keys::PublicKey;
use muster_roles::Timestamp;

use super::UnixMillis;

#[cfg(test)]
mod tests;

/// A clock further off than this, in milliseconds, is corrected and warned of; what is less, the hybrid clock absorbs.
const MAX_SKEW_MS: u64 = 60_000;

/// A clock that was off counts as mended once it is off by no more than this, so that one at the limit is not
/// warned of again and again.
const MENDED_MS: u64 = 30_000;

/// A warning is repeated when the clock is off by so much more or less than it said.
const NOTABLE_MS: u64 = 60_000;

/// How long one member's word may wait for another's before a person is asked to judge, in milliseconds: a node that
/// starts meets the others one by one.
const LONE_MS: u64 = 30_000;

/// The device's clock has been set, or the device has slept, if so much passes between two looks, in milliseconds; it
/// is looked at every second.
const JUMP_MS: u64 = 60_000;

/// What is to be told about this device's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockNews {
    /// It is ahead of the unit's time by so many milliseconds (behind, if negative), and corrected.
    Off(i64),
    /// It was off, and is not any more.
    Mended,
    /// It is ahead of the only member's by so many milliseconds (behind, if negative), and either may be right.
    Differs(PublicKey, i64),
}

/// One member's word against this device's.
#[derive(Clone, Copy, Debug)]
struct Lone {
    member: PublicKey,
    by_ms: i64,
    /// What this device's clock showed when it was first known.
    since: UnixMillis,
}

/// What this device knows of the unit's time.
#[derive(Debug, Default)]
pub struct UnitTime {
    /// By how many milliseconds each connected member's clock was ahead of this device's when it was last told; as many
    /// as there are connections.
    ahead_ms: BTreeMap<PublicKey, Option<i64>>,
    /// What is added to this device's clock.
    offset_ms: i64,
    /// The only member whose clock is known, and by how much this device's is ahead of it, where that is too much.
    lone: Option<Lone>,
    /// Other clocks have confirmed the time, as corrected.
    confirmed: bool,
    /// What was last warned of.
    told: Option<ClockNews>,
    /// What this device's clock showed when last looked at.
    wall: Option<UnixMillis>,
}

impl UnitTime {
    /// Returns the present, corrected, for a device whose clock shows `wall`.
    ///
    /// A correction stays when the members are gone, for the clock is still as wrong. It goes when the clock is set:
    /// what was read before says nothing about it then.
    pub fn now(&mut self, wall: UnixMillis) -> UnixMillis {
        let last = self.wall.replace(wall);
        if last.is_some_and(|last| last.0.abs_diff(wall.0) > JUMP_MS) {
            self.ahead_ms.values_mut().for_each(|reading| *reading = None);
            self.offset_ms = 0;
            self.lone = None;
            self.confirmed = false;
        }
        UnixMillis(wall.0.saturating_add_signed(self.offset_ms))
    }

    /// Returns the unit's time as it was last known, when this device's clock shows `wall`.
    #[must_use]
    pub fn peek(&self, wall: UnixMillis) -> UnixMillis {
        UnixMillis(wall.0.saturating_add_signed(self.offset_ms))
    }

    /// Tells whether another clock has confirmed the time: only then is it known how old a record is.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// A member is connected: what it says of its clock counts from now on.
    pub fn member_up(&mut self, member: PublicKey) {
        self.ahead_ms.entry(member).or_default();
    }

    /// A member is gone.
    pub fn member_down(&mut self, member: &PublicKey) {
        self.ahead_ms.remove(member);
        self.lone.take_if(|lone| lone.member == *member);
    }

    /// Tells of a clock that disagrees, once it is clear that no third one will settle it soon.
    pub fn overdue(&mut self) -> Option<ClockNews> {
        let (lone, wall) = (self.lone?, self.wall?);
        if wall.0.saturating_sub(lone.since.0) < LONE_MS {
            return None;
        }
        self.tell(ClockNews::Differs(lone.member, lone.by_ms))
    }

    /// Takes in what a member's clock showed when this device's showed `ours`; nothing in the unit happened before
    /// `issued`.
    pub fn read(
        &mut self,
        member: &PublicKey,
        theirs: UnixMillis,
        ours: UnixMillis,
        issued: Timestamp,
    ) -> Option<ClockNews> {
        let reading = self.ahead_ms.get_mut(member)?;
        let distance = i64::try_from(theirs.0.abs_diff(ours.0)).unwrap_or(i64::MAX);
        *reading = Some(if theirs >= ours { distance } else { -distance });
        let has_say = |ahead_ms: i64| ours.0.saturating_add_signed(ahead_ms).saturating_add(MAX_SKEW_MS) >= issued.ms();
        let known = self.ahead_ms.iter().filter_map(|(member, ahead_ms)| Some((*member, (*ahead_ms)?)));
        let heard: Vec<(PublicKey, i64)> = known.filter(|(_, ahead_ms)| has_say(*ahead_ms)).collect();
        if let ([(only, ahead_ms)], true) = (heard.as_slice(), has_say(0)) {
            return self.compare(*only, *ahead_ms, ours);
        }
        let mut clocks: Vec<i64> = heard.iter().map(|(_, ahead_ms)| *ahead_ms).collect();
        if !clocks.is_empty() && clocks.len().is_multiple_of(2) && has_say(0) {
            clocks.push(0);
        }
        clocks.sort_unstable();
        // Of an even number the lower: what ran ahead once cannot be taken back.
        let median = clocks.get(clocks.len().saturating_sub(1) / 2).copied()?;
        self.correct(median)
    }

    /// One member's word against this device's: where they agree, both are right.
    fn compare(&mut self, member: PublicKey, ahead_ms: i64, ours: UnixMillis) -> Option<ClockNews> {
        let by_ms = self.offset_ms.saturating_sub(ahead_ms);
        if by_ms.unsigned_abs() > MAX_SKEW_MS {
            let since = self.lone.map_or(ours, |lone| lone.since);
            self.lone = Some(Lone { member, by_ms, since });
            return None;
        }
        self.lone = None;
        self.confirmed = true;
        if self.offset_ms == 0 { self.mend() } else { None }
    }

    fn correct(&mut self, median: i64) -> Option<ClockNews> {
        self.lone = None;
        self.confirmed = true;
        let tolerated = if self.offset_ms == 0 { MAX_SKEW_MS } else { MENDED_MS };
        if median.unsigned_abs() <= tolerated {
            self.offset_ms = 0;
            return self.mend();
        }
        self.offset_ms = median;
        self.tell(ClockNews::Off(median.saturating_neg()))
    }

    fn mend(&mut self) -> Option<ClockNews> {
        self.told.take().map(|_| ClockNews::Mended)
    }

    fn tell(&mut self, news: ClockNews) -> Option<ClockNews> {
        let is_new = match (self.told, news) {
            (Some(ClockNews::Off(before)), ClockNews::Off(by)) => before.abs_diff(by) > NOTABLE_MS,
            // Members that come and go one by one are each one word more, and nothing new.
            (Some(_), ClockNews::Differs(..)) => false,
            _ => true,
        };
        if !is_new {
            return None;
        }
        self.told = Some(news);
        Some(news)
    }
}
