//! What both screens share: which group is open, what each line typed asks for, what each event prints. Pure.

use std::collections::BTreeMap;
use std::fmt;

use muster_roles::{GroupId, MemberName, Timestamp};

use super::commands::{self, Action, CommandError, rank};
use super::printed::Line;
use super::shown::Shown;
use super::{CHANNEL_LEN, Event, Request};
use crate::engine::io::{Notice, PostError, RequestId};
use crate::engine::late::LateRows;
use crate::engine::view::{Printable, Profile, Row};
use crate::engine::wire::RecordId;

/// Live rows kept back while the history that goes before them is on its way; with more, they are shown without it.
const MAX_HELD_ROWS: usize = CHANNEL_LEN;

/// One thing for the screen to do.
#[derive(Debug)]
pub(super) enum Output {
    /// Ask the node.
    Ask(Request),
    /// Print a line.
    Print(Line),
}

/// The state of one screen.
#[derive(Debug, Default)]
pub(super) struct Chat {
    profile: Option<Profile>,
    open: Option<GroupId>,
    unread: BTreeMap<GroupId, u64>,
    shown: Shown,
    /// Groups whose history was asked for, with the live rows that came before it.
    awaited: BTreeMap<GroupId, Vec<Row>>,
    posts: u64,
    connected: usize,
}

impl Chat {
    /// Tells whether it is known who sits here; before that, nothing typed can be understood.
    pub(super) fn is_ready(&self) -> bool {
        self.profile.is_some()
    }

    /// Returns the prompt: the open group and the member's name.
    pub(super) fn prompt(&self) -> String {
        let group = self.open.as_ref().map_or("no group", GroupId::as_str);
        let name = self.profile.as_ref().map_or("", |profile| profile.name.as_str());
        format!("[{group}] {name}> ")
    }

    /// Does what a typed line asks for.
    pub(super) fn on_line(&mut self, line: &str) -> Vec<Output> {
        let Some(profile) = &self.profile else { return Vec::new() };
        match commands::parse(line, profile, self.open.as_ref()) {
            Ok(Action::Nothing) => Vec::new(),
            Ok(Action::Post { group, text }) => {
                self.posts += 1;
                vec![Output::Ask(Request::Post { request: RequestId(self.posts), group, text })]
            }
            Ok(Action::Open(group)) => self.switch(group),
            Ok(Action::Export(group)) => vec![Output::Ask(Request::Export { group })],
            Ok(Action::Help) => commands::help(profile, self.open.as_ref()).into_iter().map(answer).collect(),
            Ok(Action::Leave) => vec![Output::Ask(Request::Leave { patient: true })],
            Err(error) => refuse_line(&error),
        }
    }

    /// Prints what an event has to tell.
    pub(super) fn on_event(&mut self, event: Event) -> Vec<Output> {
        match event {
            Event::Profile(profile) => self.on_profile(&profile),
            Event::Row(row) => self.on_row(row),
            Event::Late(late) => self.on_late(late),
            Event::History { group, rows, seen } => self.on_history(&group, rows, seen),
            Event::Refused { reason, .. } => refuse_post(&reason),
            Event::Exported { path, count } => {
                let path = Printable::new(&path.to_string_lossy());
                vec![answer(format!("saved {} to {path}", counted(count, "message")))]
            }
            Event::ExportFailed { reason } => vec![answer(format!("not saved: {}", Printable::new(&reason)))],
            Event::Presence { connected } => self.on_presence(connected),
            Event::Listening(address) => {
                vec![Output::Print(Line::Detail(format!("listening on {}", Printable::new(&address))))]
            }
            Event::Missed { count } => self.on_missed(count),
            Event::Notice(notice) => vec![news(describe(&notice, self.open.as_ref()))],
            Event::Closed => Vec::new(),
        }
    }

    /// Welcomes the member, or takes over what a new roster says of it.
    fn on_profile(&mut self, profile: &Profile) -> Vec<Output> {
        let greeting =
            format!("{} of {}, {}; :help lists the commands", profile.name, profile.unit, rank(&profile.role));
        let before = self.profile.replace(profile.clone());
        let Some(before) = before else {
            let ask = profile.home_group().cloned().map(|group| self.open(group));
            return std::iter::once(news(greeting)).chain(ask).collect();
        };
        let readable = |group: &GroupId| profile.groups.iter().any(|choice| choice.id == *group);
        self.unread.retain(|group, _| readable(group));
        self.awaited.retain(|group, _| readable(group));
        let mut outputs = Vec::new();
        if (&before.name, &before.role) != (&profile.name, &profile.role) {
            outputs.push(news(greeting));
        }
        if let Some(closed) = self.open.take_if(|group| !readable(group)) {
            // No other group is opened in its place: what is being typed was meant for this one.
            outputs.push(news(format!("{closed} is closed to you now; :help lists the groups you may open")));
        }
        outputs
    }

