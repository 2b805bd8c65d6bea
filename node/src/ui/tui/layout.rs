//! Where everything stands on a terminal of some size.

use ratatui::layout::Rect;

/// Under so many columns or rows there is no room to show anything of use.
const FEWEST_COLUMNS: u16 = 40;
const FEWEST_ROWS: u16 = 10;

/// From so many columns on, the groups stand beside the messages.
const GROUPS_FROM_COLUMNS: u16 = 60;

/// From so many columns on, the members do too.
const MEMBERS_FROM_COLUMNS: u16 = 100;

/// Columns of the groups and of the members, without the line that parts them from the messages.
const GROUPS_COLUMNS: u16 = 17;
const MEMBERS_COLUMNS: u16 = 26;

/// Rows above the first group or member in their columns: a heading.
pub(super) const HEADING_ROWS: u16 = 1;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: u16,
    pub(super) rows: u16,
}

/// Where everything stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Areas {
    pub(super) whole: Rect,
    /// Whether nothing is shown but that the terminal is too small.
    pub(super) is_too_small: bool,
    /// The unit and who sits here; in narrow terminals the groups.
    pub(super) title: Rect,
    pub(super) groups: Option<Rect>,
    /// The orders that are open, on top of the messages.
    pub(super) orders: Rect,
    pub(super) messages: Rect,
    pub(super) members: Option<Rect>,
    pub(super) status: Rect,
    pub(super) input: Rect,
}

impl Areas {
    /// Divides a terminal; the input gets the rows it wants, up to a third of all.
    pub(super) fn of(size: Size, input_rows: usize) -> Self {
        let Size { columns, rows } = size;
        let most = (rows / 3).max(1);
        let input_rows = u16::try_from(input_rows).unwrap_or(u16::MAX).clamp(1, most).min(rows);
        let body_rows = rows.saturating_sub(input_rows + 2);
        let across = |y: u16, rows: u16| Rect::new(0, y, columns, rows);
        let left = if columns >= GROUPS_FROM_COLUMNS { GROUPS_COLUMNS } else { 0 };
        let right = if columns >= MEMBERS_FROM_COLUMNS { MEMBERS_COLUMNS } else { 0 };
        let (left_line, right_line) = (u16::from(left > 0), u16::from(right > 0));
        let middle = columns.saturating_sub(left + left_line + right + right_line);
        let beside = |x: u16, columns: u16| Rect::new(x, 1, columns, body_rows);
        Self {
            whole: across(0, rows),
            is_too_small: columns < FEWEST_COLUMNS || rows < FEWEST_ROWS,
            title: across(0, 1),
            groups: (left > 0).then(|| beside(0, left)),
            orders: Rect { height: 0, ..beside(left + left_line, middle) },
            messages: beside(left + left_line, middle),
            members: (right > 0).then(|| beside(columns.saturating_sub(right), right)),
            status: across(1 + body_rows, 1),
            input: across(2 + body_rows, input_rows),
        }
    }

    /// Gives so many of the messages' rows to the orders on top of them.
    pub(super) fn with_orders(self, rows: usize) -> Self {
        let height = u16::try_from(rows).unwrap_or(u16::MAX).min(self.messages.height);
        let Rect { y, height: whole, .. } = self.messages;
        let messages = Rect { y: y + height, height: whole - height, ..self.messages };
        Self { orders: Rect { height, ..self.orders }, messages, ..self }
    }

    /// Which group of the list stands there.
    pub(super) fn group_at(&self, column: u16, row: u16) -> Option<usize> {
        let groups = self.groups.filter(|area| area.contains((column, row).into()))?;
        row.checked_sub(groups.y + HEADING_ROWS).map(usize::from)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn areas(columns: u16, rows: u16) -> Areas {
        Areas::of(Size { columns, rows }, 1)
    }

    #[test]
    fn side_columns_fold_away_where_there_is_no_room() {
        let shown = |columns| (areas(columns, 24).groups.is_some(), areas(columns, 24).members.is_some());
        assert_eq!(
            [120, 100, 99, 60, 59, 40].map(shown),
            [(true, true), (true, true), (true, false), (true, false), (false, false), (false, false)]
        );
        assert_eq!(areas(59, 24).messages.width, 59);
    }

    #[test]
    fn every_row_is_used_once_and_messages_keep_most() {
        for (rows, typed) in [(10, 1), (10, 50), (24, 1), (24, 3), (24, 50), (40, 5)] {
            let areas = Areas::of(Size { columns: 80, rows }, typed);
            let sum = areas.title.height + areas.messages.height + areas.status.height + areas.input.height;
            assert_eq!(sum, rows);
            assert_eq!(areas.input.bottom(), rows);
            assert!(areas.messages.height >= rows / 2);
        }
    }

    #[test]
    fn orders_take_their_rows_from_the_messages_below_them() {
        let without = areas(80, 24);
        let areas = without.with_orders(5);
        assert_eq!((areas.orders.y, areas.orders.height), (without.messages.y, 5));
        assert_eq!((areas.messages.y, areas.messages.height), (without.messages.y + 5, without.messages.height - 5));
        assert_eq!(areas.messages.bottom(), without.messages.bottom());
        assert_eq!(without.with_orders(1000).messages.height, 0);
    }

    #[test]
    fn any_size_can_be_divided() {
        for (columns, rows) in [(0, 0), (1, 1), (3, 2), (39, 9), (500, 3)] {
            let areas = areas(columns, rows);
            assert!(areas.is_too_small, "{columns}×{rows}");
        }
        assert!(!areas(40, 10).is_too_small);
    }

    #[test]
    fn a_group_is_found_where_it_stands() {
        let areas = areas(80, 24);
        assert_eq!(areas.group_at(3, 2), Some(0));
        assert_eq!(areas.group_at(3, 4), Some(2));
        assert_eq!(areas.group_at(3, 1), None);
        assert_eq!(areas.group_at(40, 4), None);
    }
}
