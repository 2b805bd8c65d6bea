//! Which rows of a timeline are seen: the newest, or a place that one is reading and that what arrives does not move.

use ratatui::text::Line;

use super::rows::Paper;
use super::timeline::{Item, Key, Timeline};

/// Where the lowest row of the window stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Window {
    /// At the newest, whatever comes.
    #[default]
    Newest,
    /// In this message or note, with so many of its rows under the window's edge.
    At {
        /// What the lowest row belongs to.
        key: Key,
        /// Its rows that are hidden.
        hidden: usize,
    },
}

impl Window {
    /// Returns the rows that are seen, oldest first; fewer than `height` only where there are no more.
    pub(super) fn rows(self, timeline: &Timeline, paper: &Paper, height: usize) -> Vec<Line<'static>> {
        // Collected from the lowest row upwards.
        let mut seen: Vec<Line<'static>> = Vec::with_capacity(height);
        let Some((key, item, hidden)) = self.lowest(timeline) else { return seen };
        let mut take = |key: &Key, item: &Item, hidden: usize| {
            let rows = paper.rows(timeline, key, item);
            let room = height - seen.len();
            seen.extend(rows.into_iter().rev().skip(hidden).take(room));
            seen.len() < height
        };
        if take(key, item, hidden) {
            let _all_taken = timeline.before(key).all(|(key, item)| take(key, item, 0));
        }
        seen.reverse();
        seen
    }

    /// Moves up by so many rows, no further than to where the oldest row is the highest one.
    pub(super) fn up(self, by: usize, timeline: &Timeline, paper: &Paper, height: usize) -> Self {
        let Some(highest) = highest(timeline, paper, height) else { return Self::Newest };
        let Some((key, item, hidden)) = self.lowest(timeline) else { return Self::Newest };
        let mut hidden = hidden + by;
        let (mut key, mut len) = (*key, paper.rows(timeline, key, item).len());
        while hidden >= len {
            let Some((before, item)) = timeline.before(&key).next() else { return highest };
            hidden -= len;
            (key, len) = (*before, paper.rows(timeline, before, item).len());
        }
        let is_beyond = match highest {
            Self::Newest => true,
            Self::At { key: top, hidden: rest } => key < top || (key == top && hidden > rest),
        };
        if is_beyond { highest } else { Self::At { key, hidden } }
    }

    /// Moves down by so many rows, no further than to the newest.
    pub(super) fn down(self, by: usize, timeline: &Timeline, paper: &Paper) -> Self {
        let Self::At { .. } = self else { return self };
        let Some((key, _, hidden)) = self.lowest(timeline) else { return Self::Newest };
        if hidden > by {
            return Self::At { key: *key, hidden: hidden - by };
        }
        let mut left = by - hidden;
        let mut lowest = *key;
        for (after, item) in timeline.after(key) {
            if left == 0 {
                return Self::At { key: lowest, hidden: 0 };
            }
            let len = paper.rows(timeline, after, item).len();
            if left < len {
                return Self::At { key: *after, hidden: len - left };
            }
            left -= len;
            lowest = *after;
        }
        Self::Newest
    }

    /// Moves so that a message stands in the middle.
    pub(super) fn show(key: &Key, timeline: &Timeline, paper: &Paper, height: usize) -> Self {
        Self::At { key: *key, hidden: 0 }.down(height / 2, timeline, paper)
    }

    /// Counts the messages under the window.
    pub(super) fn below(self, timeline: &Timeline) -> usize {
        match self {
            Self::Newest => 0,
            Self::At { key, .. } => {
                timeline.after(&key).filter(|(_, item)| matches!(item, Item::Said(_))).take(MOST_COUNTED).count()
            }
        }
    }

    /// What the lowest row belongs to, and how many of its rows are hidden; what has left the view gives way to the next.
    fn lowest(self, timeline: &Timeline) -> Option<(&Key, &Item, usize)> {
        match self {
            Self::Newest => timeline.last().map(|(key, item)| (key, item, 0)),
            Self::At { key, hidden } => match timeline.entry(&key) {
                Some((key, item)) => Some((key, item, hidden)),
                None => timeline.after(&key).next().map(|(key, item)| (key, item, 0)),
            },
        }
    }
}

/// More messages than these under the window are not counted at every drawing: a person only sees that they are many.
const MOST_COUNTED: usize = 1000;