    fn on_row(&mut self, row: Row) -> Vec<Output> {
        match self.awaited.get_mut(row.group()) {
            Some(held) if held.len() < MAX_HELD_ROWS => {
                held.push(row);
                Vec::new()
            }
            Some(_) => {
                let group = row.group().clone();
                self.on_history(&group, vec![row], None)
            }
            None => {
                if self.open.as_ref() != Some(row.group()) && !row.mine() {
                    *self.unread.entry(row.group().clone()).or_default() += 1;
                }
                self.show(row).into_iter().collect()
            }
        }
    }

    /// Shows what came late in the open group under one header, and counts the rest.
    fn on_late(&mut self, late: Vec<LateRows>) -> Vec<Output> {
        let is_open = |late: &LateRows| self.open.as_ref() == Some(&late.group);
        let (here, elsewhere): (Vec<LateRows>, Vec<LateRows>) = late.into_iter().partition(is_open);
        let mut outputs: Vec<Output> = here.into_iter().flat_map(|late| self.show_late(late)).collect();
        for late in elsewhere {
            let rows = u64::try_from(late.rows.iter().filter(|row| !row.mine()).count()).unwrap_or(u64::MAX);
            let count = rows.saturating_add(late.older);
            if count == 0 {
                continue;
            }
            *self.unread.entry(late.group.clone()).or_default() += count;
            outputs.push(news(format!("{count} new in {}", late.group)));
        }
        outputs
    }

    fn show_late(&mut self, late: LateRows) -> Vec<Output> {
        let LateRows { group, rows, older, while_away } = late;
        if let Some(held) = self.awaited.get_mut(&group) {
            // They stand in the history that is on its way, or go with it.
            held.extend(rows);
            return Vec::new();
        }
        let rows: Vec<Row> = rows.into_iter().filter(|row| self.shown.note(row)).collect();
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX).saturating_add(older);
        let mut outputs = Vec::new();
        if !rows.is_empty() {
            let how = if while_away { "while you were away" } else { "came late" };
            outputs.push(news(format!("{} {how}", counted(count, "message"))));
        }
        if older > 0 {
            let which = if rows.is_empty() { "older than these came too" } else { "before these" };
            outputs.push(news(format!("{older} more {which}: `:d` saves them all, `muster log {group}` lists them")));
        }
        outputs.extend(rows.into_iter().map(|row| Output::Print(Line::Message { row, elsewhere: false, timed: true })));
        outputs
    }

    /// Shows a history together with the rows that overtook it, in the order of their times; a line stands before the
    /// first one that is not this member's own and comes after the last that had been seen.
    fn on_history(
        &mut self,
        group: &GroupId,
        mut rows: Vec<Row>,
        mut seen: Option<(Timestamp, RecordId)>,
    ) -> Vec<Output> {
        rows.extend(self.awaited.remove(group).unwrap_or_default());
        rows.sort_by_key(|row| (row.time(), row.id()));
        let mut outputs = Vec::new();
        for row in rows {
            let is_unread = !row.mine() && seen.is_some_and(|seen| seen < (row.time(), row.id()));
            let Some(shown) = self.show(row) else { continue };
            if is_unread {
                seen = None;
                outputs.push(news("unread --".to_owned()));
            }
            outputs.push(shown);
        }
        outputs
    }

    fn on_presence(&mut self, connected: usize) -> Vec<Output> {
        let text = match connected {
            0 => "no member is in reach; what you write waits".to_owned(),
            _ => format!("{} in reach", counted(connected, "member")),
        };
        let before = std::mem::replace(&mut self.connected, connected);
        // A person needs to know whether anybody hears; the count would only scroll messages away.
        let line = if (before == 0) == (connected == 0) { Line::Detail(text) } else { Line::News(text) };
        if before == connected { Vec::new() } else { vec![Output::Print(line)] }
    }

    /// Says that something is missing, and asks again for what the open group has newest.
    fn on_missed(&mut self, count: u64) -> Vec<Output> {
        let text = format!("{} could not be shown in time and are missing here", counted(count, "event"));
        let ask = self.open.clone().map(|group| self.ask_history(group));
        std::iter::once(news(text)).chain(ask).collect()
    }

    /// Makes another group the open one.
    fn switch(&mut self, group: GroupId) -> Vec<Output> {
        let unread = self.unread.get(&group).copied().unwrap_or_default();
        let may_post =
            self.profile.iter().flat_map(|profile| &profile.groups).any(|choice| choice.id == group && choice.may_post);
        let mut text = format!("{group} is open");
        if !may_post {
            text.push_str(", to read only");
        }
        if unread > 0 {
            text.push_str(&format!(", {unread} new since you looked"));
        }
        vec![news(text), self.open(group)]
    }

    fn open(&mut self, group: GroupId) -> Output {
        self.unread.remove(&group);
        self.open = Some(group.clone());
        self.ask_history(group)
    }

    fn ask_history(&mut self, group: GroupId) -> Output {
        self.awaited.entry(group.clone()).or_default();
        Output::Ask(Request::History { group })
    }

    fn show(&mut self, row: Row) -> Option<Output> {
        let elsewhere = self.open.as_ref() != Some(row.group());
        let timed = self.shown.is_late(&row);
        self.shown.note(&row).then_some(Output::Print(Line::Message { row, elsewhere, timed }))
    }
}

