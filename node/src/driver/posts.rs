//! Posts whose answer is owed: told once the record is stored, or once somebody has it where that is waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_roles::{GroupId, Timestamp};
use tokio::time::Instant;

use crate::control::{Answer, Delivery, MessageId, Posted, Refusal, RefusalKind, Reply};
use crate::engine::io::RequestId;

/// Posts that may be owed an answer at once: more than the engine takes before it says that it is busy.
const MAX_POSTS: usize = 8192;

/// The longest that a post waits for somebody to have it.
const MAX_WAIT: Duration = Duration::from_secs(10 * 60);

/// A post whose answer is owed.
#[derive(Debug)]
struct Owed {
    reply: Reply<Answer>,
    wait: Duration,
}

/// A post that has been made.
#[derive(Debug)]
struct Made {
    owed: Owed,
    posted: Posted,
    /// When the answer is given in any case; set once it is stored.
    until: Option<Instant>,
}

/// All posts whose answer is owed.
#[derive(Debug, Default)]
pub(super) struct Posts {
    last: u64,
    asked: BTreeMap<RequestId, Owed>,
    made: BTreeMap<MessageId, Made>,
}

impl Posts {
    /// Takes in a post, and names it for the engine; answers it at once where there are too many.
    pub(super) fn ask(&mut self, wait_ms: u64, reply: Reply<Answer>) -> Option<RequestId> {
        if self.asked.len() + self.made.len() >= MAX_POSTS {
            give(reply, Err(Refusal::new(RefusalKind::Busy, "too many posts wait for their answers")));
            return None;
        }
        self.last += 1;
        let request = RequestId(self.last);
        self.asked.insert(request, Owed { reply, wait: Duration::from_millis(wait_ms).min(MAX_WAIT) });
        Some(request)
    }

    /// The engine has refused a post.
    pub(super) fn refused(&mut self, request: RequestId, refusal: Refusal) {
        if let Some(owed) = self.asked.remove(&request) {
            give(owed.reply, Err(refusal));
        }
    }

    /// The engine has made a post.
    pub(super) fn made(&mut self, request: RequestId, group: GroupId, time: Timestamp, id: MessageId) {
        if let Some(owed) = self.asked.remove(&request) {
            self.made.insert(id, Made { owed, posted: Posted::new(group, time, id), until: None });
        }
    }

    /// A record is on disk.
    pub(super) fn stored(&mut self, id: MessageId, now: Instant) {
        let Some(mut made) = self.made.remove(&id) else { return };
        if made.owed.wait.is_zero() || is_with_a_reader(&made.posted.delivery) {
            made.answer();
        } else {
            made.until = Some(now + made.owed.wait);
            self.made.insert(id, made);
        }
    }

    /// A record could not be stored.
    pub(super) fn failed(&mut self, id: MessageId, refusal: &Refusal) {
        if let Some(made) = self.made.remove(&id) {
            give(made.owed.reply, Err(refusal.clone()));
        }
    }

    /// A record has come this far.
    pub(super) fn came(&mut self, id: MessageId, delivery: &Delivery) {
        let Some(mut made) = self.made.remove(&id) else { return };
        made.posted.delivery = delivery.clone();
        // What is not stored yet is not to be acknowledged, whoever has it.
        if made.until.is_some() && is_with_a_reader(delivery) {
            made.answer();
        } else {
            self.made.insert(id, made);
        }
    }

    /// Answers those that have waited long enough.
    pub(super) fn tick(&mut self, now: Instant) {
        for (_, made) in self.made.extract_if(.., |_, made| made.until.is_some_and(|until| until <= now)) {
            made.answer();
        }
    }

    /// Answers all that is stored: the node ends.
    pub(super) fn end(self) {
        for made in self.made.into_values() {
            match made.until {
                Some(_) => made.answer(),
                None => give(made.owed.reply, Err(Refusal::ending())),
            }
        }
    }
}

impl Made {
    fn answer(self) {
        give(self.owed.reply, Ok(Answer::Posted(self.posted)));
    }
}

/// Tells whether a member that may read a record is known to have it, or all is known that ever will be.
fn is_with_a_reader(delivery: &Delivery) -> bool {
    match delivery {
        Delivery::Waiting | Delivery::Carried { .. } => false,
        Delivery::Sent => true,
        Delivery::Delivered { to, .. } => *to > 0,
    }
}

