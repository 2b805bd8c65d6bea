//! One's own messages: made, signed, and handed to the store and the outbox.

use muster_roles::{GroupId, Precedence};

use super::confirming::short_name;
use super::{MAX_APPENDING, State};
use crate::engine::content::{Content, MAX_TEXT_LEN};
use crate::engine::draft::Draft;
use crate::engine::io::{Effect, PostError, RequestId};
use crate::engine::policy::{Permitted, permit_record};
use crate::engine::seal;
use crate::engine::time::UnixMillis;
use crate::engine::verify::Verified;
use crate::engine::wire::{Header, Kind};

impl State {
    pub(super) fn on_post(
        &mut self,
        request: RequestId,
        group: &GroupId,
        draft: &Draft,
        nonce: &[u8; 24],
        now: UnixMillis,
    ) -> Vec<Effect> {
        match self.post(group, draft, nonce, now) {
            Ok(record) => {
                let frame = record.frame();
                let made = Effect::Made { request, group: group.clone(), time: frame.header().time, id: frame.id() };
                self.unsent.insert(frame);
                // Gossip may hand it over before it is stored.
                self.follow(frame);
                let left_out = self.enqueue(frame);
                // First on its way, then to the disk: the others have further to go.
                let published = self.publish(group);
                let append = self.append(vec![record.into_own()], None);
                std::iter::once(made).chain(left_out).chain(published).chain(append).collect()
            }
            Err(reason) => vec![Effect::Refused { request, reason }],
        }
    }

    fn post(
        &mut self,
        group: &GroupId,
        draft: &Draft,
        nonce: &[u8; 24],
        now: UnixMillis,
    ) -> Result<Permitted, PostError> {
        if self.store_failed {
            return Err(PostError::StoreFailed);
        }
        if self.appending() >= MAX_APPENDING {
            return Err(PostError::Busy);
        }
        let text = draft.text.trim();
        if text.is_empty() && !draft.may_be_empty() {
            return Err(PostError::Empty);
        }
        if text.len() > MAX_TEXT_LEN {
            return Err(PostError::TooLong { len: text.len(), max: MAX_TEXT_LEN });
        }
        self.check_answer(group, draft)?;
        let seq = self.last_seq.get(group).copied().unwrap_or(0).saturating_add(1);
        let header = Header { precedence: draft.precedence, ..self.head(group, draft.kind(), seq, now) };
        // Asked before anything is taken out of what is to be confirmed: a refused message confirms nothing.
        permit_record(&self.roster, &header).map_err(PostError::Denied)?;
        if !self.has_key(group) {
            return Err(PostError::NoKey { group: group.clone() });
        }
        let roster = &self.roster;
        let confirmed = self.receipts.take_along(group, |author| short_name(roster, author), now);
        let content = Content { about: draft.about(), confirmed, ..Content::text(text) };
        let record = self.make(&header, &content, nonce, now)?;
        self.last_seq.insert(group.clone(), seq);
        Ok(record)
    }

    /// Begins a routine record of one's own.
    pub(super) fn head(&mut self, group: &GroupId, kind: Kind, seq: u64, now: UnixMillis) -> Header {
        let cited = self.roster.versions_for(group);
        Header {
            unit: self.roster.unit(),
            kind,
            precedence: Precedence::Routine,
            group: group.clone(),
            author: self.me,
            seq,
            time: self.clock.stamp(now),
            charter_version: cited.charter_version,
            sheet_version: cited.sheet_version,
            epoch: cited.epoch,
        }
    }

    /// Seals and signs a record of one's own, if the roster allows it.
    pub(super) fn make(
        &self,
        header: &Header,
        content: &Content,
        nonce: &[u8; 24],
        now: UnixMillis,
    ) -> Result<Permitted, PostError> {
        permit_record(&self.roster, header).map_err(PostError::Denied)?;
        let current = self.keyring.current(&header.group).filter(|(epoch, _)| *epoch == header.epoch);
        let (_, key) = current.ok_or_else(|| PostError::NoKey { group: header.group.clone() })?;
        let body = seal::seal(key, header, nonce, content).map_err(|_| PostError::Seal)?;
        let record = Verified::sign(&self.identity, header, nonce, &body).map_err(|_| PostError::Seal)?;
        Permitted::judge(record, &self.roster, now.0).map_err(|denied| PostError::Denied(denied.denial))
    }
}
