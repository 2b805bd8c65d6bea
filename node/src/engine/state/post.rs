//! One's own messages: made, signed, and handed to the store and the outbox.

use std::collections::BTreeSet;

use muster_roles::{GroupId, Precedence};

use super::confirming::short_name;
use super::{MAX_APPENDING, State};
use crate::engine::content::{Content, MAX_TEXT_LEN};
use crate::engine::draft::Draft;
use crate::engine::io::{Effect, PostError, RequestId};
use crate::engine::policy::{Permitted, permit_record};
use crate::engine::seal;
use crate::engine::time::UnixMillis;
use crate::engine::verify::{Unsigned, Verified};
use crate::engine::wire::{Header, Kind, MAX_TOGETHER};

/// A post that is yet to become a record.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) request: RequestId,
    pub(super) group: GroupId,
    pub(super) draft: Draft,
    pub(super) nonce: [u8; 24],
}

impl State {
    /// Makes a record of a post at once, or soon: what comes while the last ones are being committed waits for that, and for
    /// the group's next gossip message if one is under way, and is then made, signed and committed together, so that in a
    /// busy moment one signature serves for many. What is urgent, and as many as are signed together, wait for nothing.
    pub(super) fn on_post(&mut self, post: Post, now: UnixMillis) -> Vec<Effect> {
        let is_urgent = post.draft.precedence > Precedence::Routine;
        self.posts.push(post);
        let may_wait = self.own_appending > 0 && !is_urgent && self.posts.len() < MAX_TOGETHER;
        if may_wait { Vec::new() } else { self.make_posts(now) }
    }

    /// Makes the posts that have waited, if they need not wait any longer.
    pub(super) fn make_waiting_posts(&mut self, now: UnixMillis) -> Vec<Effect> {
        let must_wait = self.own_appending > 0 || self.posts.iter().any(|post| self.outbox.is_under_way(&post.group));
        if must_wait { Vec::new() } else { self.make_posts(now) }
    }

    /// Makes records of all posts that wait.
    pub(super) fn make_posts(&mut self, now: UnixMillis) -> Vec<Effect> {
        let (mut effects, mut requests, mut unsigned) = (Vec::new(), Vec::new(), Vec::new());
        for post in std::mem::take(&mut self.posts) {
            match self.post(&post, now) {
                Ok(record) => {
                    requests.push(post.request);
                    unsigned.push(record);
                }
                Err(reason) => effects.push(Effect::Refused { request: post.request, reason }),
            }
        }
        if unsigned.is_empty() {
            return effects;
        }
        match self.sign(&unsigned, now) {
            Ok(records) => effects.extend(self.send_off(&requests, records)),
            Err(reason) => {
                let refused = |request| Effect::Refused { request, reason: reason.clone() };
                effects.extend(requests.into_iter().map(refused));
            }
        }
        effects
    }

    /// Hands records of one's own to gossip and to the store; they are answered for in the order of their requests.
    fn send_off(&mut self, requests: &[RequestId], records: Vec<Permitted>) -> Vec<Effect> {
        let (mut effects, mut groups) = (Vec::new(), BTreeSet::new());
        for (request, record) in requests.iter().zip(&records) {
            let frame = record.frame();
            let (group, time) = (frame.header().group.clone(), frame.header().time);
            effects.push(Effect::Made { request: *request, group: group.clone(), time, id: frame.id() });
            self.unsent.insert(frame);
            // Gossip may hand it over before it is stored.
            self.follow(frame);
            effects.extend(self.enqueue(frame));
            groups.insert(group);
        }
        // First on their way, then to the disk: the others have further to go.
        effects.extend(groups.iter().filter_map(|group| self.publish(group)));
        effects.extend(self.append(records.into_iter().map(Permitted::into_own).collect(), None));
        effects
    }

    /// Sees whether a post may be made, and seals it.
    fn post(&mut self, post: &Post, now: UnixMillis) -> Result<Unsigned, PostError> {
        let Post { group, draft, nonce, .. } = post;
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
        let record = self.seal(&header, &content, nonce)?;
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

    /// Seals a record of one's own, if the roster allows it.
    pub(super) fn seal(&self, header: &Header, content: &Content, nonce: &[u8; 24]) -> Result<Unsigned, PostError> {
        permit_record(&self.roster, header).map_err(PostError::Denied)?;
        let current = self.keyring.current(&header.group).filter(|(epoch, _)| *epoch == header.epoch);
        let (_, key) = current.ok_or_else(|| PostError::NoKey { group: header.group.clone() })?;
        let body = seal::seal(key, header, nonce, content).map_err(|_| PostError::Seal)?;
        Ok(Unsigned::new(header, nonce, &body))
    }

    /// Signs records of one's own together, and asks of each whether the roster allows it.
    pub(super) fn sign(&self, unsigned: &[Unsigned], now: UnixMillis) -> Result<Vec<Permitted>, PostError> {
        let records = Verified::sign(&self.identity, unsigned).map_err(|_| PostError::Seal)?;
        let judge = |record: Verified| {
            // For measuring, as where others' records are judged: what is published is published from here on.
            tracing::trace!(target: "muster::verified", id = %record.frame().id());
            Permitted::judge(record, &self.roster, now.0)
        };
        records.into_iter().map(|record| judge(record).map_err(|denied| PostError::Denied(denied.denial))).collect()
    }
}
