//! The step from authentic to permitted, and what an author may send in a given time.

use std::collections::HashMap;

use muster_keys::PublicKey;
use muster_roles::{Denial, GroupId, Permit, Role, Roster, Timestamp, permit_act};

use super::store::RETENTION_MS;
use super::time::{MAX_AHEAD_MS, UnixMillis};
use super::verify::Verified;
use super::wire::{Frame, Header};

/// Records an author may send a second, in the long run: far more than a person types, less than hurts a small device.
pub const AUTHOR_RATE_PER_S: u64 = 100;

/// Records an author may send at once: what a device that comes back with a full outbox has to say.
pub const AUTHOR_BURST: u64 = 1000;

/// Buckets of tokens beyond which full ones are let go: all who speak within a few seconds, and not a whole large unit.
const MANY_BUCKETS: usize = 1024;

/// Which groups' records a node stores and forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carry {
    /// Every group's, readable or not.
    #[default]
    All,
    /// Only those that its own member may read.
    Own,
}

impl Carry {
    /// Returns the groups that a member's node carries; a carrier reads nothing and is there for everything.
    #[must_use]
    pub fn groups(self, roster: &Roster, member: &PublicKey) -> Vec<GroupId> {
        let Some(role) = roster.member(member).map(|member| member.role) else { return Vec::new() };
        let all = self == Self::All || role == Role::Carrier;
        roster.groups().filter(|group| all || role.may_read(group)).cloned().collect()
    }
}

/// Why a record's time keeps it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untimely {
    /// It is older than what is kept.
    #[error("older than the week that is kept")]
    TooOld,
    /// Its author's clock runs too far ahead.
    #[error("from too far in the future")]
    TooFarAhead,
}

/// Sees that a record's time lies in the week that is kept, and not too far ahead of `present`.
///
/// The present is [`Clock::present`](super::time::Clock::present), `now` the wall clock.
///
/// # Errors
/// [`Untimely`], where it does not.
pub fn check_time(time: Timestamp, present: Timestamp, now: UnixMillis) -> Result<(), Untimely> {
    if time.ms() < now.0.saturating_sub(RETENTION_MS) {
        return Err(Untimely::TooOld);
    }
    if time.ms() > present.ms().saturating_add(MAX_AHEAD_MS) {
        return Err(Untimely::TooFarAhead);
    }
    Ok(())
}

/// Asks the roster in force at a record's own time whether its author may do what it does.
///
/// # Errors
/// [`Denial`], the reason.
pub fn permit_record(roster: &Roster, header: &Header) -> Result<Permit, Denial> {
    permit_act(&roster.at(header.time), &header.author, &header.group, header.act())
}

/// A record that its author was allowed to post, by the roster in force at its own time.
#[derive(Clone, Debug)]
pub struct Permitted {
    record: Verified,
    permit: Permit,
    received_ms: u64,
    is_own: bool,
}

/// An authentic record that its author had no right to post.
#[derive(Debug)]
pub struct Denied {
    /// The record.
    pub record: Verified,
    /// Why.
    pub denial: Denial,
}

impl Permitted {
    /// Asks the roster whether the author may post this to the group.
    ///
    /// # Errors
    /// [`Denied`]: the reason, and the record back.
    pub fn judge(record: Verified, roster: &Roster, received_ms: u64) -> Result<Self, Box<Denied>> {
        match permit_record(roster, record.frame().header()) {
            Ok(permit) => Ok(Self { record, permit, received_ms, is_own: false }),
            Err(denial) => Err(Box::new(Denied { record, denial })),
        }
    }

    /// Returns the record.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        self.record.frame()
    }

    /// Returns who wrote it, and by what right.
    #[must_use]
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Says that this node's member has just made it.
    pub(crate) fn into_own(self) -> Self {
        Self { is_own: true, ..self }
    }

    /// Tells whether this node's member has just made it, so that nobody else has it yet.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Returns when this node got it, in Unix milliseconds as far as it knew the unit's time.
    #[must_use]
    pub fn received_ms(&self) -> u64 {
        self.received_ms
    }
}

/// A token bucket per author: one member's flood is cut off and nobody else notices.
#[derive(Debug, Default)]
pub struct Limiter {
    /// Only authors that the roster has permitted get a bucket, so the roster bounds this map; of many, only those are kept
    /// from which something has been taken of late.
    buckets: HashMap<PublicKey, Bucket>,
}

/// Tokens are counted in thousandths, so that a millisecond's share is a whole number.
#[derive(Debug)]
struct Bucket {
    millitokens: u64,
    filled_ms: u64,
}

const MILLITOKENS: u64 = 1000;

