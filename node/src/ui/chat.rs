//! The state of a plain screen: which group is open, what each line typed asks for, what each event prints. Pure.

use std::collections::BTreeMap;
use std::fmt;

use muster_roles::GroupId;

use super::commands::{self, Action, CommandError};
use super::deliveries::Deliveries;
use super::numbers::{Meant, Numbers};
use super::printed::Line;
use super::shown::Shown;
use super::wording;
use crate::control::{
    Answer, Ask, Event, Late, Manner, Message, PAGE_LEN, Page, Position, Printable, Profile, Refusal, Request,
    RequestId, SCREEN_QUEUE_LEN, Text,
};

/// Live messages kept back while the history that goes before them is on its way; with more, they are shown without it.
const MAX_HELD: usize = SCREEN_QUEUE_LEN;

/// One thing for the screen to do.
#[derive(Debug)]
pub(super) enum Output {
    /// Ask the node.
    Ask(Ask),
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
    numbers: Numbers,
    deliveries: Deliveries,
    /// Groups whose history was asked for, with the live messages that came before it.
    awaited: BTreeMap<GroupId, Awaited>,
    asked: u64,
    connected: usize,
    /// Nobody sits here: what is shown has not been read.
    is_unattended: bool,
    /// The newest message of the open group that the node has been told of as read.
    read: Option<Position>,
}

/// A history that is on its way.
#[derive(Debug)]
struct Awaited {
    by: RequestId,
    /// Live messages that came before it.
    held: Vec<Message>,
}

impl Chat {
    /// Begins with nothing known; `attended` says whether a person sits here, who reads what is shown.
    pub(super) fn new(attended: bool) -> Self {
        Self { is_unattended: !attended, ..Self::default() }
    }

    /// Makes a request of this screen's.
    pub(super) fn ask(&mut self, request: Request) -> Ask {
        self.asked += 1;
        Ask { id: RequestId(self.asked), request }
    }

    /// Tells whether it is known who sits here; before that, nothing typed can be understood.
    pub(super) fn is_ready(&self) -> bool {
        self.profile.is_some()
    }

    /// Does what a typed line asks for.
    pub(super) fn on_line(&mut self, line: &str) -> Vec<Output> {
        let Some(profile) = &self.profile else { return Vec::new() };
        match commands::parse(line, profile, self.open.as_ref()) {
            Ok(Action::Nothing) => Vec::new(),
            Ok(Action::Post { group, text }) => {
                vec![Output::Ask(self.ask(Request::Post { group, text, manner: Manner::default(), wait_ms: 0 }))]
            }
            Ok(Action::Say { group, saying }) => match self.numbers.meaning(&group, saying) {
                Ok(Meant::Ask(request)) => vec![Output::Ask(self.ask(request))],
                Ok(Meant::Tell(lines)) => lines.into_iter().map(told).collect(),
                Err(error) => refuse_line(&error),
            },
            Ok(Action::Open(group)) => self.switch(group),
            Ok(Action::Export(group)) => vec![Output::Ask(self.ask(Request::Export { group }))],
            Ok(Action::Ask(request)) => vec![Output::Ask(self.ask(request))],
            Ok(Action::Help) => commands::help(profile, self.open.as_ref()).into_iter().map(told).collect(),
            Ok(Action::Leave) => vec![Output::Ask(self.ask(Request::Leave { patient: true }))],
            Ok(Action::Shutdown) => vec![Output::Ask(self.ask(Request::Shutdown { patient: true }))],
            Err(error) => refuse_line(&error),
        }
    }

    /// Prints what an event has to tell.
    pub(super) fn on_event(&mut self, event: Event) -> Vec<Output> {
        let mut outputs = match event {
            Event::Profile(profile) => self.on_profile(&profile),
            Event::Message(message) => self.on_message(message),
            Event::Late { groups } => self.on_late(groups),
            Event::Read { group, unread, .. } => self.on_read(group, unread),
            Event::Answered { answer, .. } => self.on_answer(answer),
            Event::Refused { to, refusal } => self.on_refusal(to, &refusal),
            Event::Presence { connected } => self.on_presence(connected),
            Event::Listening { address } => {
                vec![told(format!("listening on {}", Printable::new(&address)))]
            }
            Event::Missed { count } => self.on_missed(count),
            Event::Notice(notice) => vec![told(wording::notice(&notice, self.open.as_ref()))],
            Event::Order(order) => self.numbers.on_order(order).map(told).into_iter().collect(),
            Event::Delivery { group, ids, delivery } => {
                self.deliveries.on_delivery(&group, &ids, &delivery).map(told).into_iter().collect()
            }
            Event::Member(_) | Event::JoinRequests { .. } | Event::Closed => Vec::new(),
        };
        outputs.extend(self.note_read());
        outputs
    }

