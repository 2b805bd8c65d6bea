//! Opening groups and filling their views.

use muster_roles::GroupId;

use super::{Model, Purpose};
use crate::control::{MAX_PAGE_LEN, Message, PAGE_LEN, Position, Request};
use crate::ui::tui::timeline::{Item, Key, Said};
use crate::ui::tui::unread::Unread;
use crate::ui::tui::window::Window;

impl Model {
    /// Makes a group the open one, at its newest.
    pub(super) fn open_group(&mut self, group: GroupId) {
        self.open = Some(group.clone());
        let view = self.view_mut();
        view.window = Window::Newest;
        view.timeline.mark_unread_after(None);
        self.ask_newest(Purpose::Opening(group.clone()), group);
    }

    /// Opens the group that stands so many places further in the list; the list is a ring.
    pub(super) fn open_neighbour(&mut self, forward: bool) {
        let Some(profile) = &self.profile else { return };
        let groups = &profile.groups;
        let here = groups.iter().position(|choice| Some(&choice.id) == self.open.as_ref());
        let next = match (here, forward) {
            (None, _) => 0,
            (Some(here), true) => (here + 1) % groups.len(),
            (Some(here), false) => here.checked_sub(1).unwrap_or(groups.len().saturating_sub(1)),
        };
        if let Some(choice) = groups.get(next).filter(|_| here != Some(next)) {
            self.open_group(choice.id.clone());
        }
    }

    /// Opens the group that stands at this place in the list.
    pub(super) fn open_nth(&mut self, nth: usize) {
        let choice = self.profile.as_ref().and_then(|profile| profile.groups.get(nth));
        if let Some(group) = choice.map(|choice| choice.id.clone()).filter(|group| self.open.as_ref() != Some(group)) {
            self.open_group(group);
        }
    }

    pub(super) fn ask_newest(&mut self, purpose: Purpose, group: GroupId) {
        self.ask(purpose, Request::Page { group, before: None, limit: PAGE_LEN });
    }

    /// Asks for messages older than those in view, where the person has come near the oldest.
    pub(super) fn ask_older(&mut self) {
        let Some(group) = self.open.clone() else { return };
        let view = self.view_mut();
        let is_full = view.timeline.is_full();
        let first = view.timeline.iter().find_map(|(key, _)| key.position());
        if !view.has_older || view.awaits_older || is_full || first.is_none() {
            return;
        }
        view.awaits_older = true;
        self.ask(Purpose::Older(group.clone()), Request::Page { group, before: first, limit: MAX_PAGE_LEN / 2 });
    }

    /// Asks for messages that came together with newer ones and stand before them.
    pub(super) fn ask_before(&mut self, group: GroupId, before: Position, count: u64) {
        let limit = usize::try_from(count).unwrap_or(usize::MAX).min(MAX_PAGE_LEN);
        self.ask(Purpose::Older(group.clone()), Request::Page { group, before: Some(before), limit });
    }

    /// Puts a message in its place; tells whether it was not there yet.
    pub(super) fn take_message(&mut self, message: Message, late: bool) -> bool {
        let lead = self.numbers.note(&message);
        let view = self.views.entry(message.group.clone()).or_default();
        view.timeline.insert(message.position().into(), Said::new(message, &lead, late))
    }

    /// Tells whether the newest messages of a group are seen now.
    pub(super) fn is_seen(&self, group: &GroupId) -> bool {
        self.open.as_ref() == Some(group) && self.view().window == Window::Newest
    }

    /// Tells the node how far the open group has been read, if it is further than before.
    pub(in crate::ui::tui) fn note_read(&mut self) {
        let Some(group) = self.open.clone().filter(|group| self.is_seen(group)) else { return };
        let view = self.view_mut();
        let said = |(key, item): (&_, &Item)| match item {
            Item::Said(_) => Key::position(key),
            Item::Note(..) => None,
        };
        let Some(upto) = view.timeline.iter().rev().find_map(said) else { return };
        if view.read.is_none_or(|read| read < upto) {
            view.read = Some(upto);
            view.unread = Unread::default();
            self.ask(Purpose::Own, Request::Read { group, upto });
        }
    }
}
