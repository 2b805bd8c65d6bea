//! Looking at who has a message.

use muster_roles::GroupId;
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::{Mode, Model, Purpose};
use crate::control::{Matrix, MessageId, Refusal, Request};
use crate::ui::commands::CommandError;
use crate::ui::tui::timeline::{Item, Key};

/// A message, and who has it, as far as the node has told.
#[derive(Debug)]
pub(in crate::ui::tui) struct Who {
    pub(in crate::ui::tui) group: GroupId,
    /// Where the message stands.
    pub(in crate::ui::tui) key: Key,
    id: MessageId,
    pub(in crate::ui::tui) matrix: Option<Matrix>,
    /// The first member that is seen.
    pub(in crate::ui::tui) from: usize,
    /// Whether an answer is on its way, and whether something has changed since it was asked for.
    is_asked: bool,
    is_stale: bool,
}

impl Model {
    /// Opens the list for the message that has been found, or for one's own newest.
    pub(super) fn look_who(&mut self) {
        let found = match &self.mode {
            Mode::Found { at, .. } => *at,
            _ => None,
        };
        let own = || self.view().timeline.iter().rev().find(is_mine).map(|(key, _)| *key);
        match found.or_else(own) {
            Some(key) => self.look_who_has(key),
            None => self.hint = Some(CommandError::NothingSaid.to_string()),
        }
    }

    fn look_who_has(&mut self, key: Key) {
        let (Some(group), Some(position)) = (self.open.clone(), key.position()) else { return };
        let (id, matrix) = (position.id, None);
        self.mode = Mode::Who(Box::new(Who { group, key, id, matrix, from: 0, is_asked: false, is_stale: false }));
        self.look_again();
    }

    /// Asks anew who has the message that is looked at; what is known stands until the answer comes.
    pub(in crate::ui::tui) fn look_again(&mut self) {
        let Mode::Who(who) = &mut self.mode else { return };
        if who.is_asked {
            who.is_stale = true;
            return;
        }
        who.is_asked = true;
        let (group, id) = (who.group.clone(), who.id);
        self.ask(Purpose::Who(id), Request::Who { group, id });
    }

    /// Tells whether it is looked at who has a message: that may change without a word from the node.
    pub(in crate::ui::tui) fn looks_who(&self) -> bool {
        matches!(self.mode, Mode::Who(_))
    }

    /// Messages have come further, or been told of anew.
    pub(super) fn note_progress(&mut self, ids: &[MessageId]) {
        if matches!(&self.mode, Mode::Who(who) if ids.contains(&who.id)) {
            self.look_again();
        }
    }

    /// Takes in who has a message, if that is still looked at.
    pub(super) fn on_matrix(&mut self, of: MessageId, matrix: Matrix) {
        let Mode::Who(who) = &mut self.mode else { return };
        if who.id != of {
            return;
        }
        who.matrix = Some(matrix);
        who.is_asked = false;
        if std::mem::take(&mut who.is_stale) {
            self.look_again();
        }
        self.bound_who();
    }

    /// The node does not tell who has a message.
    pub(super) fn on_no_matrix(&mut self, of: MessageId, refusal: &Refusal) {
        if matches!(&self.mode, Mode::Who(who) if who.id == of) {
            self.mode = Mode::Typing;
            self.refused(refusal);
        }
    }

    pub(super) fn on_who_key(&mut self, key: KeyEvent) {
        let Mode::Who(who) = &mut self.mode else { return };
        match key.code {
            KeyCode::Down => who.from += 1,
            KeyCode::Up => who.from = who.from.saturating_sub(1),
            KeyCode::PageDown => who.from += super::keys::WHEEL_ROWS,
            KeyCode::PageUp => who.from = who.from.saturating_sub(super::keys::WHEEL_ROWS),
            KeyCode::Char('n') => return self.look_at_another(true),
            KeyCode::Char('N') => return self.look_at_another(false),
            _ => self.mode = Mode::Typing,
        }
        self.bound_who();
    }

    /// Goes on to one's own next older or newer message.
    fn look_at_another(&mut self, older: bool) {
        let Mode::Who(who) = &self.mode else { return };
        let (key, timeline) = (&who.key, &self.view().timeline);
        let next = if older { timeline.before(key).find(is_mine) } else { timeline.after(key).find(is_mine) };
        match next.map(|(key, _)| *key) {
            Some(key) => self.look_who_has(key),
            None => self.hint = Some(format!("no {} message of yours here", if older { "older" } else { "newer" })),
        }
    }
}

/// Tells whether it is a message of one's own that others say that they have.
fn is_mine((_, item): &(&Key, &Item)) -> bool {
    matches!(item, Item::Said(said) if said.mine && said.is_confirmed)
}
