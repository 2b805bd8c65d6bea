//! Which rows a screen has shown, so that none appears twice.

use std::collections::{BTreeMap, BTreeSet};

use muster_roles::{GroupId, Timestamp};

use super::{CHANNEL_LEN, HISTORY_ROWS};
use crate::engine::view::Row;
use crate::engine::wire::RecordId;

/// Rows remembered a group, the newest by their own time.
///
/// A history holds the newest [`HISTORY_ROWS`] of its moment, and at most two channels full of newer rows can be
/// shown before it arrives: a row that is older than all those remembered comes in no history any more.
const REMEMBERED_ROWS: usize = HISTORY_ROWS + 2 * CHANNEL_LEN;

/// A row that is so much older than the newest shown is clearly late, in milliseconds: its time reads differently.
const LATE_MS: u64 = 60_000;

/// The rows a screen has shown, as far as they can come again.
#[derive(Debug, Default)]
pub(super) struct Shown {
    groups: BTreeMap<GroupId, BTreeSet<(Timestamp, RecordId)>>,
}

impl Shown {
    /// Takes note of a row; tells whether it is to be shown now.
    pub(super) fn note(&mut self, row: &Row) -> bool {
        let rows = self.groups.entry(row.group().clone()).or_default();
        let is_new = rows.insert((row.time(), row.id()));
        if rows.len() > REMEMBERED_ROWS {
            rows.pop_first();
        }
        is_new
    }

    /// Tells whether a row that is shown now is clearly older than the newest one of its group.
    pub(super) fn is_late(&self, row: &Row) -> bool {
        let newest = self.groups.get(row.group()).and_then(BTreeSet::last);
        newest.is_some_and(|(newest, _)| row.time().ms().saturating_add(LATE_MS) < newest.ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample::row;

    #[test]
    fn a_row_is_shown_once() {
        let mut shown = Shown::default();
        assert!(shown.note(&row(1, "army", "Army1", "hello")));
        assert!(!shown.note(&row(1, "army", "Army1", "hello")));
        assert!(shown.note(&row(2, "army", "Army1", "hello")));
        assert!(shown.note(&row(1, "navy", "Navy1", "hello")));
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_newest() {
        let mut shown = Shown::default();
        let last = u32::try_from(3 * REMEMBERED_ROWS).unwrap_or(u32::MAX);
        for number in (1..=last).rev() {
            assert!(shown.note(&row(number, "army", "Army1", "hello")));
        }
        assert!(shown.groups.values().all(|rows| rows.len() <= REMEMBERED_ROWS));
        let newest = last - u32::try_from(HISTORY_ROWS).unwrap_or(u32::MAX);
        assert!((newest..=last).all(|number| !shown.note(&row(number, "army", "Army1", "hello"))));
    }
}
