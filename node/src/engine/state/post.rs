//! One's own messages: made, signed, and handed to the store and the outbox.

use muster_roles::{GroupId, permit};

use super::{MAX_APPENDING, State};
use crate::engine::io::{Effect, PostError, RequestId};
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
                self.unsent.insert(record.frame());
                let left_out = self.enqueue(record.frame());
                let append = self.append(vec![record.into_own()], None);
                left_out.into_iter().chain(append).chain(self.publish(group)).collect()
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
}
