//! What this member has received and read, and has not confirmed yet; and when it does.
//!
//! A receipt is a record of its own, hardly smaller than a short message, and in a group of ten every message has nine
//! receivers. So receipts are few where much is said: they confirm runs of messages, whoever says something confirms with
//! it what it has received, and whoever is silent has three receipts to give away and earns another every
//! [`EARNED_MS`] for each reader of the group. Where little is said, that confirms every message within two seconds.
//! What is urgent, and orders, is confirmed at once in any case.

use std::collections::BTreeMap;

use muster_keys::PublicKey;
use muster_roles::{GroupId, Timestamp};

use super::confirmed::{Confirmed, KeyPrefix, MAX_AUTHOR_RUNS, MAX_RUNS, Run};
use super::runs::Runs;
use super::time::UnixMillis;

/// Above this number of readers besides the author, only orders are confirmed.
pub const MAX_RECEIPT_READERS: usize = 32;

/// At least so long passes between two receipts of a member in a group, in milliseconds.
pub const RECEIPT_SPACING_MS: u64 = 2000;

/// So long what has come waits for more to come, in milliseconds.
const GATHER_MS: u64 = 1000;

/// Receipts that a silent member may give in a row.
const SAVED: u32 = 3;

/// For each reader of the group, so many milliseconds of silence earn a receipt: all together then give one in so long,
/// and that is a tenth of the bytes of one message a second.
pub const EARNED_MS: u64 = 7500;

/// What is said confirms what was received at most so often, in milliseconds: the runs of many authors make a text longer, and
/// runs grow in length faster than in bytes.
const RIDE_SPACING_MS: u64 = 20_000;

/// A read mark is told at most so often, in milliseconds.
const READ_SPACING_MS: u64 = 60_000;

/// What is to be confirmed in one group.
#[derive(Debug)]
struct Pending {
    received: BTreeMap<PublicKey, Runs>,
    /// Since when anything waits.
    since: Option<UnixMillis>,
    /// Something among it cannot wait.
    is_urgent: bool,
    read: Option<Timestamp>,
    read_told: Option<Timestamp>,
    read_told_at: Option<UnixMillis>,
    /// When something was last confirmed.
    last: Option<UnixMillis>,
    saved: u32,
    /// When the last receipt was earned, or anything said.
    earned: Option<UnixMillis>,
    /// This member's own count of its receipts.
    count: u64,
    /// Whether it is known what was confirmed before this start.
    is_recalled: bool,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            received: BTreeMap::new(),
            since: None,
            is_urgent: false,
            read: None,
            read_told: None,
            read_told_at: None,
            last: None,
            saved: SAVED,
            earned: None,
            count: 0,
            is_recalled: false,
        }
    }
}

/// What a scan of the store finds of this member's own receipts, and of what they may not have confirmed.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// The messages that it has received.
    pub(super) received: BTreeMap<PublicKey, Runs>,
    /// The orders among them.
    pub(super) orders: BTreeMap<PublicKey, Runs>,
    /// What of that has been confirmed.
    pub(super) confirmed: BTreeMap<KeyPrefix, Runs>,
    pub(super) read: Option<Timestamp>,
    pub(super) count: u64,
}

/// What this member has to confirm, group by group.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    groups: BTreeMap<GroupId, Pending>,
    /// The member does not tell how far it has read.
    is_discreet: bool,
}

impl Receipts {
    pub(super) fn new(is_discreet: bool) -> Self {
        Self { groups: BTreeMap::new(), is_discreet }
    }