/// Gives an answer to who waits for it, if anybody still does.
pub(super) fn give<T>(reply: Reply<T>, outcome: Result<T, Refusal>) {
    drop(reply.send(outcome));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::sync::oneshot::{self, Receiver};

    use super::*;

    type Answered = Receiver<Result<Answer, Refusal>>;

    fn made(posts: &mut Posts, number: u32, wait_ms: u64) -> (MessageId, Answered) {
        let (reply, answer) = oneshot::channel();
        let request = posts.ask(wait_ms, reply).unwrap();
        let id = format!("{number:064x}").parse().unwrap();
        posts.made(request, GroupId::heads(), Timestamp::from_ms(number.into()), id);
        (id, answer)
    }

    fn delivery(answer: &mut Answered) -> Option<Delivery> {
        match answer.try_recv().ok()?.unwrap() {
            Answer::Posted(posted) => Some(posted.delivery),
            other => panic!("not a post's answer: {other:?}"),
        }
    }

    #[test]
    fn a_post_is_answered_once_it_is_stored_and_not_before() {
        let (mut posts, now) = (Posts::default(), Instant::now());
        let (id, mut answer) = made(&mut posts, 1, 0);
        posts.came(id, &Delivery::Sent);
        assert_eq!(delivery(&mut answer), None);
        posts.stored(id, now);
        assert_eq!(delivery(&mut answer), Some(Delivery::Sent));
    }

    #[test]
    fn where_it_is_waited_for_the_answer_comes_once_somebody_has_it_or_the_time_is_over() {
        let (mut posts, now) = (Posts::default(), Instant::now());
        let (first, mut heard) = made(&mut posts, 1, 5000);
        let (second, mut unheard) = made(&mut posts, 2, 5000);
        posts.stored(first, now);
        posts.stored(second, now);
        posts.tick(now + Duration::from_secs(4));
        assert_eq!((delivery(&mut heard), delivery(&mut unheard)), (None, None));
        posts.came(first, &Delivery::Sent);
        posts.tick(now + Duration::from_secs(5));
        assert_eq!(delivery(&mut heard), Some(Delivery::Sent));
        assert_eq!(delivery(&mut unheard), Some(Delivery::Waiting));
        assert!(posts.made.is_empty() && posts.asked.is_empty());
    }

    #[test]
    fn who_only_carries_a_record_does_not_end_the_wait_and_is_named_at_its_end() {
        let (mut posts, now) = (Posts::default(), Instant::now());
        let (confirmed, mut confirmed_answer) = made(&mut posts, 1, 5000);
        let (carried, mut carried_answer) = made(&mut posts, 2, 5000);
        let by = Delivery::Carried { by: vec!["Base".parse().unwrap()] };
        for id in [confirmed, carried] {
            posts.stored(id, now);
            posts.came(id, &by);
        }
        posts.came(confirmed, &Delivery::Delivered { to: 0, of: 3 });
        assert_eq!((delivery(&mut confirmed_answer), delivery(&mut carried_answer)), (None, None));
        posts.came(confirmed, &Delivery::Delivered { to: 1, of: 3 });
        assert_eq!(delivery(&mut confirmed_answer), Some(Delivery::Delivered { to: 1, of: 3 }));
        posts.tick(now + Duration::from_secs(5));
        assert_eq!(delivery(&mut carried_answer), Some(by));
    }

    #[test]
    fn what_is_not_stored_is_never_acknowledged() {
        let (mut posts, now) = (Posts::default(), Instant::now());
        let (lost, mut lost_answer) = made(&mut posts, 1, 0);
        let (stored, mut stored_answer) = made(&mut posts, 2, 60_000);
        let (_, mut open_answer) = made(&mut posts, 3, 0);
        posts.failed(lost, &Refusal::new(RefusalKind::Failed, "disk full"));
        assert!(lost_answer.try_recv().unwrap().is_err());
        posts.stored(stored, now);
        posts.end();
        assert_eq!(delivery(&mut stored_answer), Some(Delivery::Waiting));
        assert!(open_answer.try_recv().unwrap().is_err());
    }
}
