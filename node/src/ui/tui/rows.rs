//! How one thing in a timeline looks: the rows it takes, with the lines of day and of what is unread before them.

use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use muster_roles::{MemberName, Timestamp};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::palette::Palette;
use super::search::matches;
use super::timeline::{Item, Key, Said, Timeline, Weight};
use super::wrap::{width, wrap};
use crate::control::{FROM_REMOVED, calls};

/// Under so many columns, rows after a message's first one are not set in under its time.
const NARROW_COLUMNS: usize = 50;

/// Cells of a time and the space behind it.
const TIME_CELLS: usize = 6;

/// Cells that a row is set in by where there are few.
const SHORT_INDENT: usize = 2;

/// Where fewer are left behind a name, the text begins on the next row.
const FEWEST_TEXT_CELLS: usize = 8;

/// What stands behind one's own message while nobody else is known to have it.
const WAITING: &str = " (waiting)";

/// What stands behind a message that came after newer ones had been shown.
const LATE: &str = " (came late)";

/// Everything that decides how things look, beside themselves.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    /// Cells in a row.
    pub(super) columns: usize,
    pub(super) zone: TimeZone,
    pub(super) palette: Palette,
    /// What is searched for; shown where it is found.
    pub(super) pattern: Option<String>,
    /// Whoever sits here; the name stands out where others call it.
    pub(super) me: Option<MemberName>,
}

/// A line across, with a word in the middle.
pub(super) fn rule(word: &str, columns: usize, style: Style) -> Line<'static> {
    let word = super::wrap::shorten(word, columns.saturating_sub(4));
    let sides = columns.saturating_sub(width(&word) + 2);
    let (left, right) = (sides / 2, sides - sides / 2);
    Line::styled(format!("{} {word} {}", "─".repeat(left), "─".repeat(right)), style)
}

/// The time of day to the minute.
pub(super) fn clock(time: Timestamp, zone: &TimeZone) -> String {
    at(time, zone).strftime("%H:%M").to_string()
}

/// A record may carry any time: one beyond the calendar is shown as the end of it.
fn at(time: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    let instant = i64::try_from(time.ms()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    instant.unwrap_or(jiff::Timestamp::MAX).to_zoned(zone.clone())
}

impl Paper {
    /// Returns the rows of what stands there.
    pub(super) fn rows(&self, timeline: &Timeline, key: &Key, item: &Item) -> Vec<Line<'static>> {
        let mut rows = Vec::new();
        let before = timeline.before(key).next();
        if before.is_none() && timeline.is_cut() {
            rows.push(self.rule("older ones are not in view: :d saves the week", self.palette.dim()));
        }
        if let Item::Said(_) = item {
            let day = self.date(key.time());
            // What was told before the first message has no time.
            let of_message = |key: &Key| key.time() > Timestamp::ZERO;
            if before.is_none_or(|(before, _)| !of_message(before) || self.date(before.time()) != day) {
                rows.push(self.rule(&day.strftime("%A, %-d %B %Y").to_string(), self.palette.dim()));
            }
        }
        if timeline.unread_from() == Some(key) {
            rows.push(self.rule("unread", self.palette.fresh()));
        }
        match item {
            Item::Said(said) => self.said(key.time(), said, &mut rows),
            Item::Note(weight, text) => self.note(*weight, text, &mut rows),
        }
        rows
    }

    fn rule(&self, word: &str, style: Style) -> Line<'static> {
        rule(word, self.columns, style)
    }

    fn indent(&self) -> usize {
        if self.columns < NARROW_COLUMNS { SHORT_INDENT } else { TIME_CELLS }
    }

    fn said(&self, time: Timestamp, said: &Said, rows: &mut Vec<Line<'static>>) {
        let name = said.author.as_str();
        let me = if said.mine { " (me): " } else { ": " };
        let mark = |there: bool, mark: &'static str| if there { mark } else { "" };
        // Of a removed member it says so: that it is late is said by that.
        let late = if said.from_removed { FROM_REMOVED } else { mark(said.late, LATE) };
        let delivery = if said.delivery.is_empty() { String::new() } else { format!(" ({})", said.delivery) };
        let marks = format!("{late}{}{delivery}", mark(said.waiting, WAITING));
        let text = said.text.as_str();
        let whole = format!("{text}{marks}");
        let looks = self.looks(said, whole.len());

        let head_cells = TIME_CELLS + name.len() + me.len();
        let (indent, left) = (self.indent(), self.columns.saturating_sub(head_cells));
        let first = if left < FEWEST_TEXT_CELLS { 0 } else { left };
        let head = [
            Span::styled(format!("{} ", clock(time, &self.zone)), self.palette.dim()),
            Span::styled(name.to_owned(), self.palette.author(name, said.mine)),
            Span::raw(me),
        ];
        for (number, row) in wrap(&whole, first, self.columns.saturating_sub(indent)).into_iter().enumerate() {
            let mut line = Line::default();
            if number == 0 {
                line.spans.extend(head.iter().cloned());
            } else {
                line.spans.push(Span::raw(" ".repeat(indent)));
            }
            stretch(&whole, row, &looks, &mut line);
            rows.push(line);
        }
    }

    /// Which parts of a message look how; of those that overlap, the later goes before.
    fn looks(&self, said: &Said, whole_len: usize) -> Vec<(Range<usize>, Style)> {
        let (text, palette) = (said.text.as_str(), self.palette);
        let mut looks = vec![
            (0..text.len(), palette.text(said.urgency)),
            (0..said.lead_len, palette.precedence(said.urgency)),
            (text.len()..whole_len, palette.dim()),
        ];
        if let Some(me) = self.me.as_ref().filter(|_| said.calls_me) {
            looks.extend(calls(text, me).map(|called| (called, palette.called())));
        }
        if let Some(pattern) = &self.pattern {
            looks.extend(matches(text, pattern).into_iter().map(|found| (found, palette.found())));
        }
        looks
    }

    fn note(&self, weight: Weight, text: &str, rows: &mut Vec<Line<'static>>) {
        const LEAD: &str = "-- ";
        let style = match weight {
            Weight::Answer => Style::new(),
            Weight::News => self.palette.dim(),
            Weight::Reminder => self.palette.fresh(),
            Weight::Refusal => self.palette.alarm(),
        };
        let cells = self.columns.saturating_sub(LEAD.len());
        for (number, row) in wrap(text, cells, cells).into_iter().enumerate() {
            let lead = if number == 0 { LEAD } else { "   " };
            rows.push(Line::styled(format!("{lead}{}", text.get(row).unwrap_or_default()), style));
        }
    }

    fn date(&self, time: Timestamp) -> Date {
        at(time, &self.zone).date()
    }
}

