//! Short numbers for the messages that a screen has been told of, and what a typed command means by them and by the orders
//! that wait. The first message of a group has the number 1, and none changes while the screen is open.

use std::collections::BTreeMap;

use muster_roles::{GroupId, MemberName, Precedence};

use super::commands::{CommandError, Saying};
use super::orders::{News, Orders};
use crate::control::{About, Manner, Message, MessageId, Order, Request};

/// Messages of a group that keep a number.
const NUMBERED: usize = 500;

/// Messages that `:numbers` lists: what a person looks back on.
const LISTED: usize = 20;

/// What is kept of a message.
#[derive(Debug)]
struct Brief {
    id: MessageId,
    author: MemberName,
    mine: bool,
    /// Whether it answers an order: who has it is not told, as nobody confirms an answer.
    is_answer: bool,
    line: String,
}

/// The messages of one group.
#[derive(Debug, Default)]
struct Group {
    last: u32,
    messages: BTreeMap<u32, Brief>,
    numbers: BTreeMap<MessageId, u32>,
}

/// The messages and orders that a screen has been told of.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    groups: BTreeMap<GroupId, Group>,
    pub(super) orders: Orders,
}

/// What a typed command comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// Ask this of the node.
    Ask(Request),
    /// Tell the person this.
    Tell(Vec<String>),
}

impl Numbers {
    /// Gives a message its number, the next one where it has none yet, and says with what it is to be shown: its text, after
    /// what it is about and how urgent it is.
    pub(super) fn note(&mut self, message: &Message) -> String {
        let lead = self.lead(message);
        let group = self.groups.entry(message.group.clone()).or_default();
        if !group.numbers.contains_key(&message.id) {
            group.last = group.last.saturating_add(1);
            let line = format!("{}: {lead}{}", message.author, message.text);
            let (mine, is_answer) = (message.is_mine(), message.manner.is_answer());
            let brief = Brief { id: message.id, author: message.author.clone(), mine, is_answer, line };
            group.numbers.insert(message.id, group.last);
            group.messages.insert(group.last, brief);
            if group.messages.len() > NUMBERED
                && let Some((_, oldest)) = group.messages.pop_first()
            {
                group.numbers.remove(&oldest.id);
            }
        }
        lead
    }

    /// Takes in how an order stands; tells of it where that matters to the person.
    pub(super) fn on_order(&mut self, order: Order) -> Option<String> {
        let line = standing(&order);
        (self.orders.take(order) != News::Nothing).then_some(line)
    }

    /// Works out what a command means in a group.
    pub(super) fn meaning(&self, group: &GroupId, saying: Saying) -> Result<Meant, CommandError> {
        let post = |group: &GroupId, text, manner| {
            Ok(Meant::Ask(Request::Post { group: group.clone(), text, manner, wait_ms: 0 }))
        };
        match saying {
            Saying::Urgent(precedence, text) => post(group, text, Manner { precedence, ..Manner::default() }),
            Saying::Order(text) => post(group, text, Manner { order: true, ..Manner::default() }),
            Saying::Reply(number, text) => post(group, text, Manner::about(About::Reply(self.find(group, number)?.id))),
            Saying::Correct(number, text) => {
                let brief = self.find(group, number)?;
                if !brief.mine {
                    return Err(CommandError::NotYours { number, author: brief.author.clone() });
                }
                post(group, text, Manner::about(About::Correction(brief.id)))
            }
            Saying::Answer(is_able, text) => {
                let order = self.orders.to_answer(Some(group)).into_iter().next().ok_or(CommandError::NoOrder)?;
                let about = if is_able { About::Acknowledged } else { About::Cannot };
                post(&order.message.group, text, Manner::about(about(order.message.id)))
            }
            Saying::Who(number) => {
                let id = match number {
                    Some(number) => self.find(group, number)?.id,
                    None => self.newest_mine(group).ok_or(CommandError::NothingSaid)?,
                };
                Ok(Meant::Ask(Request::Who { group: group.clone(), id }))
            }
            Saying::Numbers => Ok(Meant::Tell(self.list(group))),
            Saying::Orders => Ok(Meant::Tell(self.list_orders())),
        }
    }

    fn find(&self, group: &GroupId, number: u32) -> Result<&Brief, CommandError> {
        let brief = self.groups.get(group).and_then(|group| group.messages.get(&number));
        brief.ok_or(CommandError::NoSuchNumber { number })
    }

    fn newest_mine(&self, group: &GroupId) -> Option<MessageId> {
        let messages = &self.groups.get(group)?.messages;
        messages.values().rev().find(|brief| brief.mine && !brief.is_answer).map(|brief| brief.id)
    }

    fn list(&self, group: &GroupId) -> Vec<String> {
        let messages = self.groups.get(group).into_iter().flat_map(|group| group.messages.iter().rev().take(LISTED));
        let mut lines: Vec<String> = messages.map(|(number, brief)| format!("{number:>4}  {}", brief.line)).collect();
        lines.reverse();
        if lines.is_empty() { vec![format!("no messages in {group} yet")] } else { lines }
    }

    fn list_orders(&self) -> Vec<String> {
        let open: Vec<String> = self.orders.open().map(standing).collect();
        if open.is_empty() { vec!["no order waits".to_owned()] } else { open }
    }

