//! Devices that ask to join and wait for a person: who they are, and the words to compare.
//!
//! How the words come about, and what a device in the middle cannot do, is told in [`muster_roles::Joining`]. Here are
//! the bounds: so many requests wait, each for so long, and so many may begin in a minute.

use muster_keys::PublicKey;
use muster_roles::{Admitting, Commitment, JoinNonce, MemberName, UnitId};

use super::time::UnixMillis;

/// Requests that wait at a time: more devices than one person admits at once.
pub const MAX_WAITING: usize = 8;

/// How long a request waits for a person, in milliseconds.
pub const WAITING_MS: u64 = 10 * 60 * 1000;

/// How long a request is kept whose device asks no more, in milliseconds: it asks about once a second.
pub const UNHEARD_MS: u64 = 60 * 1000;

/// Requests that may begin in each [`BEGIN_WINDOW_MS`]: each is shown to a person.
const MAX_BEGUN: u32 = 12;

/// The time over which requests that begin are counted, in milliseconds.
const BEGIN_WINDOW_MS: u64 = 60 * 1000;

/// What a device that wants to join says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinAsk {
    /// It begins.
    Begin {
        /// The name that it would have.
        name: MemberName,
        /// The commitment to its nonce.
        commitment: Commitment,
        /// A fresh nonce to answer it with.
        nonce: JoinNonce,
    },
    /// It reveals its nonce, and asks whether it is admitted.
    Reveal {
        /// The nonce.
        nonce: JoinNonce,
    },
}

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinAnswer {
    /// It waits; with the nonce that was drawn for it.
    Waiting {
        /// The unit.
        unit: UnitId,
        /// The nonce.
        nonce: JoinNonce,
    },
    /// It is not waited for here, whatever the reason.
    Refused,
}

/// A device that waits to be admitted, as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// The name that it would have.
    pub name: MemberName,
    /// Its public key.
    pub key: PublicKey,
    /// The six words that its own screen must show too.
    pub words: String,
    /// Since when it waits.
    pub since: UnixMillis,
}

#[derive(Debug)]
struct Waiting {
    name: MemberName,
    key: PublicKey,
    nonce: JoinNonce,
    stage: Stage,
    since: UnixMillis,
    heard: UnixMillis,
}

#[derive(Debug)]
enum Stage {
    /// Its nonce is not known yet; with what it has committed itself to.
    Committed(Commitment),
    /// With its nonce, and the words for people to compare.
    Revealed(JoinNonce, String),
}

/// The requests that wait at this node.
#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: Vec<Waiting>,
    window_ms: u64,
    begun: u32,
}

impl Requests {
    /// Takes in a request; nobody sees it until the device has revealed its nonce.
    pub(super) fn begin(
        &mut self,
        unit: UnitId,
        key: PublicKey,
        name: MemberName,
        (commitment, nonce): (Commitment, JoinNonce),
        now: UnixMillis,
    ) -> JoinAnswer {
        self.expire(now);
        if !self.may_begin(now) {
            return JoinAnswer::Refused;
        }
        // A device that begins anew takes its own place.
        self.waiting.retain(|waiting| waiting.key != key);
        if self.waiting.len() >= MAX_WAITING {
            return JoinAnswer::Refused;
        }
        self.waiting.push(Waiting { name, key, nonce, stage: Stage::Committed(commitment), since: now, heard: now });
        JoinAnswer::Waiting { unit, nonce }
    }

    /// Takes in a device's nonce; also returns the request the first time that it fits.
    pub(super) fn reveal(
        &mut self,
        unit: UnitId,
        me: &PublicKey,
        key: &PublicKey,
        nonce: &JoinNonce,
        now: UnixMillis,
    ) -> (JoinAnswer, Option<JoinRequest>) {
        self.expire(now);
        let Some(known) = self.waiting.iter_mut().find(|waiting| waiting.key == *key) else {
            return (JoinAnswer::Refused, None);
        };
        known.heard = now;
        let answer = JoinAnswer::Waiting { unit, nonce: known.nonce };
        let commitment = match &known.stage {
            Stage::Revealed(revealed, _) if revealed == nonce => return (answer, None),
            Stage::Revealed(..) => return (JoinAnswer::Refused, None),
            Stage::Committed(commitment) => *commitment,
        };
        match Admitting::new(unit, *me, *key, commitment, known.nonce).reveal(nonce) {
            Ok(words) => {
                known.stage = Stage::Revealed(*nonce, words.to_string());
                (answer, known.shown())
            }
            Err(broken) => {
                tracing::debug!(%key, %broken, "join request dropped");
                self.waiting.retain(|waiting| waiting.key != *key);
                (JoinAnswer::Refused, None)
            }
        }
    }

    /// Returns the requests that a person can decide on, the oldest first.
    pub(super) fn list(&self, now: UnixMillis) -> Vec<JoinRequest> {
        self.waiting.iter().filter(|waiting| waiting.lasts(now)).filter_map(Waiting::shown).collect()
    }

    /// Forgets what has had its time; tells whether a person has seen any of it.
    pub(super) fn expire(&mut self, now: UnixMillis) -> bool {
        self.drop_unless(|waiting| waiting.lasts(now))
    }

    /// Keeps the requests of these devices only; tells whether a person has seen any of the others.
    pub(super) fn retain(&mut self, keep: impl Fn(&PublicKey) -> bool) -> bool {
        self.drop_unless(|waiting| keep(&waiting.key))
    }

    /// Forgets a device that has been turned away; tells whether it was there to be seen.
    pub(super) fn forget(&mut self, key: &PublicKey) -> bool {
        self.drop_unless(|waiting| waiting.key != *key)
    }

    fn drop_unless(&mut self, keep: impl Fn(&Waiting) -> bool) -> bool {
        let seen =
            |waiting: &[Waiting]| waiting.iter().filter(|waiting| matches!(waiting.stage, Stage::Revealed(..))).count();
        let before = seen(&self.waiting);
        self.waiting.retain(keep);
        seen(&self.waiting) < before
    }

    fn may_begin(&mut self, now: UnixMillis) -> bool {
        if now.0.abs_diff(self.window_ms) >= BEGIN_WINDOW_MS {
            self.window_ms = now.0;
            self.begun = 0;
        }
        self.begun = self.begun.saturating_add(1);
        self.begun <= MAX_BEGUN
    }
}

impl Waiting {
    fn lasts(&self, now: UnixMillis) -> bool {
        now.0.abs_diff(self.since.0) < WAITING_MS && now.0.abs_diff(self.heard.0) < UNHEARD_MS
    }

    fn shown(&self) -> Option<JoinRequest> {
        let Stage::Revealed(_, words) = &self.stage else { return None };
        Some(JoinRequest { name: self.name.clone(), key: self.key, words: words.clone(), since: self.since })
    }
}

#[cfg(test)]
mod tests;
