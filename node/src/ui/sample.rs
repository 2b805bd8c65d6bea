//! Profiles and messages of the default unit, for the tests of the screens.
#![allow(clippy::unwrap_used)]

use muster_roles::{GroupId, MemberName, Role};

use crate::control::{Delivery, GroupChoice, Manner, Message, Order, OrderAnswer, Printable, Profile, Text};

const LETTERS: [(&str, char); 4] = [("heads", 'h'), ("navy", 'n'), ("airforce", 'a'), ("army", 'r')];

pub(crate) fn group(name: &str) -> GroupId {
    name.parse().unwrap()
}

pub(crate) fn member(name: &str) -> MemberName {
    name.parse().unwrap()
}

pub(crate) fn commander() -> Profile {
    profile("Chief", Role::Commander)
}

pub(crate) fn leader(troop: &str) -> Profile {
    profile("Lead", Role::Leader(group(troop)))
}

pub(crate) fn soldier(troop: &str) -> Profile {
    profile("Army3", Role::Soldier(group(troop)))
}

pub(crate) fn carrier() -> Profile {
    profile("Truck", Role::Carrier)
}

fn profile(name: &str, role: Role) -> Profile {
    let groups = LETTERS
        .map(|(name, letter)| (group(name), letter))
        .into_iter()
        .filter(|(id, _)| role.may_read(id))
        .map(|(id, letter)| GroupChoice { may_post: role.may_post(&id), id, letter })
        .collect();
    Profile { name: member(name), role, unit: Printable::new("1st Brigade"), groups }
}

/// A message that somebody else wrote; its number is its time and its id.
pub(crate) fn message(number: u32, at: &str, author: &str, text: &str) -> Message {
    Message::sample(number, at, author, text)
}

/// A message that this member wrote and others have.
pub(crate) fn mine(number: u32, at: &str, author: &str, text: &str) -> Message {
    Message { delivery: Some(Delivery::Sent), ..message(number, at, author, text) }
}

/// A message that this member wrote and nobody else has.
pub(crate) fn waiting(number: u32, at: &str, author: &str, text: &str) -> Message {
    Message { delivery: Some(Delivery::Waiting), ..message(number, at, author, text) }
}

/// An order of somebody else's that Army3, who sits here, has not answered.
pub(crate) fn order_to_me(number: u32, at: &str, giver: &str, text: &str) -> Order {
    let manner = Manner { order: true, ..Manner::default() };
    let message = Message { manner, ..message(number, at, giver, text) };
    Order { message, answers: Vec::new(), missing: vec![member("Army3")], mine_to_answer: true, open: true }
}

/// An order that this member has given, and that nobody has answered.
pub(crate) fn given_order(number: u32, at: &str, giver: &str, text: &str, missing: &[&str]) -> Order {
    let order = order_to_me(number, at, giver, text);
    let message = Message { delivery: Some(Delivery::Sent), ..order.message };
    Order { message, missing: missing.iter().map(|name| member(name)).collect(), mine_to_answer: false, ..order }
}

/// The same order when these have said that they carry it out, and those have not answered.
pub(crate) fn answered(order: Order, by: &[&str], missing: &[&str]) -> Order {
    let answer = |(number, name): (usize, &&str)| OrderAnswer {
        member: member(name),
        able: true,
        text: Text::new(""),
        time_ms: number as u64,
    };
    let answers = by.iter().enumerate().map(answer).collect();
    let open = order.mine_to_answer || !missing.is_empty();
    Order { answers, missing: missing.iter().map(|name| member(name)).collect(), open, ..order }
}