    /// Takes in what a scan of the store has found; until then nothing is confirmed. In a crowd only orders are.
    pub(super) fn recall(&mut self, group: &GroupId, told: Told, is_crowd: bool, now: UnixMillis) {
        let pending = self.groups.entry(group.clone()).or_default();
        pending.is_recalled = true;
        pending.count = pending.count.max(told.count);
        pending.read_told = pending.read_told.max(told.read);
        for (author, runs) in if is_crowd { told.orders } else { told.received } {
            runs.iter().for_each(|run| pending.received.entry(author).or_default().insert(run));
        }
        for (author, runs) in &mut pending.received {
            let confirmed = told.confirmed.iter().filter(|(prefix, _)| prefix.matches(author));
            confirmed.flat_map(|(_, runs)| runs.iter()).for_each(|run| runs.remove(run));
        }
        pending.received.retain(|_, runs| !runs.is_empty());
        if !pending.received.is_empty() {
            pending.since.get_or_insert(now);
        }
    }

    /// A message of somebody else's is stored, which this member may read.
    pub(super) fn received(
        &mut self,
        group: &GroupId,
        author: PublicKey,
        count: u64,
        is_urgent: bool,
        now: UnixMillis,
    ) {
        let pending = self.groups.entry(group.clone()).or_default();
        pending.received.entry(author).or_default().insert(Run { first: count, last: count });
        pending.is_urgent |= is_urgent;
        pending.since.get_or_insert(now);
    }

    /// The person has read a group up to this time.
    pub(super) fn read(&mut self, group: &GroupId, upto: Timestamp) {
        if !self.is_discreet {
            let pending = self.groups.entry(group.clone()).or_default();
            pending.read = pending.read.max(Some(upto));
        }
    }

    /// Learns of a receipt of this member's own: it counts on from there, on a restored device too.
    pub(super) fn learn_count(&mut self, group: &GroupId, count: u64) {
        let pending = self.groups.entry(group.clone()).or_default();
        pending.count = pending.count.max(count);
    }

    /// Forgets groups that are not read any more.
    pub(super) fn watch(&mut self, groups: &[GroupId]) {
        self.groups.retain(|group, _| groups.contains(group));
    }

    /// Returns the groups in which something is to be confirmed now; `readers` tells how many read each.
    pub(super) fn due(&mut self, now: UnixMillis, readers: impl Fn(&GroupId) -> usize) -> Vec<GroupId> {
        let groups = self.groups.iter_mut().filter(|(_, pending)| pending.is_recalled);
        let due = groups.filter_map(|(group, pending)| {
            pending.earn(now, readers(group));
            pending.is_due(now).then(|| group.clone())
        });
        due.collect()
    }

    /// Takes out what a receipt of its own is to confirm, and the receipt's count; `name` names an author shortly.
    pub(super) fn take(
        &mut self,
        group: &GroupId,
        name: impl Fn(&PublicKey) -> KeyPrefix,
        now: UnixMillis,
    ) -> Option<(u64, Confirmed)> {
        let pending = self.groups.get_mut(group)?;
        let confirmed = pending.take(name, now);
        if confirmed.is_empty() {
            return None;
        }
        pending.saved = pending.saved.saturating_sub(1);
        pending.count = pending.count.saturating_add(1);
        Some((pending.count, confirmed))
    }

    /// Takes out what can be confirmed along with something that is said.
    pub(super) fn take_along(
        &mut self,
        group: &GroupId,
        name: impl Fn(&PublicKey) -> KeyPrefix,
        now: UnixMillis,
    ) -> Confirmed {
        match self.groups.get_mut(group) {
            Some(pending) if pending.is_recalled => {
                // Whoever speaks every few seconds needs no receipts beside it.
                pending.earned = Some(now);
                if pending.is_urgent || has_passed(pending.last, RIDE_SPACING_MS, now) {
                    pending.take(name, now)
                } else {
                    Confirmed::default()
                }
            }
            _ => Confirmed::default(),
        }
    }
}

/// Tells whether so long has passed; where nothing began, it has.
fn has_passed(since: Option<UnixMillis>, ms: u64, now: UnixMillis) -> bool {
    since.is_none_or(|since| now.0.abs_diff(since.0) >= ms)
}

