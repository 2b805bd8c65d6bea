//! Roster documents from peers: accepted, kept for later, or refused; and what a new roster changes.

use std::sync::Arc;

use muster_roles::{Accepted, Refusal, Roster};

use super::{MAX_EARLY_DOCUMENTS, State};
use crate::engine::io::{Effect, Notice};
use crate::engine::time::UnixMillis;

impl State {
    pub(super) fn on_documents(&mut self, documents: Vec<Vec<u8>>, now: UnixMillis) -> Vec<Effect> {
        let present = self.clock.present(now);
        let mut roster = Roster::clone(&self.roster);
        let mut changed = false;
        for document in documents {
            match roster.accept(&document, present) {
                Ok(Accepted::Known) => {}
                Ok(_) => changed = true,
                Err(Refusal::FromTheFuture { .. }) => self.keep_for_later(document),
                Err(refusal) => tracing::debug!(%refusal, "roster document refused"),
            }
        }
        if changed { self.on_roster(roster, now) } else { Vec::new() }
    }

    fn keep_for_later(&mut self, document: Vec<u8>) {
        if self.early_documents.len() < MAX_EARLY_DOCUMENTS && !self.early_documents.contains(&document) {
            self.early_documents.push(document);
        }
    }

    fn on_roster(&mut self, roster: Roster, now: UnixMillis) -> Vec<Effect> {
        let before = self.roster.version();
        self.clock.raise(roster.issued());
        self.keyring = roster.open_keys(&self.identity);
        self.limiter.retain(|author| roster.member(author).is_some());
        self.roster = Arc::new(roster);
        let mut effects = vec![Effect::RosterChanged(self.roster.clone())];
        effects.extend(self.start());
        if self.roster.member(&self.me).is_none() {
            effects.push(Effect::Notice(Notice::NoLongerMember));
        } else if self.roster.version() != before {
            let members = self.roster.members().len();
            effects.push(Effect::Notice(Notice::RosterUpdated { version: self.roster.version(), members }));
        }
        effects.extend(self.judge_held(now));
        effects
    }
}
