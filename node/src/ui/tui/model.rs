//! What a full-screen chat knows and what its person is doing: plain state, changed by events and keys, drawn elsewhere.

mod events;
mod groups;
mod keys;
mod reading;
mod who;

use std::collections::{BTreeMap, VecDeque};

use jiff::tz::TimeZone;
use muster_roles::{GroupId, Timestamp};

use super::band;
use super::bell::Bell;
use super::completion::Completion;
use super::editor::Editor;
use super::layout::{Areas, Size};
use super::palette::Palette;
use super::rows::{self, Paper};
use super::timeline::{Key, Timeline, Weight};
use super::unread::Unread;
use super::window::Window;
use crate::control::{Ask, ClockState, Member, MessageId, Position, Profile, Request, RequestId, RosterState};
use crate::ui::numbers::Numbers;
use crate::ui::wording;

pub(super) use who::Who;

/// Requests that may wait for a busy node; with more, what is typed is kept where it is.
const MAX_ASKS: usize = 64;

/// Requests whose purpose is remembered until they are answered: as many as can be on their way, and some to spare.
const MAX_AWAITED: usize = 512;

/// One group as it stands on this screen.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) timeline: Timeline,
    pub(super) window: Window,
    /// Messages of others that have not been read.
    pub(super) unread: Unread,
    /// Whether the node holds older messages than these.
    has_older: bool,
    /// Whether some of them are on their way.
    awaits_older: bool,
    /// The newest message that the node has been told of as read.
    read: Option<Position>,
}

/// What an answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    /// The newest messages of a group that has just been opened.
    Opening(GroupId),
    /// Messages older than those in view, or between them.
    Older(GroupId),
    /// The messages of a group that have not been read, to see how urgent they are and whom they call; the last one read.
    Counting(Option<Position>),
    /// Who has this message, which is looked at.
    Who(MessageId),
    /// Something the person has asked for, and wants to know about.
    Wish,
    /// Something for the screen itself.
    Own,
}

/// What keys are for.
#[derive(Debug)]
pub(super) enum Mode {
    /// A message or a command is typed.
    Typing,
    /// The commands and keys are listed, from this row on.
    Help { from: usize },
    /// A pasted text is long: is it to be taken?
    Paste { text: String },
    /// It is looked at who has a message.
    Who(Box<Who>),
    /// What to search for is typed.
    Searching { pattern: String },
    /// The messages that hold it are looked at.
    Found { pattern: String, at: Option<Key> },
}

/// How far the person has got in leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    Here,
    /// The node has been asked to let go.
    Leaving,
    /// It has taken so long that the person wants to know what for.
    Waiting,
    /// Nothing more is waited for.
    Gone,
}

/// The state of one full-screen chat.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) profile: Option<Profile>,
    views: BTreeMap<GroupId, View>,
    /// What is told while no group is open.
    desk: View,
    pub(super) open: Option<GroupId>,
    pub(super) members: Vec<Member>,
    pub(super) connected: usize,
    /// Own messages that nobody else is known to have, as far as the node has told.
    pub(super) waiting: usize,
    pub(super) roster: Option<RosterState>,
    pub(super) clock: ClockState,
    /// What is wrong with the clock or the store, in few words.
    pub(super) warning: Option<String>,
    pub(super) bell: Bell,
    /// What the messages are called by, and the orders that wait.
    pub(super) numbers: Numbers,
    pub(super) editor: Editor,
    pub(super) mode: Mode,
    pub(super) stay: Stay,
    completion: Option<Completion>,
    /// What the last key has to say; gone with the next.
    pub(super) hint: Option<String>,
    /// Whether the last key was Ctrl-C on an empty line.
    is_warned: bool,
    asks: VecDeque<Ask>,
    asked: u64,
    awaited: BTreeMap<RequestId, Purpose>,
    pub(super) size: Size,
    pub(super) zone: TimeZone,
    pub(super) palette: Palette,
    /// Unix milliseconds, as the loop last said.
    pub(super) now_ms: u64,
    /// Whether the whole screen is to be drawn anew, as something else has written to it.
    wants_clear: bool,
}

impl Model {
    pub(super) fn new(size: Size, zone: TimeZone, palette: Palette, bell: Bell) -> Self {
        Self {
            profile: None,
            views: BTreeMap::new(),
            desk: View::default(),
            open: None,
            members: Vec::new(),
            connected: 0,
            waiting: 0,
            roster: None,
            clock: ClockState::default(),
            warning: None,
            bell,
            numbers: Numbers::default(),
            editor: Editor::new(),
            mode: Mode::Typing,
            stay: Stay::Here,
            completion: None,
            hint: None,
            is_warned: false,
            asks: VecDeque::new(),
            asked: 0,
            awaited: BTreeMap::new(),
            size,
            zone,
            palette,
            now_ms: 0,
            wants_clear: false,
        }
    }

