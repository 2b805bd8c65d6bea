//! The title and the status line.

use muster_roles::{GroupId, Precedence};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::spread;
use crate::control::MAX_TEXT_LEN;
use crate::ui::commands::rank;
use crate::ui::tui::model::Model;
use crate::ui::tui::unread::{Unread, many};
use crate::ui::tui::window::Window;
use crate::ui::tui::wrap::width;
use crate::ui::wording;

/// From so many bytes on, the status line counts how long the message has become.
const COUNTED_FROM_LEN: usize = MAX_TEXT_LEN / 4 * 3;

/// The unit and who sits here; where there is no room for a list of groups, the groups.
pub(super) fn draw_title(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let bar = model.palette.bar();
    let Some(profile) = &model.profile else {
        frame.render_widget(spread(vec![Span::raw(" Muster")], Vec::new(), area.width, bar), area);
        return;
    };
    if model.areas().groups.is_some() {
        let left = vec![Span::raw(format!(" {} · {}, {}", profile.unit, profile.name, rank(&profile.role)))];
        let right = vec![Span::raw(" :help ")];
        frame.render_widget(spread(left, right, area.width, bar), area);
        return;
    }
    let group = |choice: &crate::control::GroupChoice| {
        let unread = model.unread(&choice.id);
        let mark = if model.open.as_ref() == Some(&choice.id) { "▸" } else { "" };
        let count = if unread.count > 0 { format!(" {}", unread.short()) } else { String::new() };
        let style = if mark.is_empty() && count.is_empty() { Style::new() } else { model.palette.strong() };
        Span::styled(format!(" {mark}{}{count} ", choice.id), style)
    };
    let left = profile.groups.iter().map(group).collect();
    let right = vec![Span::raw(format!(" {} ", profile.name))];
    frame.render_widget(spread(left, right, area.width, bar), area);
}

/// Who is in reach, what waits, the roster and the clock; or what the last key has to say.
pub(super) fn draw_status(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let right = match model.view().window {
        Window::Newest => Vec::new(),
        Window::At { .. } => {
            let below = model.view().window.below(&model.view().timeline);
            let count =
                if below > 0 { format!(" ↓ {} below, End ", many(below as u64)) } else { " ↓ End ".to_owned() };
            vec![Span::styled(count, model.palette.fresh())]
        }
    };
    let room = usize::from(area.width).saturating_sub(right.iter().map(|span| width(&span.content)).sum());
    let left = match &model.hint {
        Some(hint) => vec![Span::styled(format!(" {hint}"), model.palette.strong())],
        None => facts(model, room),
    };
    frame.render_widget(spread(left, right, area.width, Style::new()), area);
}

/// What there is to tell, as far as there is room, the most important first.
fn facts(model: &Model, room: usize) -> Vec<Span<'static>> {
    let palette = model.palette;
    let mut facts = vec![match model.connected {
        0 => (
            format!("○ {}", if room < 40 { "nobody in reach" } else { "nobody in reach: what you write waits" }),
            palette.alarm(),
        ),
        connected => (format!("● {connected} in reach"), palette.present()),
    }];
    if let Some(warning) = warning(model) {
        facts.push((format!("! {warning}"), palette.alarm()));
    }
    facts.extend(unread_facts(model));
    let typed_len = model.editor.text().len();
    if typed_len > MAX_TEXT_LEN {
        facts.push((format!("! {typed_len} of {MAX_TEXT_LEN} bytes: too long"), palette.alarm()));
    } else if typed_len >= COUNTED_FROM_LEN {
        facts.push((format!("{typed_len} of {MAX_TEXT_LEN} bytes"), palette.dim()));
    }
    if model.waiting > 0 {
        facts.push((format!("{} waiting", model.waiting), palette.fresh()));
    }
    if let Some(roster) = &model.roster {
        let age = wording::age(model.now_ms.saturating_sub(roster.issued_ms));
        facts.push((format!("roster {}, {age} old", roster.version), palette.dim()));
    }
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (number, (text, style)) in facts.into_iter().enumerate() {
        let gap = if number == 0 { " " } else { " · " };
        used += width(gap) + width(&text);
        if number > 0 && used > room {
            break;
        }
        spans.push(Span::styled(gap, palette.dim()));
        spans.push(Span::styled(text, style));
    }
    spans
}

fn warning(model: &Model) -> Option<String> {
    let off = model.clock.off_by_ms.map(|by_ms| format!("clock {} the unit's", wording::apart(by_ms)));
    model.warning.clone().or(off)
}

/// What is unread and is not to wait: where the most urgent of it stands, and who is called by name where.
fn unread_facts(model: &Model) -> Vec<(String, Style)> {
    let groups = model.profile.iter().flat_map(|profile| &profile.groups).map(|choice| &choice.id);
    let unread: Vec<(&GroupId, Unread)> = groups.map(|group| (group, model.unread(group))).collect();
    let places = |is_there: &dyn Fn(&Unread) -> bool| {
        let places = unread.iter().filter(|(_, unread)| is_there(unread)).map(|(group, _)| group.as_str());
        places.collect::<Vec<_>>().join(", ")
    };
    let mut facts = Vec::new();
    let urgency = unread.iter().map(|(_, unread)| unread.urgency).max().unwrap_or_default();
    if urgency > Precedence::Routine {
        let places = places(&|unread| unread.urgency == urgency);
        facts.push((format!("{urgency} in {places}"), model.palette.precedence(urgency)));
    }
    let calls: u64 = unread.iter().map(|(_, unread)| unread.calls).sum();
    if calls > 0 {
        let places = places(&|unread| unread.calls > 0);
        facts.push((format!("@{} in {places}", many(calls)), model.palette.fresh()));
    }
    facts
}