    fn on_answer(&mut self, answer: Answer) -> Vec<Output> {
        match answer {
            Answer::Page(page) => self.on_page(page),
            Answer::Exported { path, count } => {
                let path = Printable::new(&path.to_string_lossy());
                vec![told(wording::exported(&path, count))]
            }
            Answer::Members { members } => wording::members(&members).into_iter().map(told).collect(),
            Answer::JoinRequests { requests } => wording::requests(&requests).into_iter().map(told).collect(),
            Answer::Matrix(matrix) => wording::matrix(&matrix).into_iter().map(told).collect(),
            Answer::Changed(changed) => vec![told(wording::changed(&changed))],
            Answer::Orders { orders } => {
                orders.into_iter().filter_map(|order| self.numbers.on_order(order)).map(told).collect()
            }
            _ => Vec::new(),
        }
    }

    fn on_refusal(&mut self, to: RequestId, refusal: &Refusal) -> Vec<Output> {
        let awaited = self.awaited.iter().find(|(_, awaited)| awaited.by == to).map(|(group, _)| group.clone());
        let held = awaited.and_then(|group| self.awaited.remove(&group)).map(|awaited| awaited.held);
        let mut outputs: Vec<Output> = held.into_iter().flatten().filter_map(|message| self.show(message)).collect();
        outputs.extend(refuse(refusal));
        outputs
    }

    /// Tells the node how far the open group has been read, if it is further than before.
    fn note_read(&mut self) -> Option<Output> {
        let group = self.open.clone().filter(|_| !self.is_unattended)?;
        let upto = self.shown.newest(&group).filter(|newest| self.read.is_none_or(|read| read < *newest))?;
        self.read = Some(upto);
        Some(Output::Ask(self.ask(Request::Read { group, upto })))
    }

    /// A group has been read here or at another screen.
    fn on_read(&mut self, group: GroupId, unread: u64) -> Vec<Output> {
        if self.open.as_ref() != Some(&group) {
            self.unread.insert(group, unread);
        }
        Vec::new()
    }

    /// Welcomes the member, or takes over what a new roster says of it.
    fn on_profile(&mut self, profile: &Profile) -> Vec<Output> {
        let greeting = wording::greeting(profile);
        let before = self.profile.replace(profile.clone());
        let Some(before) = before else {
            let history = profile.home_group().cloned().map(|group| self.open(group));
            // Orders that came before this screen did wait all the same.
            let orders = Output::Ask(self.ask(Request::Orders));
            return std::iter::once(told(greeting)).chain(history).chain([orders]).collect();
        };
        let readable = |group: &GroupId| profile.groups.iter().any(|choice| choice.id == *group);
        self.unread.retain(|group, _| readable(group));
        self.awaited.retain(|group, _| readable(group));
        self.numbers.orders.keep_groups(readable);
        let mut outputs = Vec::new();
        if (&before.name, &before.role) != (&profile.name, &profile.role) {
            outputs.push(told(greeting));
        }
        if let Some(closed) = self.open.take_if(|group| !readable(group)) {
            // No other group is opened in its place: what is being typed was meant for this one.
            outputs.push(told(wording::closed(&closed)));
        }
        outputs
    }

    fn on_message(&mut self, message: Message) -> Vec<Output> {
        match self.awaited.get_mut(&message.group) {
            Some(awaited) if awaited.held.len() < MAX_HELD => {
                awaited.held.push(message);
                Vec::new()
            }
            Some(_) => {
                let group = message.group.clone();
                self.show_history(&group, vec![message], None)
            }
            None => {
                if self.open.as_ref() != Some(&message.group) && !message.is_mine() {
                    *self.unread.entry(message.group.clone()).or_default() += 1;
                }
                self.show(message).into_iter().collect()
            }
        }
    }