    /// What stands before a message's text.
    fn lead(&self, message: &Message) -> String {
        let (Manner { order, about, .. }, urgency) = (message.manner, message.manner.urgency());
        let group = self.groups.get(&message.group);
        let number = |id: MessageId| {
            let number = group.and_then(|group| group.numbers.get(&id));
            number.map(|number| format!(" {number}")).unwrap_or_default()
        };
        let author_of = |id| group.and_then(|group| group.messages.get(group.numbers.get(&id)?));
        let is_own = |id| author_of(id).is_some_and(|brief| brief.author == message.author);
        let mut marks = Vec::new();
        if urgency > Precedence::Routine {
            marks.push(urgency.to_string());
        }
        if order {
            marks.push("order".to_owned());
        }
        match about {
            // A correction of what somebody else has said is no more than a reply to it.
            Some(About::Correction(id)) if is_own(id) => marks.push(format!("corrects{}", number(id))),
            Some(About::Reply(id) | About::Correction(id)) => marks.push(format!("reply{}", number(id))),
            Some(About::Acknowledged(_)) => marks.push("ack".to_owned()),
            Some(About::Cannot(_)) => marks.push("cannot".to_owned()),
            None => {}
        }
        if marks.is_empty() { String::new() } else { format!("[{}] ", marks.join(", ")) }
    }
}

/// How an order stands, in one line.
pub(super) fn standing(order: &Order) -> String {
    let Message { group, author, text, .. } = &order.message;
    let names = |names: &[MemberName]| names.iter().map(MemberName::as_str).collect::<Vec<_>>().join(", ");
    if order.mine_to_answer {
        return format!("order of {author} in {group}: {text} (answer with :ack or :cannot)");
    }
    let answers: Vec<String> = order
        .answers
        .iter()
        .map(|answer| {
            let word = if answer.able { "ack" } else { "cannot" };
            let text = answer.text.to_string();
            let colon = if text.is_empty() { "" } else { ": " };
            format!("{} {word}{colon}{text}", answer.member)
        })
        .collect();
    let answered = if answers.is_empty() { "no answer yet".to_owned() } else { answers.join("; ") };
    match order.missing.as_slice() {
        [] => format!("order in {group}: {text}: all have answered: {answered}"),
        missing => format!("order in {group}: {text}: {answered}; missing: {}", names(missing)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ui::sample::{group, message, mine, order_to_me};

    fn about(message: Message, about: About) -> Message {
        Message { manner: Manner::about(about), ..message }
    }

    fn numbers() -> Numbers {
        let mut numbers = Numbers::default();
        numbers.note(&message(1, "army", "Army1", "one"));
        numbers.note(&mine(2, "army", "Army3", "two"));
        numbers
    }

    fn manner(meant: Result<Meant, CommandError>) -> Manner {
        match meant {
            Ok(Meant::Ask(Request::Post { manner, .. })) => manner,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_number_names_a_message_whatever_comes_after_it() {
        let mut numbers = numbers();
        let reply = |numbers: &Numbers| manner(numbers.meaning(&group("army"), Saying::Reply(1, "yes".to_owned())));
        let one = Some(About::Reply(message(1, "army", "Army1", "one").id));
        assert_eq!(reply(&numbers).about, one);
        (3..50).for_each(|number| drop(numbers.note(&message(number, "army", "Army1", "more"))));
        assert_eq!(reply(&numbers).about, one);
        let none = numbers.meaning(&group("navy"), Saying::Reply(1, "yes".to_owned()));
        assert_eq!(none, Err(CommandError::NoSuchNumber { number: 1 }));
    }

    #[test]
    fn only_ones_own_message_is_corrected() {
        let numbers = numbers();
        let correct = |number| numbers.meaning(&group("army"), Saying::Correct(number, "better".to_owned()));
        assert_eq!(manner(correct(2)).about, Some(About::Correction(mine(2, "army", "Army3", "two").id)));
        assert_eq!(correct(1), Err(CommandError::NotYours { number: 1, author: "Army1".parse().unwrap() }));
    }

    #[test]
    fn a_message_shows_what_it_is_about_and_a_foreign_correction_is_a_reply() {
        let mut numbers = numbers();
        let id = message(1, "army", "Army1", "one").id;
        let lead = |numbers: &mut Numbers, author, about_it| {
            numbers.note(&about(message(9, "army", author, "text"), about_it))
        };
        assert_eq!(lead(&mut numbers, "Army2", About::Reply(id)), "[reply 1] ");
        assert_eq!(lead(&mut numbers, "Army1", About::Correction(id)), "[corrects 1] ");
        assert_eq!(lead(&mut numbers, "Army2", About::Correction(id)), "[reply 1] ");
        let manner = Manner { order: true, precedence: Precedence::Flash, about: None };
        let order = Message { manner, ..message(10, "army", "Army1", "go") };
        assert_eq!(numbers.note(&order), "[flash, order] ");
        assert_eq!(numbers.note(&message(11, "army", "Army1", "plain")), "");
    }

    #[test]
    fn an_answer_goes_to_the_order_that_has_waited_longest() {
        let mut numbers = numbers();
        assert_eq!(numbers.meaning(&group("army"), Saying::Answer(true, String::new())), Err(CommandError::NoOrder));
        for number in [20, 21] {
            let order = order_to_me(number, "army", "Army1", "go");
            assert!(numbers.on_order(order.clone()).unwrap().contains("answer with :ack"));
            assert_eq!(numbers.on_order(order), None, "it has been told");
        }
        let answer = numbers.meaning(&group("army"), Saying::Answer(false, "no road".to_owned()));
        assert_eq!(manner(answer).about, Some(About::Cannot(message(20, "army", "Army1", "go").id)));
        assert_eq!(numbers.orders.to_answer(None).len(), 2);
    }
}