/// Puts a part of a message on a line, piece by piece as it looks.
fn stretch(whole: &str, row: Range<usize>, looks: &[(Range<usize>, Style)], line: &mut Line<'static>) {
    let edges = looks.iter().flat_map(|(range, _)| [range.start, range.end]);
    let mut cuts: Vec<usize> = edges.filter(|edge| row.contains(edge)).chain([row.start, row.end]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    for (start, end) in cuts.iter().zip(cuts.iter().skip(1)) {
        let look = looks.iter().rev().find(|(range, _)| range.contains(start));
        let part = whole.get(*start..*end).unwrap_or_default();
        line.spans.push(Span::styled(part.to_owned(), look.map(|(_, style)| *style).unwrap_or_default()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use muster_roles::Precedence;
    use ratatui::style::{Color, Modifier};

    use super::*;
    use crate::control::{Manner, Message};
    use crate::ui::sample::{member, message};

    /// The pieces of a message's only row behind its time and author, as they look with colours or without.
    fn pieces(message: Message, lead: &str, has_colours: bool) -> Vec<(String, Style)> {
        let (me, pattern) = (Some(member("Army3")), Some("bridge".to_owned()));
        let paper = Paper { columns: 80, zone: TimeZone::UTC, palette: Palette::new(has_colours), pattern, me };
        let mut timeline = Timeline::default();
        let key = Key::from(message.position());
        timeline.insert(key, Said::new(message, lead, false));
        let (key, item) = timeline.entry(&key).unwrap();
        let rows = paper.rows(&timeline, key, item);
        let spans = rows.last().unwrap().spans.iter().skip(3);
        spans.map(|span| (span.content.to_string(), span.style)).collect()
    }

    fn texts(pieces: &[(String, Style)]) -> Vec<&str> {
        pieces.iter().map(|(text, _)| text.as_str()).collect()
    }

    #[test]
    fn how_urgent_a_message_is_stands_out_with_colours_and_without() {
        let flash = || {
            let manner = Manner { precedence: Precedence::Flash, ..Manner::default() };
            Message { manner, ..message(1, "army", "Army1", "come") }
        };
        let coloured = pieces(flash(), "[flash] ", true);
        assert_eq!(texts(&coloured), ["[flash] ", "come"]);
        let marked = coloured.first().unwrap().1;
        assert!(marked.fg == Some(Color::Red) && marked.add_modifier.contains(Modifier::REVERSED));
        let plain = pieces(flash(), "[flash] ", false);
        assert_eq!(texts(&plain), ["[flash] ", "come"], "a word says it too");
        assert!(plain.iter().all(|(_, style)| style.fg.is_none()));
        assert!(plain.iter().all(|(_, style)| style.add_modifier.contains(Modifier::BOLD)));
    }

    #[test]
    fn ones_name_stands_out_where_others_call_it_and_what_is_searched_for_goes_before() {
        let text = "@army3 to the bridge, @Army2 too, @ARMY3!";
        let called = Message { mentions_me: true, ..message(1, "army", "Army1", text) };
        let seen = pieces(called, "", false);
        assert_eq!(texts(&seen), ["@army3", " to the ", "bridge", ", @Army2 too, ", "@ARMY3", "!"]);
        let looks: Vec<Modifier> = seen.iter().map(|(_, style)| style.add_modifier).collect();
        let (call, none) = (Modifier::BOLD | Modifier::UNDERLINED, Modifier::empty());
        assert_eq!(looks, [call, none, Modifier::REVERSED, none, call, none]);
        // In one's own it is no call.
        let own = pieces(message(1, "army", "Army3", "I, @Army3"), "", false);
        assert_eq!(texts(&own), ["I, @Army3"]);
    }
}
