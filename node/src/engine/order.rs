//! Orders that have been given, who has answered them, and who is to be reminded.

use std::collections::BTreeMap;

use muster_keys::PublicKey;
use muster_roles::{GroupId, Member, MemberName, Timestamp};

use super::time::UnixMillis;
use super::view::{Row, Text};
use super::wire::RecordId;

/// Orders kept over all groups; the oldest give way. They stay in the store.
pub(super) const MAX_ORDERS: usize = 256;

/// Answers kept whose order is not here yet: sessions bring the newest first.
const MAX_EARLY: usize = 1024;

/// An order is reminded of so long after it came, and as often again, in milliseconds.
pub const REMIND_MS: u64 = 10 * 60 * 1000;

/// What a member has answered to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderAnswer {
    /// Who.
    pub member: MemberName,
    /// Whether it is, or will be, carried out.
    pub is_able: bool,
    /// What else the member says.
    pub text: Text,
    /// When.
    pub time: Timestamp,
}

/// An order as a screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The order itself.
    pub row: Row,
    /// The newest answer of each member that has answered, in the order of their times.
    pub answers: Vec<OrderAnswer>,
    /// Who is to answer and has not.
    pub missing: Vec<MemberName>,
    /// Whether this device's member is among them.
    pub is_mine_to_answer: bool,
}

impl Order {
    /// Returns where it stands among the others.
    pub(super) fn place(&self) -> (Timestamp, RecordId) {
        (self.row.time(), self.row.id())
    }

    /// Tells whether it is to stand on top: for whoever has to answer it, and for its giver until all have.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_mine_to_answer || (self.row.mine() && !self.missing.is_empty())
    }
}

/// An answer, and by whose key.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) key: PublicKey,
    pub(super) answer: OrderAnswer,
}

#[derive(Debug)]
struct Known {
    row: Row,
    ordered: Vec<Member>,
    answers: BTreeMap<PublicKey, OrderAnswer>,
    reminded: Option<UnixMillis>,
}

impl Known {
    fn answer(&mut self, Answered { key, answer }: Answered) -> bool {
        let is_newer = self.answers.get(&key).is_none_or(|before| before.time < answer.time);
        if is_newer {
            self.answers.insert(key, answer);
        }
        is_newer
    }

    fn missing(&self) -> impl Iterator<Item = &Member> {
        self.ordered.iter().filter(|member| !self.answers.contains_key(&member.key))
    }

    fn order(&self, me: &PublicKey) -> Order {
        let mut answers: Vec<OrderAnswer> = self.answers.values().cloned().collect();
        answers.sort_by_key(|answer| answer.time);
        Order {
            row: self.row.clone(),
            answers,
            missing: self.missing().map(|member| member.name.clone()).collect(),
            is_mine_to_answer: self.missing().any(|member| member.key == *me),
        }
    }
}

/// The orders of the week that this member may read.
#[derive(Debug)]
pub(super) struct Orders {
    me: PublicKey,
    known: BTreeMap<(Timestamp, RecordId), Known>,
    /// Answers to orders that have not come, with their groups.
    early: BTreeMap<(Timestamp, RecordId), (GroupId, RecordId, Answered)>,
}

impl Orders {
    pub(super) fn new(me: PublicKey) -> Self {
        Self { me, known: BTreeMap::new(), early: BTreeMap::new() }
    }

    /// Takes in an order, which these are to answer; returns it as it stands, unless it was known.
    pub(super) fn insert(&mut self, row: Row, ordered: Vec<Member>) -> Option<Order> {
        let (at, id) = ((row.time(), row.id()), row.id());
        if self.known.contains_key(&at) {
            return None;
        }
        let mut known = Known { row, ordered, answers: BTreeMap::new(), reminded: None };
        let early = self.early.extract_if(.., |_, (group, of, _)| *of == id && group == known.row.group());
        let early: Vec<Answered> = early.map(|(_, (_, _, answered))| answered).collect();
        for answered in early {
            known.answer(answered);
        }
        let order = known.order(&self.me);
        self.known.insert(at, known);
        if self.known.len() > MAX_ORDERS {
            self.known.pop_first();
        }
        Some(order)
    }

    /// Takes in the record `id` that answers the order `of`; returns the order, if it is known and this is news.
    pub(super) fn answer(&mut self, group: &GroupId, id: RecordId, of: RecordId, answered: Answered) -> Option<Order> {
        let known = self.known.values_mut().find(|known| known.row.id() == of);
        match known {
            Some(known) if known.row.group() == group => known.answer(answered).then(|| known.order(&self.me)),
            // An answer counts where its order was given.
            Some(_) => None,
            None => {
                self.early.insert((answered.answer.time, id), (group.clone(), of, answered));
                if self.early.len() > MAX_EARLY {
                    self.early.pop_first();
                }
                None
            }
        }
    }

    /// Tells whether this is an order of a group that somebody else has given.
    pub(super) fn is_to_answer(&self, group: &GroupId, id: &RecordId) -> bool {
        self.known.values().any(|known| known.row.id() == *id && known.row.group() == group && !known.row.mine())
    }

    /// Returns every order, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = Order> {
        self.known.values().map(|known| known.order(&self.me))
    }

    /// Returns the open orders that are to be reminded of now.
    pub(super) fn remind(&mut self, now: UnixMillis) -> Vec<Order> {
        let mut due = Vec::new();
        for known in self.known.values_mut() {
            let since = known.reminded.map_or(known.row.received_ms(), |at| at.0);
            if now.0.abs_diff(since) < REMIND_MS {
                continue;
            }
            let order = known.order(&self.me);
            if order.is_open() {
                known.reminded = Some(now);
                due.push(order);
            }
        }
        due
    }

    /// Forgets what is older than the week.
    pub(super) fn prune(&mut self, before: Timestamp) {
        self.known.retain(|(time, _), _| *time >= before);
        self.early.retain(|(time, _), _| *time >= before);
    }

    /// Forgets records that a newer roster forbids, orders and answers.
    pub(super) fn withdraw(&mut self, group: &GroupId, is_withdrawn: impl Fn(Timestamp, &RecordId) -> bool) {
        self.known.retain(|(time, id), known| known.row.group() != group || !is_withdrawn(*time, id));
        self.early.retain(|(time, id), (of, ..)| of != group || !is_withdrawn(*time, id));
    }
}
