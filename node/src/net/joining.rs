//! Strangers that ask to be let in: their questions go to the engine, its answers back to them.
//!
//! Asking makes nobody more than a stranger: the connection has its ten seconds and its few requests, and whoever waits
//! longer connects again.

use std::collections::BTreeMap;

use libp2p::request_response::ResponseChannel;
use muster_keys::PublicKey;
use muster_roles::{Commitment, JoinNonce, MemberName};

use super::Event;
use super::task::Task;
use crate::engine::hello::{self, Response};
use crate::engine::io::JoinTicket;
use crate::engine::join::{JoinAnswer, JoinAsk};

/// Questions that the engine has not answered yet: those that all strangers together can have asked at once.
const MAX_UNANSWERED: usize = 64;

/// The questions that the engine has not answered yet.
#[derive(Default)]
pub(crate) struct Joining {
    unanswered: BTreeMap<JoinTicket, ResponseChannel<Response>>,
    last: u64,
}

impl Joining {
    fn issue(&mut self, channel: ResponseChannel<Response>) -> Result<JoinTicket, ResponseChannel<Response>> {
        // A stranger that has gone wants no answer any more.
        self.unanswered.retain(|_, channel| channel.is_open());
        if self.unanswered.len() >= MAX_UNANSWERED {
            return Err(channel);
        }
        self.last = self.last.wrapping_add(1);
        let ticket = JoinTicket(self.last);
        self.unanswered.insert(ticket, channel);
        Ok(ticket)
    }
}

impl Task {
    /// Takes in that a device would like to join under a name.
    pub(super) fn on_join(
        &mut self,
        key: PublicKey,
        name: MemberName,
        commitment: Commitment,
        channel: ResponseChannel<Response>,
    ) {
        match JoinNonce::generate() {
            Ok(nonce) => self.on_join_ask(key, JoinAsk::Begin { name, commitment, nonce }, channel),
            Err(error) => {
                tracing::error!(%error, "no random numbers");
                self.respond(channel, Response::Refused);
            }
        }
    }

    /// Answers a device that asks to join: a member of this roster with the roster, others as the engine decides.
    pub(super) fn on_join_ask(&mut self, key: PublicKey, ask: JoinAsk, channel: ResponseChannel<Response>) {
        if self.roster.member(&key).is_some() {
            let documents = hello::answer_fetch(&self.roster, &key, &Default::default());
            return self.respond(channel, documents);
        }
        match self.joining.issue(channel) {
            Ok(ticket) => self.reports.tell(Event::Join { ticket, key, ask }),
            Err(channel) => self.respond(channel, Response::Refused),
        }
    }

    /// Hands an answer on.
    pub(super) fn on_join_answer(&mut self, ticket: JoinTicket, answer: JoinAnswer) {
        let Some(channel) = self.joining.unanswered.remove(&ticket) else { return };
        self.respond(
            channel,
            match answer {
                JoinAnswer::Waiting { unit, nonce } => Response::Waiting { unit, nonce },
                JoinAnswer::Refused => Response::Refused,
            },
        );
    }
}
