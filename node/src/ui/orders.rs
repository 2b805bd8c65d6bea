//! The orders that a screen knows of: those that wait for this member's answer, and those of its own that others owe one.

use std::collections::BTreeMap;

use muster_roles::GroupId;

use crate::control::{Order, Position};

/// Orders kept; the oldest give way.
const MAX_ORDERS: usize = 256;

/// The orders that a screen has been told of, as they stand.
#[derive(Debug, Default)]
pub(super) struct Orders {
    known: BTreeMap<Position, Order>,
}

/// What the news of an order is to the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It waits for this member's answer, and did not before.
    ToAnswer,
    /// It is this member's own, and others still owe an answer.
    Open,
    /// It is this member's own, and the last answer has come.
    Answered,
    /// Nothing that the person need hear of.
    Nothing,
}

impl Orders {
    /// Takes in how an order stands.
    pub(super) fn take(&mut self, order: Order) -> News {
        let at = order.message.position();
        let before = self.known.get(&at);
        // A list of all orders and news of one come different ways: whichever knows of fewer answers is the older.
        if before.is_some_and(|before| order.answers.len() < before.answers.len()) {
            return News::Nothing;
        }
        let is_mine = order.message.is_mine();
        let is_changed =
            before.is_none_or(|before| (&before.answers, &before.missing) != (&order.answers, &order.missing));
        let news = match order.open {
            true if order.mine_to_answer && before.is_none_or(|before| !before.mine_to_answer) => News::ToAnswer,
            true if is_mine && is_changed => News::Open,
            false if is_mine && before.is_some_and(|before| before.open) => News::Answered,
            _ => News::Nothing,
        };
        self.known.insert(at, order);
        if self.known.len() > MAX_ORDERS {
            self.known.pop_first();
        }
        news
    }

    /// Forgets the orders of groups that the member may not read any more.
    pub(super) fn keep_groups(&mut self, is_readable: impl Fn(&GroupId) -> bool) {
        self.known.retain(|_, order| is_readable(&order.message.group));
    }

    /// Returns the orders that wait for this member's answer: an answer given in the open group is for the first.
    ///
    /// Those of the open group stand first, and in each part those that have waited longest.
    pub(super) fn to_answer(&self, open: Option<&GroupId>) -> Vec<&Order> {
        let mut orders: Vec<&Order> = self.known.values().filter(|order| order.mine_to_answer).collect();
        orders.sort_by_key(|order| open != Some(&order.message.group));
        orders
    }

    /// Returns this member's own orders to which an answer is missing, the oldest first.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = &Order> {
        self.known.values().filter(|order| order.open && !order.mine_to_answer)
    }

    /// Returns everything that is owed, by this member or to it, the oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = &Order> {
        self.known.values().filter(|order| order.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample::{answered, given_order, group, order_to_me};

    #[test]
    fn an_order_is_told_once_to_whoever_is_to_answer_and_with_every_answer_to_its_giver() {
        let mut orders = Orders::default();
        let mine = order_to_me(1, "army", "Army1", "go");
        assert_eq!(orders.take(mine.clone()), News::ToAnswer);
        assert_eq!(orders.take(mine.clone()), News::Nothing, "another screen's list says no more");
        // Others' answers are nothing to one who has to answer too.
        assert_eq!(orders.take(answered(mine, &["Army2"], &["Army3"])), News::Nothing);

        let given = given_order(2, "army", "Army1", "stay", &["Army2", "Army3"]);
        assert_eq!(orders.take(given.clone()), News::Open);
        let half = answered(given.clone(), &["Army2"], &["Army3"]);
        assert_eq!(orders.take(half.clone()), News::Open);
        assert_eq!(orders.take(given), News::Nothing, "what is older than what is known");
        assert_eq!(orders.unanswered().count(), 1);
        assert_eq!(orders.take(answered(half, &["Army2", "Army3"], &[])), News::Answered);
        assert_eq!(orders.unanswered().count(), 0);
    }

    #[test]
    fn an_order_of_the_past_that_all_have_answered_is_no_news() {
        let mut orders = Orders::default();
        let given = given_order(1, "army", "Army1", "go", &["Army2"]);
        assert_eq!(orders.take(answered(given, &["Army2"], &[])), News::Nothing);
    }

    #[test]
    fn orders_of_the_open_group_are_answered_first_and_then_those_that_have_waited_longest() {
        let mut orders = Orders::default();
        for (number, at) in [(3, "heads"), (2, "army"), (1, "heads")] {
            orders.take(order_to_me(number, at, "Chief", &number.to_string()));
        }
        let texts = |orders: &Orders, open: Option<&str>| {
            let open = open.map(group);
            let orders = orders.to_answer(open.as_ref());
            orders.into_iter().map(|order| order.message.text.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(texts(&orders, Some("army")), ["2", "1", "3"]);
        assert_eq!(texts(&orders, Some("heads")), ["1", "3", "2"]);
        assert_eq!(texts(&orders, None), ["1", "2", "3"]);
        orders.keep_groups(|of| *of == group("army"));
        assert_eq!(texts(&orders, None), ["2"]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut orders = Orders::default();
        for number in 0..2 * u32::try_from(MAX_ORDERS).unwrap_or(u32::MAX) {
            orders.take(order_to_me(number, "army", "Army1", "go"));
        }
        assert_eq!(orders.known.len(), MAX_ORDERS);
    }
}
