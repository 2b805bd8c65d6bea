//! What stands in one group's view: its messages in the order of their times, and what was told in between.

use std::collections::{BTreeMap, BTreeSet};

use muster_roles::{MemberName, Precedence, Timestamp};

use super::unread::Unread;
use crate::control::{Delivery, Message, MessageId, Position, Text};

/// Messages and notes held of a group: some days of a busy one, and a few MiB at their usual length. With more, the
/// oldest leave the view; they stay in the store, from where they can be saved.
pub(super) const MAX_ITEMS: usize = 10_000;

/// Where something stands in a timeline: ordered by time; what was told stands behind the message it followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    time: Timestamp,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Message(MessageId),
    Note(u64),
}

impl Key {
    pub(super) fn time(&self) -> Timestamp {
        self.time
    }

    /// Returns the message that stands there, if it is one.
    pub(super) fn position(&self) -> Option<Position> {
        match self.place {
            Place::Message(id) => Some(Position { time: self.time, id }),
            Place::Note(_) => None,
        }
    }
}

impl From<Position> for Key {
    fn from(Position { time, id }: Position) -> Self {
        Self { time, place: Place::Message(id) }
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) author: MemberName,
    pub(super) mine: bool,
    /// Whether nobody else is known to have it yet.
    pub(super) waiting: bool,
    /// How far it has come, in words; nothing where no more is known.
    pub(super) delivery: String,
    /// Whether it came after newer ones had been shown.
    pub(super) late: bool,
    /// Whether it came after its author had been removed.
    pub(super) from_removed: bool,
    /// How urgent it is.
    pub(super) urgency: Precedence,
    /// Whether it calls this member by name.
    pub(super) calls_me: bool,
    /// Whether its receivers confirm that they have it: answers to orders are none that they do.
    pub(super) is_confirmed: bool,
    /// How much of the text says in what manner it is said, in bytes.
    pub(super) lead_len: usize,
    pub(super) text: Text,
}

impl Said {
    /// Takes a message out of what tells of it.
    pub(super) fn new(message: Message, lead: &str, late: bool) -> Self {
        let (mine, waiting) = (message.is_mine(), message.is_waiting());
        let delivery = message.delivery.as_ref().map(in_words).unwrap_or_default();
        let (urgency, is_confirmed, lead_len) = (message.manner.urgency(), !message.manner.is_answer(), lead.len());
        let Message { author, from_removed, text, mentions_me: calls_me, .. } = message;
        let text = if lead.is_empty() { text } else { Text::new(&format!("{lead}{}", text.as_str())) };
        Self { author, mine, waiting, delivery, late, from_removed, urgency, calls_me, is_confirmed, lead_len, text }
    }
}

/// How far a message has come; that it waits is said by itself.
fn in_words(delivery: &Delivery) -> String {
    if *delivery == Delivery::Waiting { String::new() } else { delivery.to_string() }
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// An answer to what was typed.
    Answer,
    /// News that nobody asked for.
    News,
    /// News that something is to be done about.
    Reminder,
    /// What was typed could not be done.
    Refusal,
}

/// One thing in a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Said(Said),
    Note(Weight, String),
}

/// One group's view.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    items: BTreeMap<Key, Item>,
    waiting: BTreeSet<Key>,
    /// The first message that had not been seen when the group was opened.
    unread_from: Option<Key>,
    /// Whether the oldest have left the view.
    is_cut: bool,
    notes: u64,
}

impl Timeline {
    /// Puts a message in its place, or takes over what is newer of it; tells whether it was not there yet.
    pub(super) fn insert(&mut self, key: Key, said: Said) -> bool {
        if said.waiting {
            self.waiting.insert(key);
        } else {
            self.waiting.remove(&key);
        }
        let is_new = match self.items.get_mut(&key) {
            Some(Item::Said(known)) => {
                known.waiting = said.waiting;
                known.delivery = said.delivery;
                false
            }
            _ => {
                self.items.insert(key, Item::Said(said));
                true
            }
        };
        self.cut();
        is_new && self.items.contains_key(&key)
    }