    /// The terminal has another size now.
    pub(super) fn on_resize(&mut self, size: Size) {
        self.size = size;
    }

    /// The time has come to say what leaving waits for.
    pub(super) fn on_long_leave(&mut self) {
        if self.stay == Stay::Leaving {
            self.stay = Stay::Waiting;
        }
    }

    /// Returns the next request for the node; it is to be sent.
    pub(super) fn next_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    pub(super) fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Tells, once, whether the whole screen is to be drawn anew.
    pub(super) fn take_clear(&mut self) -> bool {
        std::mem::take(&mut self.wants_clear)
    }

    /// Tells, once, whether the bell is to ring.
    pub(super) fn take_bell(&mut self) -> bool {
        self.bell.take(self.now_ms)
    }

    /// Where everything stands on the screen.
    pub(super) fn areas(&self) -> Areas {
        let areas = Areas::of(self.size, self.input_rows());
        let orders = band::rows(self, areas.messages.width.into(), areas.messages.height.into());
        areas.with_orders(orders.len())
    }

    /// The time of day, where the person is.
    pub(super) fn clock(&self, time: Timestamp) -> String {
        rows::clock(time, &self.zone)
    }

    /// What decides how messages look.
    pub(super) fn paper(&self) -> Paper {
        let pattern = match &self.mode {
            Mode::Found { pattern, .. } | Mode::Searching { pattern } => Some(pattern.clone()),
            _ => None,
        };
        let columns = self.areas().messages.width.into();
        let me = self.profile.as_ref().map(|profile| profile.name.clone());
        Paper { columns, zone: self.zone.clone(), palette: self.palette, pattern, me }
    }

    /// The open group's view.
    pub(super) fn view(&self) -> &View {
        self.open.as_ref().and_then(|group| self.views.get(group)).unwrap_or(&self.desk)
    }

    fn view_mut(&mut self) -> &mut View {
        match &self.open {
            Some(group) => self.views.entry(group.clone()).or_default(),
            None => &mut self.desk,
        }
    }

    /// What has not been read of a group.
    pub(super) fn unread(&self, group: &GroupId) -> Unread {
        self.views.get(group).map(|view| view.unread).unwrap_or_default()
    }

    /// What stands before the text being typed: where it will go.
    pub(super) fn prompt(&self) -> String {
        let Some(group) = &self.open else { return "no group> ".to_owned() };
        let choices = self.profile.iter().flat_map(|profile| &profile.groups);
        let may_post = choices.into_iter().any(|choice| choice.id == *group && choice.may_post);
        if may_post { format!("{group}> ") } else { format!("{group} (read only)> ") }
    }

    /// What the input line shows in place of a text, if it does.
    pub(super) fn instead_of_input(&self) -> Option<String> {
        match (&self.stay, &self.mode) {
            (Stay::Leaving | Stay::Gone, _) => Some("leaving …".to_owned()),
            (Stay::Waiting, _) => Some(format!("{}; Ctrl-C leaves at once", wording::LEAVING)),
            (Stay::Here, Mode::Searching { pattern }) => Some(format!("/{pattern}")),
            (Stay::Here, Mode::Found { pattern, .. }) => {
                Some(format!("/{pattern}   n older, N newer, Esc ends the search"))
            }
            (Stay::Here, Mode::Typing | Mode::Help { .. } | Mode::Paste { .. } | Mode::Who(_)) => None,
        }
    }

    fn input_rows(&self) -> usize {
        match self.instead_of_input() {
            Some(_) => 1,
            None => super::typed::rows_of(self.editor.area(), &self.prompt(), self.size.columns.into()),
        }
    }

    /// Says something in the open group's view.
    fn note(&mut self, weight: Weight, text: impl Into<String>) {
        self.view_mut().timeline.note(weight, text.into());
    }

    fn ask(&mut self, purpose: Purpose, request: Request) {
        self.asked += 1;
        let id = RequestId(self.asked);
        if self.awaited.len() >= MAX_AWAITED {
            self.awaited.pop_first();
        }
        self.awaited.insert(id, purpose);
        self.asks.push_back(Ask { id, request });
    }

    fn leave(&mut self, patient: bool) {
        if self.stay == Stay::Here {
            self.stay = Stay::Leaving;
            self.ask(Purpose::Own, Request::Leave { patient });
        }
    }

    /// Nobody sits at the terminal any more.
    pub(super) fn on_unseen(&mut self) {
        self.leave(false);
    }
}
