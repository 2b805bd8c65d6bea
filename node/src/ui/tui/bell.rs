//! The terminal's bell: what it rings for, and how often.

use muster_roles::Precedence;

use crate::control::Message;

/// What comes so soon after a bell needs none of its own: messages that had waited come many together.
const REST_MS: u64 = 1000;

/// The bell of one screen.
#[derive(Debug)]
pub(super) struct Bell {
    is_on: bool,
    is_called: bool,
    rung_ms: Option<u64>,
}

impl Bell {
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, is_called: false, rung_ms: None }
    }

    /// There is something to ring for.
    pub(super) fn call(&mut self) {
        self.is_called = self.is_on;
    }

    /// Tells, once, whether it is to ring now.
    pub(super) fn take(&mut self, now_ms: u64) -> bool {
        let is_rested = self.rung_ms.is_none_or(|rung| now_ms.abs_diff(rung) >= REST_MS);
        let rings = std::mem::take(&mut self.is_called) && is_rested;
        if rings {
            self.rung_ms = Some(now_ms);
        }
        rings
    }
}

/// Tells whether a message of somebody else's rings, where it is seen at once or not.
///
/// Flash and immediate always do: whoever has the group open need not be looking. Priority does, and what calls this
/// member by name, where it would stand unseen: in an open group it is part of the talk, and a bell for each would be
/// switched off, and the one for a flash with it.
pub(super) fn rings(message: &Message, is_seen: bool) -> bool {
    match message.manner.urgency() {
        Precedence::Flash | Precedence::Immediate => true,
        Precedence::Priority => !is_seen,
        Precedence::Routine => message.mentions_me && !is_seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{About, Manner};
    use crate::ui::sample::message;

    fn urgent(precedence: Precedence) -> Message {
        Message { manner: Manner { precedence, ..Manner::default() }, ..message(1, "army", "Army1", "come") }
    }

    #[test]
    fn flash_and_immediate_ring_always_and_priority_where_it_stands_unseen() {
        let rang = |is_seen| Precedence::ALL.map(|precedence| rings(&urgent(precedence), is_seen));
        assert_eq!(rang(true), [false, false, true, true]);
        assert_eq!(rang(false), [false, true, true, true]);
    }

    #[test]
    fn a_call_by_name_rings_where_it_stands_unseen_and_an_answer_to_an_order_does_not() {
        let called = Message { mentions_me: true, ..urgent(Precedence::Routine) };
        assert_eq!([rings(&called, true), rings(&called, false)], [false, true]);
        let answer = urgent(Precedence::Priority);
        let about = Some(About::Acknowledged(answer.id));
        let answer = Message { manner: Manner { about, ..answer.manner }, ..answer };
        assert!(!rings(&answer, false), "it travels as priority, and is none to a person");
    }

    #[test]
    fn a_hundred_messages_ring_once() {
        let mut bell = Bell::new(true);
        assert!(!bell.take(0));
        (0..100).for_each(|_| bell.call());
        assert!(bell.take(0) && !bell.take(0));
        let rung = (0..100).filter(|ms| {
            bell.call();
            bell.take(ms * 20)
        });
        assert_eq!(rung.count(), 1, "in two seconds, the first of which had its bell");
    }

    #[test]
    fn a_bell_that_is_off_never_rings_and_a_clock_that_jumps_back_does_not_silence_it() {
        let mut off = Bell::new(false);
        off.call();
        assert!(!off.take(0));
        let mut bell = Bell::new(true);
        bell.call();
        assert!(bell.take(1_000_000));
        bell.call();
        assert!(bell.take(0));
    }
}
