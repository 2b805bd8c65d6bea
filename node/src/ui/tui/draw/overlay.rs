//! What stands over the messages for a moment: the list of commands and keys, and the question about a paste.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear};

use crate::ui::commands;
use crate::ui::tui::keymap;
use crate::ui::tui::model::{Mode, Model};
use crate::ui::tui::wrap::{shorten, width, wrap};

/// Lines of a pasted text that are shown with the question about it.
const PREVIEW_LINES: usize = 6;

/// Cells that the frame takes beside a text: a line and a space on either side.
pub(super) const FRAME_COLUMNS: usize = 4;

/// Rows that the frame takes above and below.
pub(super) const FRAME_ROWS: usize = 2;

/// What rows of the help after the first one of a line begin with.
const HANGING: &str = "    ";

pub(super) fn draw_help(frame: &mut Frame<'_>, model: &Model, from: usize) {
    let rows = help_rows(model);
    let (height, total) = (help_height(model), rows.len());
    let seen: Vec<Line<'static>> = rows.into_iter().skip(from).take(height).map(Line::raw).collect();
    let foot = if total > height { " ↑ ↓ scroll, Esc closes " } else { " Esc closes " };
    draw_box(frame, model, " commands and keys ", foot, seen);
}

/// The rows of the help, broken to the width there is.
pub(in crate::ui::tui) fn help_rows(model: &Model) -> Vec<String> {
    let Some(profile) = &model.profile else { return Vec::new() };
    let columns = usize::from(model.size.columns).saturating_sub(FRAME_COLUMNS);
    let commands = commands::help(profile, model.open.as_ref());
    let lines = commands.into_iter().chain([String::new()]).chain(keymap::help());
    let broken = |line: String| {
        let rows = wrap(&line, columns, columns.saturating_sub(HANGING.len()));
        let row =
            |(number, row)| format!("{}{}", if number > 0 { HANGING } else { "" }, line.get(row).unwrap_or_default());
        rows.into_iter().enumerate().map(row).collect::<Vec<_>>()
    };
    lines.flat_map(broken).collect()
}

/// How many rows of the help are seen at once.
pub(in crate::ui::tui) fn help_height(model: &Model) -> usize {
    usize::from(model.size.rows).saturating_sub(FRAME_ROWS)
}

pub(super) fn draw_paste(frame: &mut Frame<'_>, model: &Model, text: &str) {
    let lines = text.lines().count();
    let columns = usize::from(model.size.columns).saturating_sub(FRAME_COLUMNS);
    let place = model.open.as_ref().map_or("no group", |group| group.as_str());
    let mut rows = vec![
        Line::styled(format!("Paste {lines} lines into the message for {place}?"), model.palette.strong()),
        Line::default(),
    ];
    let preview = text.lines().take(PREVIEW_LINES.min(help_height(model).saturating_sub(3)));
    rows.extend(preview.map(|line| Line::styled(shorten(line, columns), model.palette.dim())));
    if lines > PREVIEW_LINES {
        rows.push(Line::styled("…", model.palette.dim()));
    }
    draw_box(frame, model, " paste ", " y pastes, n does not ", rows);
}

/// A box in the middle, as large as what is in it.
pub(super) fn draw_box(frame: &mut Frame<'_>, model: &Model, head: &str, foot: &str, rows: Vec<Line<'static>>) {
    let whole = model.areas().whole;
    let widest = rows.iter().map(|row| row.spans.iter().map(|span| width(&span.content)).sum::<usize>()).max();
    let columns = widest.unwrap_or(0).max(width(head)).max(width(foot)) + FRAME_COLUMNS;
    let columns = u16::try_from(columns).unwrap_or(u16::MAX).min(whole.width);
    let height = u16::try_from(rows.len() + FRAME_ROWS).unwrap_or(u16::MAX).min(whole.height);
    let area = Rect::new((whole.width - columns) / 2, (whole.height - height) / 2, columns, height);
    let block = Block::bordered()
        .title(Line::styled(head.to_owned(), model.palette.strong()))
        .title_bottom(Line::styled(foot.to_owned(), model.palette.dim()))
        .border_style(Style::new());
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    for (y, row) in (inner.y..inner.bottom()).zip(rows) {
        frame.render_widget(row, Rect { x: inner.x + 1, y, width: inner.width.saturating_sub(1), height: 1 });
    }
}

impl Model {
    /// Keeps the help from being scrolled past its end.
    pub(in crate::ui::tui) fn bound_help(&mut self) {
        let most = help_rows(self).len().saturating_sub(help_height(self));
        if let Mode::Help { from } = &mut self.mode {
            *from = (*from).min(most);
        }
    }
}
