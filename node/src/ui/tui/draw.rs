//! Drawing a model: pure, and no more than what is seen.

mod lists;
mod overlay;
mod status;
mod who;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::band;
use super::layout::Areas;
use super::model::{Mode, Model};
use super::typed::Typed;
use super::wrap::{shorten, width};

/// Draws the whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let areas = model.areas();
    if areas.is_too_small {
        let size = model.size;
        let text = format!("too small: {}×{}, Muster needs 40×10", size.columns, size.rows);
        frame.render_widget(Line::raw(text), areas.whole);
        return;
    }
    status::draw_title(frame, model, areas.title);
    lists::draw(frame, model, &areas);
    draw_orders(frame, model, &areas);
    draw_messages(frame, model, &areas);
    status::draw_status(frame, model, areas.status);
    draw_input(frame, model, areas.input);
    match &model.mode {
        Mode::Help { from } => overlay::draw_help(frame, model, *from),
        Mode::Paste { text } => overlay::draw_paste(frame, model, text),
        Mode::Who(who) => who::draw_who(frame, model, who),
        Mode::Typing | Mode::Searching { .. } | Mode::Found { .. } => {}
    }
}

/// The orders that are open, as far as there is room, on top of the messages.
fn draw_orders(frame: &mut Frame<'_>, model: &Model, areas: &Areas) {
    let area = areas.orders;
    let rows = band::rows(model, area.width.into(), (area.height + areas.messages.height).into());
    for (y, row) in (area.y..area.bottom()).zip(rows) {
        frame.render_widget(row, Rect { y, height: 1, ..area });
    }
}

fn draw_messages(frame: &mut Frame<'_>, model: &Model, areas: &Areas) {
    let area = areas.messages;
    let view = model.view();
    let rows = view.window.rows(&view.timeline, &model.paper(), area.height.into());
    // Few messages stand at the bottom, next to where one writes.
    let gap = area.height.saturating_sub(u16::try_from(rows.len()).unwrap_or(u16::MAX));
    for (y, row) in (area.y + gap..area.bottom()).zip(rows) {
        frame.render_widget(row, Rect { y, height: 1, ..area });
    }
    let part = |frame: &mut Frame<'_>, x: u16| {
        for y in areas.orders.top()..area.bottom() {
            frame.render_widget(Span::styled("│", model.palette.dim()), Rect::new(x, y, 1, 1));
        }
    };
    if let Some(groups) = areas.groups {
        part(frame, groups.right());
    }
    if let Some(members) = areas.members {
        part(frame, members.x.saturating_sub(1));
    }
}

fn draw_input(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    if let Some(text) = model.instead_of_input() {
        let text = shorten(&text, area.width.into());
        frame.render_widget(Line::styled(text, model.palette.strong()), area);
        return;
    }
    let prompt = model.prompt();
    let typed = Typed::of(model.editor.area(), &prompt, area.width.into());
    let (rows, cursor) = typed.seen(area.height.into());
    for (y, row) in (area.y..area.bottom()).zip(rows) {
        let line = match row.strip_prefix(prompt.as_str()) {
            Some(text) => Line::from(vec![Span::styled(prompt.clone(), model.palette.strong()), Span::raw(text)]),
            None => Line::raw(row.as_str()),
        };
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
    if matches!(model.mode, Mode::Typing) {
        let at = |start: u16, by: usize| start.saturating_add(u16::try_from(by).unwrap_or(u16::MAX));
        let x = at(area.x, cursor.1).min(area.right().saturating_sub(1));
        frame.set_cursor_position(Position { x, y: at(area.y, cursor.0).min(area.bottom().saturating_sub(1)) });
    }
}

/// A row with one text at its left end and another at its right; what does not fit is cut from the left one.
fn spread(left: Vec<Span<'static>>, right: Vec<Span<'static>>, columns: u16, style: Style) -> Line<'static> {
    let columns = usize::from(columns);
    let cells = |spans: &[Span<'_>]| spans.iter().map(|span| width(&span.content)).sum::<usize>();
    let room = columns.saturating_sub(cells(&right));
    let mut line = Line::default().style(style);
    let mut used = 0;
    for span in left {
        let text = shorten(&span.content, room.saturating_sub(used));
        used += width(&text);
        line.spans.push(Span::styled(text, span.style));
    }
    line.spans.push(Span::raw(" ".repeat(room.saturating_sub(used))));
    line.spans.extend(right);
    line
}
