//! The orders that are open, on top of the messages until they have been answered, in a band of bounded height.

use muster_roles::Precedence;
use ratatui::text::{Line, Span};

use super::model::Model;
use super::rows::rule;
use super::wrap::{shorten, wrap};
use crate::control::{Order, OrderAnswer};
use crate::ui::wording::counted;

/// Rows that the band takes at most, so that the messages keep theirs on a large terminal too.
const MAX_ROWS: usize = 12;

/// The part of the rows for messages that it takes at most.
const PART: usize = 3;

/// Rows of one order.
const ORDER_ROWS: usize = 2;

/// From so many rows on, one goes to a line that parts the band from the messages.
const RULED_FROM: usize = 4;

/// Cells that rows after an order's first are set in by.
const INDENT: usize = 3;

/// Returns the band's rows for an area of this size; none where nothing is open.
pub(super) fn rows(model: &Model, columns: usize, height: usize) -> Vec<Line<'static>> {
    let to_answer = model.numbers.orders.to_answer(model.open.as_ref());
    let unanswered: Vec<&Order> = model.numbers.orders.unanswered().collect();
    let total = to_answer.len() + unanswered.len();
    let most = (height / PART).min(MAX_ROWS);
    if total == 0 || most == 0 {
        return Vec::new();
    }
    let mut rows = vec![heading(model, to_answer.len(), unanswered.len(), columns)];
    let closing = usize::from(most >= RULED_FROM);
    let mine = to_answer.into_iter().enumerate().map(|(number, order)| (number == 0, order));
    let orders = mine.chain(unanswered.into_iter().map(|order| (false, order)));
    for (number, (is_first, order)) in orders.enumerate() {
        let room = most.saturating_sub(rows.len() + closing);
        // The first order is shown in any case; behind it, a row is left to say how many more there are.
        let kept = usize::from(number > 0 && number + 1 < total);
        match room.saturating_sub(kept) {
            0 if room == 0 => break,
            0 => {
                let rest = format!(" and {} more: `:orders` lists them", total - number);
                rows.push(Line::styled(shorten(&rest, columns), model.palette.dim()));
                break;
            }
            room => rows.extend(order_rows(model, order, is_first, columns).into_iter().take(room)),
        }
    }
    if closing > 0 {
        rows.push(Line::styled("─".repeat(columns), model.palette.dim()));
    }
    rows
}

/// What is owed, by whom, and what is to be done about it.
fn heading(model: &Model, to_answer: usize, unanswered: usize, columns: usize) -> Line<'static> {
    let (text, style) = match (to_answer, unanswered) {
        (0, 1) => ("your order waits for answers".to_owned(), model.palette.fresh()),
        (0, count) => (format!("{count} of your orders wait for answers"), model.palette.fresh()),
        (count, _) => (format!("{} to answer: :ack or :cannot", counted(count, "order")), model.palette.alarm()),
    };
    rule(&text, columns, style)
}

/// An order: to whoever has to answer it, what is ordered; to its giver, how it stands too.
fn order_rows(model: &Model, order: &Order, is_first: bool, columns: usize) -> Vec<Line<'static>> {
    let message = &order.message;
    let (is_mine, urgency) = (message.is_mine(), message.manner.urgency());
    let mark = if is_first { "▸" } else { " " };
    let place =
        if model.open.as_ref() == Some(&message.group) { String::new() } else { format!(" in {}", message.group) };
    let me = if is_mine { " (me)" } else { "" };
    let word = if urgency > Precedence::Routine { format!("[{urgency}] ") } else { String::new() };
    let head = [
        Span::styled(format!("{mark}{} ", model.clock(message.time)), model.palette.dim()),
        Span::styled(message.author.to_string(), model.palette.author(message.author.as_str(), is_mine)),
        Span::raw(format!("{me}{place}: ")),
        Span::styled(word, model.palette.precedence(urgency)),
    ];
    let used: usize = head.iter().map(Span::width).sum();
    let (first, rest) = (columns.saturating_sub(used), columns.saturating_sub(INDENT));
    // How an order stands takes the second row of the giver's own.
    let text_rows = if is_mine { ORDER_ROWS - 1 } else { ORDER_ROWS };
    let text = message.text.as_str();
    let broken = wrap(text, first, rest);
    let mut rows: Vec<Line<'static>> = Vec::new();
    for (number, row) in broken.iter().take(text_rows).enumerate() {
        let is_cut = number + 1 == text_rows && broken.len() > text_rows;
        let room = if number == 0 { first } else { rest };
        let part =
            if is_cut { text.get(row.start..).unwrap_or_default() } else { text.get(row.clone()).unwrap_or_default() };
        // Of what is cut, the line break is a space, so that the row ends with `…`.
        let part = Span::raw(shorten(&part.replace('\n', " "), room));
        let mut line = if number == 0 { Line::from(head.to_vec()) } else { Line::raw(" ".repeat(INDENT)) };
        line.spans.push(part);
        rows.push(line);
    }
    if is_mine {
        let standing = shorten(&standing(order), rest);
        rows.push(Line::from(vec![Span::raw(" ".repeat(INDENT)), Span::styled(standing, model.palette.fresh())]));
    }
    rows
}

/// How many have answered, who cannot, and who has not answered.
fn standing(order: &Order) -> String {
    let (answered, asked) = (order.answers.len(), order.answers.len() + order.missing.len());
    let unable: Vec<&str> =
        order.answers.iter().filter(|answer| !answer.able).map(|OrderAnswer { member, .. }| member.as_str()).collect();
    let cannot = if unable.is_empty() { String::new() } else { format!(", {} cannot", unable.join(", ")) };
    let missing: Vec<&str> = order.missing.iter().map(|name| name.as_str()).collect();
    format!("{answered} of {} so far{cannot}; missing: {}", counted(asked, "answer"), missing.join(", "))
}