fn answer(text: String) -> Output {
    Output::Print(Line::Answer(text))
}

fn news(text: String) -> Output {
    Output::Print(Line::News(text))
}

fn refusal(reason: impl fmt::Display) -> Output {
    answer(format!("refused: {reason}"))
}

fn refuse_line(error: &CommandError) -> Vec<Output> {
    vec![refusal(error), answer(format!("hint: {}", error.hint()))]
}

fn refuse_post(reason: &PostError) -> Vec<Output> {
    let hint = reason.hint().map(|hint| answer(format!("hint: {hint}")));
    std::iter::once(refusal(reason)).chain(hint).collect()
}

/// Says what is missing of whose messages, or has come; the group is named where it is not the open one.
fn describe_hole(author: &MemberName, elsewhere: Option<&GroupId>, count: u64, has_arrived: bool) -> String {
    let place = elsewhere.map_or_else(String::new, |group| format!(" in {group}"));
    match (count, has_arrived) {
        (1, false) => format!("1 message from {author}{place} is not here yet"),
        (1, true) => format!("the missing message from {author}{place} has arrived"),
        (_, false) => format!("{count} messages from {author}{place} are not here yet"),
        (_, true) => format!("the {count} missing messages from {author}{place} have arrived"),
    }
}

fn describe(notice: &Notice, open: Option<&GroupId>) -> String {
    match notice {
        Notice::Missing { group, author, count } => {
            describe_hole(author, Some(group).filter(|group| open != Some(group)), *count, false)
        }
        Notice::Arrived { group, author, count } => {
            describe_hole(author, Some(group).filter(|group| open != Some(group)), *count, true)
        }
        Notice::RosterUpdated { version, members } => format!("new roster: version {version}, {members} members"),
        Notice::Sent { count } => format!("sent: {} that waited", counted(*count, "message")),
        Notice::NoLongerMember => {
            "you are not in the unit's roster any more: what you write is accepted nowhere".to_owned()
        }
        Notice::ClockOff { by_ms } => format!(
            "this device's clock is {} the unit's: set it; messages are stamped with the unit's time",
            apart(*by_ms)
        ),
        Notice::ClockMended => "this device's clock agrees with the unit's again".to_owned(),
        Notice::ClocksDiffer { member, by_ms } => {
            format!("this device's clock is {} {member}'s: set the one that is wrong", apart(*by_ms))
        }
        Notice::StoreFailed => "the store has failed: nothing more is accepted; make room and start again".to_owned(),
    }
}

/// Says how far a clock is off, in the largest unit of which it is at least two; nobody sets a clock by more than that.
fn apart(by_ms: i64) -> String {
    const UNITS: [(u64, &str); 4] = [(365 * 86_400, "years"), (86_400, "days"), (3600, "h"), (60, "min")];
    let seconds = match by_ms.unsigned_abs() / 1000 {
        seconds @ 0..120 => seconds,
        seconds => (seconds + 30) / 60 * 60,
    };
    let side = if by_ms < 0 { "behind" } else { "ahead of" };
    let coarse = UNITS.iter().find(|(unit, _)| seconds >= 2 * unit);
    let (count, unit) = coarse.map_or((seconds, "s"), |(length, name)| ((seconds + length / 2) / length, name));
    format!("{count} {unit} {side}")
}

fn counted<N: Copy + fmt::Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod tests;
