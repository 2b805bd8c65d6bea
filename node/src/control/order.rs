//! An order and its answers, as screens see them.

use muster_roles::MemberName;
use serde::{Deserialize, Serialize};

use super::{Message, Text};
use crate::engine::order;

/// An order as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The order itself.
    pub message: Message,
    /// The newest answer of each member that has answered, the oldest first.
    pub answers: Vec<OrderAnswer>,
    /// Who is to answer and has not.
    pub missing: Vec<MemberName>,
    /// Whether this device's own member is to answer.
    pub mine_to_answer: bool,
    /// Whether it is to stand on top: its answer is still owed, by this member or, if this member gave it, by others.
    pub open: bool,
}

/// What a member has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAnswer {
    /// Who.
    pub member: MemberName,
    /// Whether the order is, or will be, carried out.
    pub able: bool,
    /// What else the member says.
    pub text: Text,
    /// When, in Unix milliseconds.
    pub time_ms: u64,
}

impl From<order::Order> for Order {
    fn from(order: order::Order) -> Self {
        let open = order.is_open();
        let order::Order { row, answers, missing, is_mine_to_answer } = order;
        let answer = |answer: order::OrderAnswer| OrderAnswer {
            member: answer.member,
            able: answer.is_able,
            text: answer.text,
            time_ms: answer.time.ms(),
        };
        let answers = answers.into_iter().map(answer).collect();
        Self { message: row.into(), answers, missing, mine_to_answer: is_mine_to_answer, open }
    }
}
