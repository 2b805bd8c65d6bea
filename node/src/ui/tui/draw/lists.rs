//! The groups at the left and the members at the right.

use std::cmp::Reverse;

use muster_roles::{Precedence, Role};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::spread;
use crate::control::{GroupChoice, Member};
use crate::ui::tui::layout::Areas;
use crate::ui::tui::model::Model;
use crate::ui::tui::unread::Unread;
use crate::ui::wording;

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, areas: &Areas) {
    if let Some(area) = areas.groups {
        draw_rows(frame, area, group_rows(model, area.width));
    }
    if let Some(area) = areas.members {
        draw_rows(frame, area, member_rows(model, area.width, area.height.into()));
    }
}

fn draw_rows(frame: &mut Frame<'_>, area: Rect, rows: Vec<Line<'static>>) {
    for (y, row) in (area.y..area.bottom()).zip(rows) {
        frame.render_widget(row, Rect { y, height: 1, ..area });
    }
}

fn group_rows(model: &Model, columns: u16) -> Vec<Line<'static>> {
    let choices = model.profile.iter().flat_map(|profile| &profile.groups);
    let heading = Line::styled(" groups", model.palette.dim());
    std::iter::once(heading).chain(choices.map(|choice| group_row(model, choice, columns))).collect()
}

/// A group with the letter that opens it, and what is unread of it.
fn group_row(model: &Model, choice: &GroupChoice, columns: u16) -> Line<'static> {
    let is_open = model.open.as_ref() == Some(&choice.id);
    let unread = model.unread(&choice.id);
    let style = if is_open { model.palette.bar() } else { Style::new() };
    let mark = if is_open { "▸" } else { " " };
    let name = if unread.count > 0 { model.palette.strong() } else { Style::new() };
    let left = vec![Span::raw(format!("{mark}:{} ", choice.letter)), Span::styled(choice.id.to_string(), name)];
    let count = if unread.count > 0 { format!(" {} ", unread.short()) } else { " ".to_owned() };
    let right = vec![Span::styled(count, if is_open { Style::new() } else { unread_style(model, unread) })];
    spread(left, right, columns, style)
}

fn member_rows(model: &Model, columns: u16, height: usize) -> Vec<Line<'static>> {
    let online = model.members.iter().filter(|member| member.me || member.presence.online).count();
    let heading = format!(" members, {online} of {} here", model.members.len());
    let mut rows = vec![Line::styled(heading, model.palette.dim())];
    let mut members: Vec<&Member> = model.members.iter().collect();
    // Those who are there first, and in each part the order that the roster gives them.
    members.sort_by_key(|member| Reverse(member.me || member.presence.online));
    let room = height.saturating_sub(rows.len());
    let shown = if members.len() > room { room.saturating_sub(1) } else { members.len() };
    rows.extend(members.iter().take(shown).map(|member| member_row(model, member, columns)));
    if shown < members.len() {
        rows.push(Line::styled(format!("   and {} more", members.len() - shown), model.palette.dim()));
    }
    rows
}

fn member_row(model: &Model, member: &Member, columns: u16) -> Line<'static> {
    let is_here = member.me || member.presence.online;
    let (mark, style) = if is_here { ("●", model.palette.present()) } else { ("○", model.palette.dim()) };
    let name = member.name.as_str();
    let name_style = if is_here { model.palette.author(name, member.me) } else { model.palette.dim() };
    let me = if member.me { " (me)" } else { "" };
    let left = vec![Span::styled(format!(" {mark} "), style), Span::styled(name.to_owned(), name_style), Span::raw(me)];
    let about = match member.presence.last_heard_ms.filter(|_| !is_here) {
        Some(heard_ms) => wording::age(model.now_ms.saturating_sub(heard_ms)),
        None => duty(&member.role),
    };
    spread(left, vec![Span::styled(format!(" {about} "), model.palette.dim())], columns, Style::new())
}

/// What is unread looks as urgent as the most urgent of it.
fn unread_style(model: &Model, unread: Unread) -> Style {
    if unread.urgency > Precedence::Routine { model.palette.precedence(unread.urgency) } else { model.palette.fresh() }
}

/// What a member is, in a word: soldiers by their troop, as there are many.
pub(super) fn duty(role: &Role) -> String {
    match role {
        Role::Commander => "commander".to_owned(),
        Role::Leader(troop) => format!("leads {troop}"),
        Role::Soldier(troop) => troop.to_string(),
        Role::Carrier => "carrier".to_owned(),
    }
}