/// The window whose highest row is the oldest one; `None` where everything is seen at once.
fn highest(timeline: &Timeline, paper: &Paper, height: usize) -> Option<Window> {
    let mut seen = 0;
    for (key, item) in timeline.iter() {
        seen += paper.rows(timeline, key, item).len();
        if seen >= height {
            let is_last = timeline.last().is_some_and(|(last, _)| last == key);
            let hidden = seen - height;
            return if is_last && hidden == 0 { None } else { Some(Window::At { key: *key, hidden }) };
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::ui::sample::message;
    use crate::ui::tui::palette::Palette;
    use crate::ui::tui::timeline::Said;

    fn paper() -> Paper {
        Paper { columns: 30, zone: TimeZone::UTC, palette: Palette::new(false), pattern: None, me: None }
    }

    fn say(timeline: &mut Timeline, number: u32, text: &str) {
        let message = message(number, "army", "Army1", text);
        timeline.insert(message.position().into(), Said::new(message, "", false));
    }

    /// Ten messages, the fifth of which takes three rows.
    fn timeline() -> Timeline {
        let mut timeline = Timeline::default();
        for number in 1..=10 {
            say(&mut timeline, number, &if number == 5 { "5\nfive\n5 ends".to_owned() } else { number.to_string() });
        }
        timeline
    }

    fn seen(window: Window, timeline: &Timeline, height: usize) -> Vec<String> {
        let texts = window.rows(timeline, &paper(), height).into_iter().map(|line| line.to_string());
        texts.map(|text| text.trim().trim_start_matches("00:00 Army1: ").to_owned()).collect()
    }

    #[test]
    fn the_newest_rows_are_seen_and_those_that_come() {
        let mut timeline = timeline();
        assert_eq!(seen(Window::Newest, &timeline, 3), ["8", "9", "10"]);
        say(&mut timeline, 11, "11");
        assert_eq!(seen(Window::Newest, &timeline, 3), ["9", "10", "11"]);
    }

    #[test]
    fn what_arrives_does_not_move_what_one_is_reading() {
        let mut timeline = timeline();
        let window = Window::Newest.up(1, &timeline, &paper(), 3);
        assert_eq!(seen(window, &timeline, 3), ["7", "8", "9"]);
        say(&mut timeline, 11, "11");
        assert_eq!(seen(window, &timeline, 3), ["7", "8", "9"]);
        assert_eq!(window.below(&timeline), 2);
    }

    #[test]
    fn rows_are_passed_one_by_one_through_a_long_message_and_back() {
        let timeline = timeline();
        let mut window = Window::Newest.up(3, &timeline, &paper(), 3);
        let mut way = vec![seen(window, &timeline, 3).join("|")];
        for _ in 0..4 {
            window = window.up(1, &timeline, &paper(), 3);
            way.push(seen(window, &timeline, 3).join("|"));
        }
        assert_eq!(way, ["5 ends|6|7", "five|5 ends|6", "5|five|5 ends", "4|5|five", "3|4|5"]);
    }

    #[test]
    fn nobody_scrolls_past_either_end() {
        let timeline = timeline();
        let oldest = Window::Newest.up(1000, &timeline, &paper(), 3);
        assert_eq!(seen(oldest, &timeline, 3), ["── Thursday, 1 January 1970 ──", "1", "2"].map(str::to_owned));
        assert_eq!(oldest.up(1, &timeline, &paper(), 3), oldest);
        assert_eq!(oldest.down(1000, &timeline, &paper()), Window::Newest);
        assert_eq!(Window::Newest.up(5, &timeline, &paper(), 100), Window::Newest, "all is seen already");
    }

    #[test]
    fn down_undoes_up() {
        let timeline = timeline();
        for by in 1..9 {
            let window = Window::Newest.up(by, &timeline, &paper(), 3);
            assert_eq!(window.down(by, &timeline, &paper()), Window::Newest, "by {by}");
            assert_eq!(window.up(1, &timeline, &paper(), 3).down(1, &timeline, &paper()), window, "by {by}");
        }
    }

    #[test]
    fn a_place_that_has_left_the_view_gives_way_to_the_oldest_that_is_left() {
        let mut gone = timeline();
        let window = Window::At { key: *gone.iter().next().unwrap().0, hidden: 0 };
        gone = Timeline::default();
        say(&mut gone, 7, "7");
        say(&mut gone, 8, "8");
        assert_eq!(seen(window, &gone, 1), ["7"]);
    }
}