    /// Says something behind the newest message.
    pub(super) fn note(&mut self, weight: Weight, text: String) {
        self.notes += 1;
        let time = self.last().map_or(Timestamp::ZERO, |(key, _)| key.time);
        self.items.insert(Key { time, place: Place::Note(self.notes) }, Item::Note(weight, text));
        self.cut();
    }

    /// A message has come as far as this.
    pub(super) fn note_delivery(&mut self, id: MessageId, delivery: &Delivery) {
        let is_it = |(key, _): &(&Key, &mut Item)| key.place == Place::Message(id);
        if let Some((_, Item::Said(said))) = self.items.iter_mut().rev().find(is_it) {
            said.delivery = in_words(delivery);
        }
    }

    /// Others have this message now.
    pub(super) fn note_sent(&mut self, id: MessageId) -> bool {
        let Some(key) = self.waiting.iter().find(|key| key.place == Place::Message(id)).copied() else { return false };
        self.waiting.remove(&key);
        if let Some(Item::Said(said)) = self.items.get_mut(&key) {
            said.waiting = false;
        }
        true
    }

    fn cut(&mut self) {
        while self.items.len() > MAX_ITEMS {
            if let Some((key, _)) = self.items.pop_first() {
                self.waiting.remove(&key);
            }
            self.is_cut = true;
        }
    }

    /// Draws the line of what is unread before the first message of others that comes after this one.
    pub(super) fn mark_unread_after(&mut self, seen: Option<Key>) {
        let Some(seen) = seen else {
            self.unread_from = None;
            return;
        };
        let of_others = |item: &Item| matches!(item, Item::Said(said) if !said.mine);
        let mut newer = self.items.range(seen..).filter(|(key, item)| **key != seen && of_others(item));
        self.unread_from = newer.next().map(|(key, _)| *key);
    }

    /// Counts the messages of others that come after this one; all, where none is named.
    pub(super) fn unread_after(&self, seen: Option<Key>) -> Unread {
        let mut unread = Unread::default();
        let newer = self.items.iter().rev().take_while(|(key, _)| seen.is_none_or(|seen| **key > seen));
        for item in newer.map(|(_, item)| item) {
            if let Item::Said(Said { mine: false, calls_me, urgency, .. }) = item {
                unread.add(*calls_me, *urgency);
            }
        }
        unread
    }

    /// The first message that had not been seen when the group was opened.
    pub(super) fn unread_from(&self) -> Option<&Key> {
        self.unread_from.as_ref()
    }