impl Pending {
    /// Earns receipts for the time that has passed in silence.
    fn earn(&mut self, now: UnixMillis, readers: usize) {
        let each_ms = EARNED_MS.saturating_mul(u64::try_from(readers.max(1)).unwrap_or(u64::MAX));
        let since = *self.earned.get_or_insert(now);
        if now.0.abs_diff(since.0) >= each_ms {
            self.saved = (self.saved + 1).min(SAVED);
            self.earned = Some(now);
        }
    }

    fn is_due(&self, now: UnixMillis) -> bool {
        let has_gathered = self.since.is_some() && has_passed(self.since, GATHER_MS, now);
        let may = self.saved > 0 || self.is_urgent;
        (has_gathered || self.has_read_on(now)) && may && has_passed(self.last, RECEIPT_SPACING_MS, now)
    }

    fn has_read_on(&self, now: UnixMillis) -> bool {
        let is_time = self.read_told_at.is_none_or(|at| now.0.abs_diff(at.0) >= READ_SPACING_MS);
        self.read > self.read_told && is_time
    }

    fn take(&mut self, name: impl Fn(&PublicKey) -> KeyPrefix, now: UnixMillis) -> Confirmed {
        let mut confirmed = Confirmed::default();
        let mut room = MAX_RUNS;
        for (author, runs) in &mut self.received {
            let taken = runs.take_newest(room.min(MAX_AUTHOR_RUNS));
            room -= taken.len();
            if !taken.is_empty() {
                confirmed.received.insert(name(author), taken);
            }
        }
        self.received.retain(|_, runs| !runs.is_empty());
        self.since = (!self.received.is_empty()).then_some(now);
        self.is_urgent &= !self.received.is_empty();
        if self.has_read_on(now) {
            confirmed.read = self.read;
            self.read_told = self.read;
            self.read_told_at = Some(now);
        }
        if !confirmed.is_empty() {
            self.last = Some(now);
        }
        confirmed
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use muster_keys::Identity;

    use super::*;

    const START: UnixMillis = UnixMillis(1_800_000_000_000);

    fn army() -> GroupId {
        "army".parse().unwrap()
    }

    fn author(seed: u8) -> PublicKey {
        Identity::from_seed(&[seed; 32]).public()
    }

    /// No two of these keys begin alike.
    fn shortly(author: &PublicKey) -> KeyPrefix {
        KeyPrefix::of(author, &std::iter::empty())
    }

    fn at(ms: u64) -> UnixMillis {
        UnixMillis(START.0 + ms)
    }

    fn recalled() -> Receipts {
        let mut receipts = Receipts::new(false);
        receipts.recall(&army(), Told::default(), false, START);
        receipts
    }

    /// When receipts are given, if a message comes every `every_ms` for `total_ms`, in a group of ten.
    fn given(receipts: &mut Receipts, every_ms: u64, total_ms: u64, is_urgent: bool) -> Vec<u64> {
        let mut given = Vec::new();
        for ms in (0..total_ms).step_by(500) {
            if ms % every_ms == 0 {
                receipts.received(&army(), author(1), 1 + ms / every_ms, is_urgent, at(ms));
            }
            for group in receipts.due(at(ms), |_| 9) {
                assert!(receipts.take(&group, shortly, at(ms)).is_some());
                given.push(ms);
            }
        }
        given
    }

    #[test]
    fn a_message_now_and_then_is_confirmed_within_two_seconds() {
        let given = given(&mut recalled(), 70_000, 700_000, false);
        assert_eq!(given.len(), 10);
        assert!(given.iter().all(|ms| ms % 70_000 <= RECEIPT_SPACING_MS), "{given:?}");
    }

    #[test]
    fn where_much_is_said_receipts_become_few() {
        let given = given(&mut recalled(), 1000, 600_000, false);
        let most = usize::try_from(600_000 / (EARNED_MS * 9)).unwrap() + 1 + usize::try_from(SAVED).unwrap();
        assert!((most - 2..=most).contains(&given.len()), "{given:?}");
        assert!(given.windows(2).all(|pair| matches!(pair, [a, b] if b - a >= RECEIPT_SPACING_MS)));
    }

    #[test]
    fn what_is_urgent_does_not_wait_but_for_the_spacing() {
        let given = given(&mut recalled(), 1000, 60_000, true);
        assert!(given.len() >= 25, "{given:?}");
        assert!(given.windows(2).all(|pair| matches!(pair, [a, b] if b - a >= RECEIPT_SPACING_MS)));
    }

    #[test]
    fn whoever_speaks_confirms_along_with_it_and_gives_no_receipts_beside() {
        let mut receipts = recalled();
        (0..3).for_each(|_| receipts.groups.get_mut(&army()).unwrap().saved = 0);
        for n in 1..100 {
            receipts.received(&army(), author(1), n, false, at(n * 1000));
            assert!(receipts.due(at(n * 1000), |_| 9).is_empty());
            if n % 30 == 0 {
                let confirmed = receipts.take_along(&army(), shortly, at(n * 1000));
                assert!(confirmed.has_received(&author(1), n) && confirmed.has_received(&author(1), n - 29));
                assert!(!confirmed.has_received(&author(1), n + 1));
            }
        }
    }

    #[test]
    fn nothing_is_confirmed_before_it_is_known_what_was_confirmed_before() {
        let mut receipts = Receipts::new(false);
        (1..=5).for_each(|n| receipts.received(&army(), author(1), n, true, START));
        assert!(receipts.due(at(5000), |_| 9).is_empty());
        assert!(receipts.take_along(&army(), shortly, at(5000)).is_empty());
        let mut confirmed = Runs::default();
        [(1, 2), (4, 4)].iter().for_each(|(first, last)| confirmed.insert(Run { first: *first, last: *last }));
        let prefix = shortly(&author(1));
        let told = Told { confirmed: [(prefix, confirmed)].into(), count: 7, ..Told::default() };
        receipts.recall(&army(), told, false, at(5000));
        assert_eq!(receipts.due(at(7000), |_| 9), [army()]);
        let (count, confirmed) = receipts.take(&army(), shortly, at(7000)).unwrap();
        let confirms: Vec<u64> = (1..=6).filter(|n| confirmed.has_received(&author(1), *n)).collect();
        assert_eq!((count, confirms), (8, vec![3, 5]));
    }

    #[test]
    fn how_far_was_read_is_told_once_a_minute_and_not_by_the_discreet() {
        let mut told = Vec::new();
        let mut receipts = recalled();
        for second in 0..300 {
            receipts.read(&army(), Timestamp::from_ms(START.0 + second * 1000));
            for group in receipts.due(at(second * 1000), |_| 1) {
                let (_, confirmed) = receipts.take(&group, shortly, at(second * 1000)).unwrap();
                assert!(confirmed.received.is_empty() && confirmed.read.is_some());
                told.push(second);
            }
        }
        assert_eq!(told, [0, 60, 120, 180, 240]);
        let mut discreet = Receipts::new(true);
        discreet.recall(&army(), Told::default(), false, START);
        discreet.read(&army(), Timestamp::from_ms(START.0));
        assert!(discreet.due(at(5000), |_| 1).is_empty());
    }

    #[test]
    fn more_than_a_receipt_holds_is_left_for_the_next() {
        let mut receipts = recalled();
        for seed in 1..=8 {
            (0..20).for_each(|n| receipts.received(&army(), author(seed), 2 * n, false, START));
        }
        let runs = |(_, confirmed): (u64, Confirmed)| confirmed.received.values().map(Vec::len).sum::<usize>();
        let taken: Vec<usize> = std::iter::from_fn(|| receipts.take(&army(), shortly, at(5000)).map(runs)).collect();
        assert_eq!((taken.iter().sum::<usize>(), taken.iter().max()), (160, Some(&MAX_RUNS)));
    }
}
