//! Who has a message: its readers, those who have not got it first.

use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::text::{Line, Span};

use super::lists::duty;
use super::overlay::{FRAME_COLUMNS, FRAME_ROWS, draw_box};
use crate::control::{Matrix, Receiver};
use crate::ui::tui::model::{Mode, Model, Who};
use crate::ui::tui::timeline::Item;
use crate::ui::tui::wrap::shorten;

/// Rows above the members: the message, how many have it, and nothing.
const HEAD_ROWS: usize = 3;

/// From so many columns on, it is said too what each member is.
const WIDE_FROM: u16 = 60;

pub(super) fn draw_who(frame: &mut Frame<'_>, model: &Model, who: &Who) {
    let columns = usize::from(model.size.columns).saturating_sub(FRAME_COLUMNS);
    let mut rows = vec![Line::styled(shorten(&message(model, who), columns), model.palette.strong())];
    let height = height(model);
    let mut total = 0;
    match &who.matrix {
        None => rows.push(Line::styled("…", model.palette.dim())),
        Some(matrix) => {
            rows.push(Line::raw(shorten(&summary(matrix), columns)));
            rows.push(Line::default());
            total = matrix.members.len();
            let mut members: Vec<&Receiver> = matrix.members.iter().collect();
            members.sort_by_key(|member| (member.delivered_ms.is_some(), member.read_ms.is_some()));
            let name_cells = members.iter().map(|member| member.name.as_str().len()).max().unwrap_or_default();
            let seen = members.into_iter().skip(who.from).take(height);
            rows.extend(seen.map(|member| member_row(model, member, name_cells)));
        }
    }
    let foot =
        if total > height { " ↑ ↓, n older, N newer, Esc closes " } else { " n older, N newer, Esc closes " };
    draw_box(frame, model, " who has it ", foot, rows);
}

/// The message as it stands among the others, in one line.
fn message(model: &Model, who: &Who) -> String {
    let clock = model.clock(who.key.time());
    match model.view().timeline.entry(&who.key) {
        Some((_, Item::Said(said))) => {
            let me = if said.mine { " (me)" } else { "" };
            format!("{clock} {}{me}: {}", said.author, said.text.as_str().replace('\n', " "))
        }
        _ => format!("{clock} in {}", who.group),
    }
}

fn summary(matrix: &Matrix) -> String {
    let count = |is_counted: fn(&Receiver) -> bool| matrix.members.iter().filter(|member| is_counted(member)).count();
    let (have, read) = (count(|member| member.delivered_ms.is_some()), count(|member| member.read_ms.is_some()));
    match matrix.members.len() {
        0 => format!("nobody else reads {}", matrix.group),
        of => format!("{have} of {of} have it, read by {read}"),
    }
}

fn member_row(model: &Model, member: &Receiver, name_cells: usize) -> Line<'static> {
    let palette = model.palette;
    let (mark, style) = if member.delivered_ms.is_some() { ("●", palette.present()) } else { ("○", palette.dim()) };
    let name = member.name.as_str();
    let mut spans = vec![
        Span::styled(format!("{mark} "), style),
        Span::styled(format!("{name:name_cells$}  "), palette.author(name, false)),
    ];
    let is_wide = model.size.columns >= WIDE_FROM;
    if is_wide {
        spans.push(Span::styled(format!("{:<16}", shorten(&duty(&member.role), 15)), palette.dim()));
    }
    match member.delivered_ms.map(|ms| time(ms, model)) {
        None => spans.push(Span::styled("not yet", palette.fresh())),
        Some(delivered) if is_wide => spans.push(Span::raw(format!("has it {delivered}"))),
        Some(delivered) => spans.push(Span::raw(delivered)),
    }
    if let Some(read_ms) = member.read_ms {
        spans.push(Span::raw(format!("  read {}", time(read_ms, model))));
    }
    Line::from(spans)
}

/// The time of day to the second, and the day where it is not today.
fn time(ms: u64, model: &Model) -> String {
    let at = |ms: u64, zone: &TimeZone| {
        let instant = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        instant.unwrap_or(jiff::Timestamp::MAX).to_zoned(zone.clone())
    };
    let (time, now) = (at(ms, &model.zone), at(model.now_ms, &model.zone));
    time.strftime(if time.date() == now.date() { "%H:%M:%S" } else { "%a %H:%M:%S" }).to_string()
}

/// How many members are seen at once.
fn height(model: &Model) -> usize {
    usize::from(model.size.rows).saturating_sub(FRAME_ROWS + HEAD_ROWS)
}

impl Model {
    /// Keeps the list from being scrolled past its end.
    pub(in crate::ui::tui) fn bound_who(&mut self) {
        let height = height(self);
        if let Mode::Who(who) = &mut self.mode {
            let total = who.matrix.as_ref().map_or(0, |matrix| matrix.members.len());
            who.from = who.from.min(total.saturating_sub(height));
        }
    }
}