    /// Tells whether older ones have left the view.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Tells whether there is no room for older ones.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= MAX_ITEMS
    }

    /// What stands there, with the key as it is kept here.
    pub(super) fn entry(&self, key: &Key) -> Option<(&Key, &Item)> {
        self.items.get_key_value(key)
    }

    pub(super) fn last(&self) -> Option<(&Key, &Item)> {
        self.items.last_key_value()
    }

    /// What stands before, nearest first.
    pub(super) fn before(&self, key: &Key) -> impl Iterator<Item = (&Key, &Item)> {
        self.items.range(..key).rev()
    }

    /// What stands behind, nearest first.
    pub(super) fn after(&self, key: &Key) -> impl Iterator<Item = (&Key, &Item)> {
        let key = *key;
        self.items.range(key..).filter(move |(other, _)| **other != key)
    }

    /// Everything, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &Item)> {
        self.items.iter()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        let mut id = [0; 32];
        id.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
        let id = crate::engine::wire::RecordId::from_bytes(id).into();
        Position { time: Timestamp::from_ms(number.into()), id }.into()
    }

    fn said(text: &str) -> Said {
        Said {
            author: "Army1".parse().unwrap(),
            mine: false,
            waiting: false,
            delivery: String::new(),
            late: false,
            from_removed: false,
            urgency: Precedence::Routine,
            calls_me: false,
            is_confirmed: true,
            lead_len: 0,
            text: Text::new(text),
        }
    }

    fn mine(waiting: bool) -> Said {
        Said { mine: true, waiting, ..said("mine") }
    }

    fn texts(timeline: &Timeline) -> Vec<&str> {
        let texts = timeline.iter().map(|(_, item)| match item {
            Item::Said(said) => said.text.as_str(),
            Item::Note(_, text) => text.as_str(),
        });
        texts.collect()
    }

    #[test]
    fn messages_stand_in_the_order_of_their_times_however_they_come() {
        let mut timeline = Timeline::default();
        for number in [3, 1, 2] {
            assert!(timeline.insert(key(number), said(&number.to_string())));
        }
        assert!(!timeline.insert(key(2), said("2")), "it is there already");
        assert_eq!(texts(&timeline), ["1", "2", "3"]);
    }

    #[test]
    fn a_note_stays_behind_the_message_it_followed() {
        let mut timeline = Timeline::default();
        timeline.note(Weight::News, "before all".to_owned());
        timeline.insert(key(1), said("1"));
        timeline.note(Weight::Answer, "a".to_owned());
        timeline.note(Weight::Answer, "b".to_owned());
        timeline.insert(key(2), said("2"));
        assert_eq!(texts(&timeline), ["before all", "1", "a", "b", "2"]);
    }

    #[test]
    fn the_oldest_leave_when_there_are_too_many() {
        let mut timeline = Timeline::default();
        let last = u32::try_from(MAX_ITEMS).unwrap() + 1;
        for number in 2..=last {
            timeline.insert(key(number), mine(true));
        }
        assert!(!timeline.is_cut());
        assert!(!timeline.insert(key(1), said("too old")), "it does not stay");
        assert!(timeline.is_cut() && timeline.entry(&key(2)).is_some());
        timeline.insert(key(last + 1), said("new"));
        assert!(timeline.entry(&key(2)).is_none());
        assert_eq!(timeline.waiting.len(), MAX_ITEMS - 1);
    }

    #[test]
    fn what_waits_is_counted_until_others_have_it() {
        let mut timeline = Timeline::default();
        timeline.insert(key(1), mine(true));
        timeline.insert(key(2), mine(true));
        timeline.insert(key(1), mine(false));
        assert_eq!(timeline.waiting.len(), 1);
        timeline.note_sent(key(2).position().unwrap().id);
        assert_eq!(timeline.waiting.len(), 0);
        assert!(timeline.iter().all(|(_, item)| !matches!(item, Item::Said(said) if said.waiting)));
    }

    #[test]
    fn the_unread_line_stands_before_the_first_message_of_others_after_the_last_seen() {
        let mut timeline = Timeline::default();
        timeline.insert(key(1), said("1"));
        timeline.insert(key(2), mine(false));
        timeline.insert(key(3), said("3"));
        timeline.mark_unread_after(Some(key(1)));
        assert_eq!(timeline.unread_from(), Some(&key(3)));
        timeline.mark_unread_after(Some(key(3)));
        assert_eq!(timeline.unread_from(), None);
        timeline.mark_unread_after(None);
        assert_eq!(timeline.unread_from(), None);
    }

    #[test]
    fn what_is_unread_is_counted_after_the_last_seen_with_how_urgent_it_is_and_whom_it_calls() {
        let mut timeline = Timeline::default();
        timeline.insert(key(1), Said { urgency: Precedence::Flash, ..said("1") });
        timeline.insert(key(2), Said { calls_me: true, ..said("2") });
        timeline.insert(key(3), Said { urgency: Precedence::Flash, ..mine(false) });
        timeline.note(Weight::News, "a note".to_owned());
        timeline.insert(key(4), Said { urgency: Precedence::Priority, ..said("4") });
        let counted = |seen| {
            let Unread { count, calls, urgency } = timeline.unread_after(seen);
            (count, calls, urgency)
        };
        assert_eq!(counted(None), (3, 1, Precedence::Flash));
        assert_eq!(counted(Some(key(1))), (2, 1, Precedence::Priority));
        assert_eq!(counted(Some(key(2))), (1, 0, Precedence::Priority));
        assert_eq!(counted(Some(key(4))), (0, 0, Precedence::Routine));
    }
}