    /// Shows what came late in the open group under one header, and counts the rest.
    fn on_late(&mut self, late: Vec<Late>) -> Vec<Output> {
        let is_open = |late: &Late| self.open.as_ref() == Some(&late.group);
        let (here, elsewhere): (Vec<Late>, Vec<Late>) = late.into_iter().partition(is_open);
        let mut outputs: Vec<Output> = here.into_iter().flat_map(|late| self.show_late(late)).collect();
        for late in elsewhere {
            let others = late.messages.iter().filter(|message| !message.is_mine()).count();
            let count = u64::try_from(others).unwrap_or(u64::MAX).saturating_add(late.older);
            if count == 0 {
                continue;
            }
            *self.unread.entry(late.group.clone()).or_default() += count;
            outputs.push(told(format!("{count} new in {}", late.group)));
        }
        outputs
    }

    fn show_late(&mut self, late: Late) -> Vec<Output> {
        let Late { group, messages, older, while_away } = late;
        if let Some(awaited) = self.awaited.get_mut(&group) {
            // They stand in the history that is on its way, or go with it.
            awaited.held.extend(messages);
            return Vec::new();
        }
        let messages: Vec<Message> = messages.into_iter().filter(|message| self.shown.note(message)).collect();
        let count = u64::try_from(messages.len()).unwrap_or(u64::MAX).saturating_add(older);
        let mut outputs = Vec::new();
        if !messages.is_empty() {
            outputs.push(told(wording::late(count, while_away)));
        }
        if older > 0 {
            let which = if messages.is_empty() { "older than these came too" } else { "before these" };
            outputs.push(told(format!("{older} more {which}: `:d` saves them all, `muster log {group}` lists them")));
        }
        outputs.extend(messages.into_iter().map(|message| self.line(message)));
        outputs
    }

    fn on_page(&mut self, page: Page) -> Vec<Output> {
        let Page { group, messages, seen, .. } = page;
        self.show_history(&group, messages, seen)
    }

    /// Shows a history together with the messages that overtook it, in the order of their times; a line stands before
    /// the first one that is not this member's own and comes after the last that had been seen.
    fn show_history(&mut self, group: &GroupId, mut messages: Vec<Message>, mut seen: Option<Position>) -> Vec<Output> {
        messages.extend(self.awaited.remove(group).into_iter().flat_map(|awaited| awaited.held));
        messages.sort_by_key(Message::position);
        let mut outputs = Vec::new();
        for message in messages {
            let is_unread = !message.is_mine() && seen.is_some_and(|seen| seen < message.position());
            let Some(shown) = self.show(message) else { continue };
            if is_unread {
                seen = None;
                outputs.push(told("unread --".to_owned()));
            }
            outputs.push(shown);
        }
        outputs
    }

    fn on_presence(&mut self, connected: usize) -> Vec<Output> {
        let text = wording::presence(connected);
        let before = std::mem::replace(&mut self.connected, connected);
        if before == connected { Vec::new() } else { vec![told(text)] }
    }

    /// Says that something is missing, and asks again for what the open group has newest.
    fn on_missed(&mut self, count: u64) -> Vec<Output> {
        let text = wording::missed(count);
        let ask = self.open.clone().map(|group| self.ask_history(group));
        std::iter::once(told(text)).chain(ask).collect()
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
        vec![told(text), self.open(group)]
    }

    fn open(&mut self, group: GroupId) -> Output {
        self.unread.remove(&group);
        self.open = Some(group.clone());
        self.read = None;
        self.ask_history(group)
    }

    fn ask_history(&mut self, group: GroupId) -> Output {
        let ask = self.ask(Request::Page { group: group.clone(), before: None, limit: PAGE_LEN });
        self.awaited.entry(group).or_insert(Awaited { by: ask.id, held: Vec::new() }).by = ask.id;
        Output::Ask(ask)
    }

    fn show(&mut self, message: Message) -> Option<Output> {
        self.shown.note(&message).then(|| self.line(message))
    }

    /// A message as it is printed: with what it is about, and how urgent it is, before its text.
    fn line(&mut self, message: Message) -> Output {
        let lead = self.numbers.note(&message);
        self.deliveries.note(&message);
        let text = if lead.is_empty() { message.text } else { Text::new(&format!("{lead}{}", message.text.as_str())) };
        Output::Print(Line::Message(Message { text, ..message }))
    }
}

fn told(text: String) -> Output {
    Output::Print(Line::Told(text))
}

fn refusal(reason: impl fmt::Display) -> Output {
    told(format!("refused: {reason}"))
}

fn refuse_line(error: &CommandError) -> Vec<Output> {
    vec![refusal(error), told(format!("hint: {}", error.hint()))]
}

fn refuse(reason: &Refusal) -> Vec<Output> {
    let (reason, hint) = wording::refusal(reason);
    std::iter::once(reason).chain(hint).map(told).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod tests;
