//! One's own messages: made, signed, stored and sent on their way.

use muster_roles::{GroupId, permit};

use super::{MAX_APPENDING, State, sync_effects};
use crate::engine::io::{Effect, PostError, PublishOutcome, RequestId};
use crate::engine::policy::Permitted;
use crate::engine::seal::{self, MAX_TEXT_LEN};
use crate::engine::time::UnixMillis;
use crate::engine::verify::Verified;
use crate::engine::wire::{Header, Kind};

impl State {
    pub(super) fn on_post(
        &mut self,
        request: RequestId,
        group: &GroupId,
        text: &str,
        nonce: &[u8; 24],
        now: UnixMillis,
    ) -> Vec<Effect> {
        match self.post(group, text, nonce, now) {
            Ok(record) => {
                self.outbox.push(group, record.frame().bytes().clone());
                let append = self.append(vec![record], None);
                append.into_iter().chain(self.publish(group)).collect()
            }
            Err(reason) => vec![Effect::Refused { request, reason }],
        }
    }

    fn post(&mut self, group: &GroupId, text: &str, nonce: &[u8; 24], now: UnixMillis) -> Result<Permitted, PostError> {
        if self.store_failed {
            return Err(PostError::StoreFailed);
        }
        if self.appending() >= MAX_APPENDING {
            return Err(PostError::Busy);
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(PostError::Empty);
        }
        if text.len() > MAX_TEXT_LEN {
            return Err(PostError::TooLong { len: text.len(), max: MAX_TEXT_LEN });
        }
        let time = self.clock.stamp(now);
        permit(&self.roster.at(time), &self.me, group).map_err(PostError::Denied)?;
        let cited = self.roster.versions_for(group);
        let no_key = || PostError::NoKey { group: group.clone() };
        let key = self.keyring.get(group, cited.epoch).ok_or_else(no_key)?;
        let seq = self.last_seq.get(group).copied().unwrap_or(0).saturating_add(1);
        let header = Header {
            unit: self.roster.unit(),
            kind: Kind::Text,
            group: group.clone(),
            author: self.me,
            seq,
            time,
            charter_version: cited.charter_version,
            sheet_version: cited.sheet_version,
            epoch: cited.epoch,
        };
        let body = seal::seal(key, &header, nonce, text).map_err(|_| PostError::Seal)?;
        let record = Verified::sign(&self.identity, &header, nonce, &body).map_err(|_| PostError::Seal)?;
        let record =
            Permitted::judge(record, &self.roster, now.0).map_err(|denied| PostError::Denied(denied.denial))?;
        self.last_seq.insert(group.clone(), seq);
        Ok(record)
    }

    /// What some queues dropped did not reach everyone: the members that may lack it are compared with.
    pub(super) fn on_published(&mut self, group: &GroupId, outcome: PublishOutcome) -> Vec<Effect> {
        self.outbox.answered(group, outcome);
        let mut effects: Vec<Effect> = self.publish(group).into_iter().collect();
        if outcome == PublishOutcome::Dropped {
            effects.extend(sync_effects(self.sync.wish_all(None)));
        }
        effects
    }

    pub(super) fn publish(&mut self, group: &GroupId) -> Option<Effect> {
        let message = self.outbox.next_message(group)?;
        Some(Effect::Publish { group: group.clone(), message })
    }
}
