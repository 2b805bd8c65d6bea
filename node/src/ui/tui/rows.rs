//! How one thing in a timeline looks: the rows it takes, with the lines of day and of what is unread before them.

use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use muster_roles::Timestamp;
use ratatui::text::{Line, Span};

use super::palette::Palette;
use super::search::matches;
use super::timeline::{Item, Key, Said, Timeline, Weight};
use super::wrap::{width, wrap};
use crate::control::FROM_REMOVED;

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

    /// A line across, with a word in the middle.
    fn rule(&self, word: &str, style: ratatui::style::Style) -> Line<'static> {
        let word = super::wrap::shorten(word, self.columns.saturating_sub(6));
        let sides = self.columns.saturating_sub(width(&word) + 2);
        let (left, right) = (sides / 2, sides - sides / 2);
        Line::styled(format!("{} {word} {}", "─".repeat(left), "─".repeat(right)), style)
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
        let found = self.pattern.as_ref().map(|pattern| matches(text, pattern)).unwrap_or_default();

        let head_cells = TIME_CELLS + name.len() + me.len();
        let (indent, left) = (self.indent(), self.columns.saturating_sub(head_cells));
        let first = if left < FEWEST_TEXT_CELLS { 0 } else { left };
        let head = [
            Span::styled(format!("{} ", self.clock(time)), self.palette.dim()),
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
            self.stretch(&whole, row, text.len(), &found, &mut line);
            rows.push(line);
        }
    }

    /// Puts a part of a message's text on a line: what has been found in it stands out, and its marks step back.
    fn stretch(
        &self,
        whole: &str,
        row: Range<usize>,
        text_len: usize,
        found: &[Range<usize>],
        line: &mut Line<'static>,
    ) {
        let mut put = |from: usize, to: usize, style| {
            if let Some(part) = whole.get(from..to).filter(|part| !part.is_empty()) {
                line.spans.push(Span::styled(part.to_owned(), style));
            }
        };
        let (mut at, text_end) = (row.start, row.end.min(text_len));
        for hit in found.iter().filter(|hit| hit.start < text_end && hit.end > row.start) {
            let (start, end) = (hit.start.max(at), hit.end.min(text_end));
            put(at, start, ratatui::style::Style::new());
            put(start, end, self.palette.found());
            at = end;
        }
        put(at, text_end.max(at), ratatui::style::Style::new());
        put(text_len.max(row.start), row.end, self.palette.dim());
    }

    fn note(&self, weight: Weight, text: &str, rows: &mut Vec<Line<'static>>) {
        const LEAD: &str = "-- ";
        let style = match weight {
            Weight::Answer => ratatui::style::Style::new(),
            Weight::News => self.palette.dim(),
            Weight::Refusal => self.palette.alarm(),
        };
        let cells = self.columns.saturating_sub(LEAD.len());
        for (number, row) in wrap(text, cells, cells).into_iter().enumerate() {
            let lead = if number == 0 { LEAD } else { "   " };
            rows.push(Line::styled(format!("{lead}{}", text.get(row).unwrap_or_default()), style));
        }
    }

    fn clock(&self, time: Timestamp) -> String {
        let instant = self.at(time);
        instant.strftime("%H:%M").to_string()
    }

    fn date(&self, time: Timestamp) -> Date {
        self.at(time).date()
    }

    /// A record may carry any time: one beyond the calendar is shown as the end of it.
    fn at(&self, time: Timestamp) -> jiff::Zoned {
        let instant = i64::try_from(time.ms()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        instant.unwrap_or(jiff::Timestamp::MAX).to_zoned(self.zone.clone())
    }
}
