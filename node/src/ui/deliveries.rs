//! What a plain screen tells of how far one's own messages have come.
//!
//! Two things: that all who may read a message have it, and that what was shown as waiting is at least carried. Both are
//! told in one line for all the messages of which they have become known together, so that a script that posts a hundred
//! is told a line or two. Everything in between is for `:who`.

use std::collections::{BTreeMap, VecDeque};

use muster_roles::{GroupId, MemberName};

use super::wording;
use crate::control::{Delivery, Message, MessageId, Printable};

/// One's own messages that are followed: as many as the node follows in a group.
const MAX_FOLLOWED: usize = 512;

/// How much of a message's text is told again, in characters: enough to know it by.
const RECOGNISABLE_CHARS: usize = 40;

/// This member's messages that this screen has shown and that not all have.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    followed: BTreeMap<MessageId, Followed>,
    /// In the order in which they were shown.
    shown: VecDeque<MessageId>,
}

#[derive(Debug)]
struct Followed {
    text: String,
    /// Whether it was shown as waiting and nothing has been told of it since.
    waits: bool,
}

impl Deliveries {
    /// A message has been shown.
    pub(super) fn note(&mut self, message: &Message) {
        let Some(delivery) = message.delivery.as_ref().filter(|delivery| !is_all(delivery)) else { return };
        let followed = Followed { text: start_of(message), waits: *delivery == Delivery::Waiting };
        if self.followed.insert(message.id, followed).is_none() {
            self.shown.push_back(message.id);
        }
        if self.shown.len() > MAX_FOLLOWED
            && let Some(oldest) = self.shown.pop_front()
        {
            self.followed.remove(&oldest);
        }
    }

    /// Messages have come as far as this; returns what there is to tell.
    pub(super) fn on_delivery(&mut self, group: &GroupId, ids: &[MessageId], delivery: &Delivery) -> Option<String> {
        match delivery {
            Delivery::Waiting => None,
            Delivery::Delivered { .. } if is_all(delivery) => {
                let texts: Vec<String> =
                    ids.iter().filter_map(|id| self.followed.remove(id)).map(|followed| followed.text).collect();
                self.shown.retain(|id| self.followed.contains_key(id));
                told(&texts, group).map(|what| wording::delivered_to_all(&what))
            }
            Delivery::Carried { by } => self.on_carried(group, ids, by),
            Delivery::Sent | Delivery::Delivered { .. } => {
                let _texts = self.take_waiting(ids);
                None
            }
        }
    }

    fn on_carried(&mut self, group: &GroupId, ids: &[MessageId], by: &[MemberName]) -> Option<String> {
        let texts = self.take_waiting(ids);
        told(&texts, group).map(|what| wording::carried(by, &what))
    }

    /// Of these, returns the messages that waited, and do so no more.
    fn take_waiting(&mut self, ids: &[MessageId]) -> Vec<String> {
        let mut texts = Vec::new();
        for id in ids {
            if let Some(followed) = self.followed.get_mut(id).filter(|followed| followed.waits) {
                followed.waits = false;
                texts.push(followed.text.clone());
            }
        }
        texts
    }
}

fn is_all(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Delivered { to, of } if to == of)
}

/// One message by its text, more by their count.
fn told(texts: &[String], group: &GroupId) -> Option<String> {
    match texts {
        [] => None,
        [one] => Some(one.clone()),
        more => Some(format!("{} of yours in {group}", wording::counted(more.len() as u64, "message"))),
    }
}

fn start_of(message: &Message) -> String {
    let line = Printable::new(message.text.as_str());
    let start: String = line.as_str().chars().take(RECOGNISABLE_CHARS).collect();
    let rest = if start.len() < line.as_str().len() { "…" } else { "" };
    format!("“{start}{rest}”")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ui::sample::{group, member, message, mine, waiting};

    const ALL: Delivery = Delivery::Delivered { to: 2, of: 2 };

    fn on(deliveries: &mut Deliveries, messages: &[Message], delivery: &Delivery) -> Option<String> {
        let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        deliveries.on_delivery(&group("army"), &ids, delivery)
    }

    #[test]
    fn that_all_have_a_message_is_told_once_and_nothing_of_the_way_there() {
        let mut deliveries = Deliveries::default();
        let said = [mine(1, "army", "Army3", "we march")];
        deliveries.note(&said[0]);
        for partly in [Delivery::Sent, Delivery::Delivered { to: 0, of: 2 }, Delivery::Delivered { to: 1, of: 2 }] {
            assert_eq!(on(&mut deliveries, &said, &partly), None);
        }
        assert_eq!(on(&mut deliveries, &said, &ALL).unwrap(), "all have “we march”");
        assert_eq!(on(&mut deliveries, &said, &ALL), None);
    }

    #[test]
    fn what_waited_is_told_when_it_is_carried_and_again_when_all_have_it() {
        let mut deliveries = Deliveries::default();
        let said = [waiting(1, "army", "Army3", "we march")];
        deliveries.note(&said[0]);
        let carried = |names: &[&str]| Delivery::Carried { by: names.iter().map(|name| member(name)).collect() };
        assert_eq!(on(&mut deliveries, &said, &carried(&["Base"])).unwrap(), "carried by Base: “we march”");
        assert_eq!(on(&mut deliveries, &said, &carried(&["Base", "Truck"])), None);
        assert_eq!(on(&mut deliveries, &said, &ALL).unwrap(), "all have “we march”");
        // What never waited goes by carriers without a word.
        let said = [mine(2, "army", "Army3", "we stay")];
        deliveries.note(&said[0]);
        assert_eq!(on(&mut deliveries, &said, &carried(&["Base"])), None);
    }

    #[test]
    fn many_messages_are_told_in_one_line() {
        let mut deliveries = Deliveries::default();
        let said: Vec<Message> = (1..=100).map(|number| mine(number, "army", "Army3", "more")).collect();
        said.iter().for_each(|message| deliveries.note(message));
        assert_eq!(on(&mut deliveries, &said, &ALL).unwrap(), "all have 100 messages of yours in army");
        assert!(deliveries.shown.is_empty());
    }

    #[test]
    fn others_messages_and_those_that_all_have_are_not_followed_and_memory_is_bounded() {
        let mut deliveries = Deliveries::default();
        deliveries.note(&message(1, "army", "Army1", "not mine"));
        deliveries.note(&Message { delivery: Some(ALL), ..mine(2, "army", "Army3", "old") });
        assert!(deliveries.followed.is_empty());
        (0..2000).for_each(|number| deliveries.note(&mine(number, "army", "Army3", "more")));
        assert_eq!((deliveries.followed.len(), deliveries.shown.len()), (MAX_FOLLOWED, MAX_FOLLOWED));
    }

    #[test]
    fn a_long_text_is_told_by_its_beginning_in_one_line() {
        let mut deliveries = Deliveries::default();
        let said = [mine(1, "army", "Army3", &format!("first\n{}", "x".repeat(100)))];
        deliveries.note(&said[0]);
        let told = on(&mut deliveries, &said, &ALL).unwrap();
        assert_eq!(told, format!("all have “first {}…”", "x".repeat(34)));
    }
}