impl Bucket {
    /// Returns what is in it now.
    fn level(&self, now: UnixMillis) -> u64 {
        let filled = now.0.saturating_sub(self.filled_ms).saturating_mul(AUTHOR_RATE_PER_S);
        filled.saturating_add(self.millitokens).min(AUTHOR_BURST * MILLITOKENS)
    }
}

impl Limiter {
    /// Takes one token of the author's, if there is one.
    pub fn admit(&mut self, author: &PublicKey, now: UnixMillis) -> bool {
        if self.buckets.len() >= MANY_BUCKETS && !self.buckets.contains_key(author) {
            // A full one is as good as none.
            self.buckets.retain(|_, bucket| bucket.level(now) < AUTHOR_BURST * MILLITOKENS);
        }
        let full = AUTHOR_BURST * MILLITOKENS;
        let bucket = self.buckets.entry(*author).or_insert(Bucket { millitokens: full, filled_ms: now.0 });
        bucket.millitokens = bucket.level(now);
        bucket.filled_ms = now.0;
        match bucket.millitokens.checked_sub(MILLITOKENS) {
            Some(rest) => {
                bucket.millitokens = rest;
                true
            }
            None => false,
        }
    }

    /// Tells whether an author has no token left, without taking one: what claims to be its next record is not worth
    /// the check of its signature.
    #[must_use]
    pub fn is_spent(&self, author: &PublicKey, now: UnixMillis) -> bool {
        self.buckets.get(author).is_some_and(|bucket| bucket.level(now) < MILLITOKENS)
    }

    /// Forgets authors that are no members any more.
    pub fn retain(&mut self, is_member: impl Fn(&PublicKey) -> bool) {
        self.buckets.retain(|author, _| is_member(author));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use muster_keys::Identity;

    use super::*;

    const NOON: UnixMillis = UnixMillis(1_800_000_000_000);

    fn admitted(limiter: &mut Limiter, author: &PublicKey, tries: u64, now: UnixMillis) -> u64 {
        (0..tries).filter(|_| limiter.admit(author, now)).count() as u64
    }

    #[test]
    fn a_burst_passes_and_the_rest_of_a_flood_does_not() {
        let author = Identity::generate().unwrap().public();
        let mut limiter = Limiter::default();
        assert_eq!(admitted(&mut limiter, &author, 5000, NOON), AUTHOR_BURST);
        let second_later = UnixMillis(NOON.0 + 1000);
        assert_eq!(admitted(&mut limiter, &author, 5000, second_later), AUTHOR_RATE_PER_S);
    }

    #[test]
    fn an_author_is_spent_when_nothing_more_would_be_admitted() {
        let author = Identity::generate().unwrap().public();
        let mut limiter = Limiter::default();
        assert!(!limiter.is_spent(&author, NOON));
        admitted(&mut limiter, &author, AUTHOR_BURST - 1, NOON);
        assert!(!limiter.is_spent(&author, NOON));
        assert!(limiter.admit(&author, NOON));
        assert!(limiter.is_spent(&author, NOON));
        assert!(!limiter.is_spent(&author, UnixMillis(NOON.0 + 1000 / AUTHOR_RATE_PER_S)));
    }

    #[test]
    fn one_author_s_flood_leaves_the_others_alone() {
        let (loud, quiet) = (Identity::generate().unwrap().public(), Identity::generate().unwrap().public());
        let mut limiter = Limiter::default();
        admitted(&mut limiter, &loud, 5000, NOON);
        assert!(limiter.admit(&quiet, NOON));
    }

    #[test]
    fn of_many_authors_only_those_who_have_just_spoken_have_a_bucket() {
        let (flood, mut limiter) = (Identity::from_seed(&[255; 32]).public(), Limiter::default());
        admitted(&mut limiter, &flood, AUTHOR_BURST, NOON);
        for n in 0..2 * MANY_BUCKETS {
            let mut seed = [0; 32];
            seed.iter_mut().zip(n.to_be_bytes()).for_each(|(to, from)| *to = from);
            let now = UnixMillis(NOON.0 + 2 * n as u64);
            assert!(limiter.admit(&Identity::from_seed(&seed).public(), now));
            admitted(&mut limiter, &flood, 20, now);
            assert!(limiter.buckets.len() <= MANY_BUCKETS);
            assert!(limiter.is_spent(&flood, now), "to be forgotten would fill its bucket");
        }
    }

    #[test]
    fn a_clock_that_jumps_gives_no_more_than_a_burst() {
        let author = Identity::generate().unwrap().public();
        let mut limiter = Limiter::default();
        admitted(&mut limiter, &author, 5000, NOON);
        assert_eq!(admitted(&mut limiter, &author, 5000, UnixMillis(u64::MAX)), AUTHOR_BURST);
        assert_eq!(admitted(&mut limiter, &author, 10, NOON), 0, "a clock set back gives nothing");
    }
}
