//! Rows that synchronisation brings: collected, so that a person reads them in the order of their times.

use std::collections::BTreeMap;

use muster_roles::{GroupId, Timestamp};

use super::time::UnixMillis;
use super::view::Row;
use super::wire::RecordId;

/// Rows shown of a group at once: a screenful. What is older is only counted.
pub const MAX_LATE_ROWS: usize = 50;

/// How long rows may wait for synchronisation to come to rest, in milliseconds.
const LATE_WAIT_MS: u64 = 3000;

/// A row that is no older has only been a little slow, and is shown like any other; in milliseconds.
const FRESH_MS: u64 = 10_000;

/// Rows of one group that came late, together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateRows {
    /// The group.
    pub group: GroupId,
    /// The newest of them, oldest first; at most [`MAX_LATE_ROWS`].
    pub rows: Vec<Row>,
    /// How many older ones there are beside them.
    pub older: u64,
    /// Whether all these rows are from before this node was last joined by a member.
    pub while_away: bool,
}

/// What has come of one group and has not been shown.
#[derive(Debug, Default)]
struct Collected {
    rows: BTreeMap<(Timestamp, RecordId), Row>,
    older: u64,
}

/// What is ready to be shown.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) late: Vec<LateRows>,
    /// Rows that have only been slow, in the order of their times.
    pub(super) fresh: Vec<Row>,
}

/// The rows that synchronisation has brought and that have not been shown.
#[derive(Debug, Default)]
pub(super) struct Late {
    groups: BTreeMap<GroupId, Collected>,
    /// When the first of them was noticed.
    since: Option<UnixMillis>,
    /// Where the rows begin that have been shown since synchronisation was last at rest. It brings the newest first:
    /// what comes after these is older, and only counted.
    shown_from: BTreeMap<GroupId, (Timestamp, RecordId)>,
}

impl Late {
    /// Takes in a row.
    pub(super) fn push(&mut self, row: Row) {
        let at = (row.time(), row.id());
        let group = self.groups.entry(row.group().clone()).or_default();
        if self.shown_from.get(row.group()).is_some_and(|shown| at < *shown) {
            group.older += 1;
            return;
        }
        group.rows.insert(at, row);
        if group.rows.len() > MAX_LATE_ROWS {
            group.rows.pop_first();
            group.older += 1;
        }
    }

    /// Lets go of rows that have been taken out of the store meanwhile.
    pub(super) fn withdraw(&mut self, group: &GroupId, is_gone: impl Fn(Timestamp, &RecordId) -> bool) {
        if let Some(collected) = self.groups.get_mut(group) {
            collected.rows.retain(|(time, id), _| !is_gone(*time, id));
        }
    }

    /// Returns what is to be shown now: all, once synchronisation is at rest or has taken too long.
    ///
    /// `joined` is when this node was last joined by a member after it had been alone.
    pub(super) fn take(&mut self, is_at_rest: bool, joined: UnixMillis, now: UnixMillis) -> Ready {
        let mut ready = Ready::default();
        if !self.groups.is_empty() {
            let since = *self.since.get_or_insert(now);
            if !is_at_rest && now.0.abs_diff(since.0) < LATE_WAIT_MS {
                return ready;
            }
            self.since = None;
            for (group, Collected { rows, older }) in std::mem::take(&mut self.groups) {
                if let Some(first) = rows.keys().next() {
                    self.shown_from.insert(group.clone(), *first);
                }
                let is_fresh = |row: &Row| row.time().ms() >= joined.0.max(now.0.saturating_sub(FRESH_MS));
                let (fresh, rows): (Vec<Row>, Vec<Row>) = rows.into_values().partition(is_fresh);
                let while_away = rows.iter().all(|row| row.time().ms() < joined.0);
                ready.fresh.extend(fresh);
                if !rows.is_empty() || older > 0 {
                    ready.late.push(LateRows { group, rows, older, while_away });
                }
            }
            ready.fresh.sort_by_key(|row| (row.time(), row.id()));
        }
        if is_at_rest {
            self.shown_from.clear();
        }
        ready
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn row(ms: u32, group: &str) -> Row {
        Row::sample(ms, &group.parse().unwrap(), "Army1".parse().unwrap(), false, "hello")
    }

    fn late(times: impl IntoIterator<Item = u32>) -> Late {
        let mut late = Late::default();
        times.into_iter().for_each(|ms| late.push(row(ms, "army")));
        late
    }

    fn times(rows: &[Row]) -> Vec<u64> {
        rows.iter().map(|row| row.time().ms()).collect()
    }

    #[test]
    fn rows_wait_for_rest_and_come_in_the_order_of_their_times() {
        let mut late = late([5, 3, 4]);
        late.push(row(1, "heads"));
        assert!(late.take(false, NOW, NOW).late.is_empty());
        let ready = late.take(true, NOW, NOW);
        let [army, heads] = ready.late.as_slice() else { panic!("{ready:?}") };
        assert_eq!((times(&army.rows), times(&heads.rows)), (vec![3, 4, 5], vec![1]));
        assert!(army.while_away && ready.fresh.is_empty());
        assert!(late.take(true, NOW, NOW).late.is_empty(), "shown once");
    }

    #[test]
    fn what_is_taken_out_of_the_store_before_it_could_be_shown_is_not_shown() {
        let mut late = late([3, 4, 5]);
        late.withdraw(&"army".parse().unwrap(), |time, _| time.ms() == 4);
        late.withdraw(&"heads".parse().unwrap(), |_, _| true);
        assert_eq!(times(&late.take(true, NOW, NOW).late.first().unwrap().rows), [3, 5]);
    }

    #[test]
    fn a_long_session_is_not_waited_for_and_what_it_brings_later_is_older_and_counted() {
        let mut late = late([500, 400]);
        assert!(late.take(false, NOW, NOW).late.is_empty());
        let later = UnixMillis(NOW.0 + LATE_WAIT_MS);
        assert_eq!(times(&late.take(false, NOW, later).late.first().unwrap().rows), [400, 500]);
        late.push(row(300, "army"));
        let rest = late.take(true, NOW, later).late;
        assert_eq!(rest.first().map(|late| (late.rows.len(), late.older)), Some((0, 1)));
        late.push(row(200, "army"));
        assert_eq!(times(&late.take(true, NOW, later).late.first().unwrap().rows), [200], "another session's");
    }

    #[test]
    fn a_screenful_of_the_newest_is_kept_and_the_rest_counted() {
        let most = u32::try_from(MAX_LATE_ROWS).unwrap();
        let ready = late((1..=most + 7).rev()).take(true, NOW, NOW);
        let army = ready.late.first().unwrap();
        assert_eq!((army.rows.len(), army.older), (MAX_LATE_ROWS, 7));
        assert_eq!(army.rows.first().unwrap().time().ms(), 8);
    }

    #[test]
    fn what_was_only_slow_is_told_from_what_was_missed() {
        let joined = UnixMillis(NOW.0 - 60_000);
        let times_of = [NOW.0 - 70_000, NOW.0 - 50_000, NOW.0 - 2_000].map(|ms| u32::try_from(ms).unwrap());
        let ready = late(times_of).take(true, joined, NOW);
        let army = ready.late.first().unwrap();
        assert_eq!((army.rows.len(), army.while_away, times(&ready.fresh)), (2, false, vec![NOW.0 - 2_000]));
        let joined = UnixMillis(NOW.0 - 1_000);
        let ready = late(times_of).take(true, joined, NOW);
        assert!(ready.fresh.is_empty() && ready.late.first().unwrap().while_away);
    }
}
