//! Others' records, by gossip and by sessions: judged, and handed to the store.

use std::collections::BTreeMap;

use muster_keys::PublicKey;
use muster_roles::GroupId;

use super::{MAX_APPENDING, State, sync_effects};
use crate::engine::held::Waiting;
use crate::engine::io::{Effect, GossipHandle, Verdict};
use crate::engine::policy::{Permitted, check_time};
use crate::engine::sync::{SessionId, SyncId};
use crate::engine::time::UnixMillis;
use crate::engine::verify::Verified;
use crate::engine::wire::{self, Frame, Header};

/// Why a received record is not to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is here.
    Known,
    /// It is held until a newer roster explains it, and so is the verdict on the gossip message that brought it.
    Early,
    /// It is of no use now, and its bearer may have done right.
    Useless,
    /// It was never right for anyone.
    Invalid,
}

/// Which way a record came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Gossip(GossipHandle),
    Session,
    /// It was held since then; the message that brought it may still wait for its verdict.
    Held(Option<GossipHandle>, UnixMillis),
}

impl State {
    pub(super) fn on_gossip(
        &mut self,
        handle: GossipHandle,
        bearer: &PublicKey,
        group: &GroupId,
        bytes: &[u8],
        now: UnixMillis,
    ) -> Vec<Effect> {
        let (verdict, permitted) = self.judge_message(handle, bearer, group, bytes, now);
        let mut effects: Vec<Effect> = verdict.map(|verdict| Effect::Verdict { handle, verdict }).into_iter().collect();
        effects.extend(self.append(permitted, None));
        effects
    }

    /// Judges every record of a gossip message. It is forwarded as a whole or not at all, so its verdict is the worst
    /// of its records', and waits where one of them does; what is good in it is kept in any case.
    fn judge_message(
        &mut self,
        handle: GossipHandle,
        bearer: &PublicKey,
        group: &GroupId,
        bytes: &[u8],
        now: UnixMillis,
    ) -> (Option<Verdict>, Vec<Permitted>) {
        let Ok(frames) = wire::decode_batch(bytes) else { return (Some(Verdict::Reject), Vec::new()) };
        if frames.iter().any(|frame| frame.header().group != *group) {
            return (Some(Verdict::Reject), Vec::new());
        }
        if self.store_failed || self.appending() + frames.len() > MAX_APPENDING {
            return (Some(Verdict::Ignore), Vec::new());
        }
        let is_firsthand = frames.iter().all(|frame| frame.header().author == *bearer);
        let (mut rejected, mut ignored, mut early) = (false, false, false);
        let mut permitted = Vec::with_capacity(frames.len());
        for frame in frames {
            match self.judge_record(frame, handle, now) {
                Ok(record) => permitted.push(record),
                Err(Unfit::Known) => {}
                Err(Unfit::Early) => early = true,
                Err(Unfit::Useless) => ignored = true,
                Err(Unfit::Invalid) => rejected = true,
            }
        }
        let verdict = match (rejected, ignored || (permitted.is_empty() && !early)) {
            (true, _) => Verdict::Reject,
            (false, true) => Verdict::Ignore,
            (false, false) if early => return (None, permitted),
            (false, false) if is_firsthand => Verdict::Firsthand,
            (false, false) => Verdict::Accept,
        };
        if early {
            self.held.forget(handle);
        }
        (Some(verdict), permitted)
    }

    fn judge_record(&mut self, frame: Frame, message: GossipHandle, now: UnixMillis) -> Result<Permitted, Unfit> {
        if self.recent.contains(&frame.id()) || self.holds(&frame) {
            return Err(Unfit::Known);
        }
        // Looked at before the signature: a flood costs no more than its decoding, and what only claims to be the
        // author's takes none of its tokens.
        if !self.is_timely(frame.header(), now) || self.limiter.is_spent(&frame.header().author, now) {
            return Err(Unfit::Useless);
        }
        let Ok(record) = Verified::check(frame, self.roster.unit(), &mut self.roots) else {
            return Err(Unfit::Invalid);
        };
        self.judge_verified(record, now, Source::Gossip(message))
    }

    /// Tells whether a record is in the store, however long ago it came: what is sent anew must not take its author's
    /// tokens.
    fn holds(&self, frame: &Frame) -> bool {
        let header = frame.header();
        self.sync.contains(&header.group, &SyncId::new(header.time, &frame.id()))
    }

    pub(super) fn judge_verified(
        &mut self,
        record: Verified,
        now: UnixMillis,
        source: Source,
    ) -> Result<Permitted, Unfit> {
        let header = record.frame().header();
        if !matches!(source, Source::Held(..)) {
            // For measuring: benches/mesh reads the time of it.
            tracing::trace!(target: "muster::verified", id = %record.frame().id());
        }
        if !self.roster.holds(&header.group, header.charter_version, header.sheet_version) {
            let (message, since) = match source {
                Source::Gossip(message) => (Some(message), now),
                Source::Session => (None, now),
                Source::Held(message, since) => (message, since),
            };
            let is_verdict_held = self.held.hold(record, message, since);
            // A session may ask for it again: a newer roster may come, or what is held be pushed out.
            return Err(match source {
                Source::Session => Unfit::Known,
                _ if is_verdict_held => Unfit::Early,
                _ => Unfit::Useless,
            });
        }
        let (author, time, id) = (header.author, header.time, record.frame().id());
        match Permitted::judge(record, &self.roster, now.0) {
            Ok(record) if source == Source::Session || self.limiter.admit(&author, now) => {
                self.recent.insert(id);
                self.clock.observe(time, now);
                self.learn_own_seq(&record);
                Ok(record)
            }
            Ok(_) => Err(Unfit::Useless),
            Err(denied) => {
                tracing::debug!(%author, time_ms = time.ms(), denial = %denied.denial, "record denied");
                Err(self.judge_denied(&denied.record))
            }
        }
    }

    /// A device restored from a backup learns from the mesh how far its own count had come.
    fn learn_own_seq(&mut self, record: &Permitted) {
        let header = record.frame().header();
        if header.author == self.me && header.kind.is_message() {
            let last = self.last_seq.entry(header.group.clone()).or_default();
            *last = header.seq.max(*last);
        }
    }

    /// A record that is denied by the very documents it cites was never right for anyone: its bearer is to blame.
    /// Denied by others, the bearer may simply not have them.
    fn judge_denied(&self, record: &Verified) -> Unfit {
        let header = record.frame().header();
        let cited = self.roster.versions_for(&header.group);
        let by_its_own_documents =
            (header.charter_version, header.sheet_version) == (cited.charter_version, cited.sheet_version);
        if by_its_own_documents { Unfit::Invalid } else { Unfit::Useless }
    }

    /// Tells whether a record's time lies in what is kept of its group, and not too far ahead.
    fn is_timely(&self, header: &Header, now: UnixMillis) -> bool {
        self.carried.floors(&header.group).keep(header.time, header.rank())
            && check_time(header.time, self.clock.present(now), now).is_ok()
    }

    /// Judges records that a session has brought, like any other: the member at its other end answers for nothing.
    pub(super) fn on_brought(
        &mut self,
        session: SessionId,
        group: &GroupId,
        records: Vec<Verified>,
        forged: bool,
        last: bool,
        now: UnixMillis,
    ) -> Vec<Effect> {
        let strays = records.iter().any(|record| record.frame().header().group != *group);
        if forged || strays || self.store_failed {
            return sync_effects(self.sync.close(session));
        }
        let mut permitted = Vec::with_capacity(records.len());
        let mut effects = Vec::new();
        for record in records {
            let frame = record.frame();
            let name = SyncId::new(frame.header().time, &frame.id());
            if self.sync.contains(group, &name) {
                continue;
            }
            match self.judge_brought(record, now) {
                Ok(record) => {
                    self.relay(&record, now);
                    permitted.push(record);
                }
                Err(Unfit::Useless | Unfit::Invalid) => self.sync.refuse(group, name),
                Err(Unfit::Known | Unfit::Early) => {}
            }
        }
        match self.append(permitted, Some((session, last))) {
            Some(append) => effects.push(append),
            None => effects.extend(sync_effects(self.sync.brought(session, 0, last))),
        }
        effects.extend(self.publish(group));
        effects
    }

    /// Judges anew what was held for a newer roster, and gives the verdicts that have waited for it.
    pub(super) fn judge_held(&mut self, now: UnixMillis) -> Vec<Effect> {
        let mut permitted = Vec::new();
        let mut effects = Vec::new();
        // No verdict: it waits on.
        let mut verdicts: BTreeMap<GossipHandle, Option<Verdict>> = BTreeMap::new();
        for Waiting { record, message, since } in self.held.release() {
            let group = record.frame().header().group.clone();
            let judged = self.judge_verified(record, now, Source::Held(message, since));
            let verdict = match &judged {
                Ok(_) | Err(Unfit::Known) => Some(Verdict::Accept),
                Err(Unfit::Early) => None,
                Err(Unfit::Useless) => Some(Verdict::Ignore),
                Err(Unfit::Invalid) => Some(Verdict::Reject),
            };
            match message {
                Some(message) => {
                    let so_far = verdicts.get(&message).copied().unwrap_or(verdict);
                    verdicts.insert(message, worse(so_far, verdict));
                }
                None => {
                    if let Ok(record) = &judged {
                        self.relay(record, now);
                        effects.extend(self.publish(&group));
                    }
                }
            }
            permitted.extend(judged);
        }
        for (handle, verdict) in verdicts {
            if let Some(verdict) = verdict {
                self.held.forget(handle);
                effects.push(Effect::Verdict { handle, verdict });
            }
        }
        effects.extend(self.append(permitted, None));
        effects
    }

    /// Gives up on verdicts that have waited too long.
    pub(super) fn give_verdicts_up(&mut self, now: UnixMillis) -> Vec<Effect> {
        let overdue = self.held.overdue(now).into_iter();
        overdue.map(|handle| Effect::Verdict { handle, verdict: Verdict::Ignore }).collect()
    }

    /// As [`State::judge_record`], but for a session's records: the session bounds them, not their authors' buckets.
    fn judge_brought(&mut self, record: Verified, now: UnixMillis) -> Result<Permitted, Unfit> {
        if !self.is_timely(record.frame().header(), now) {
            return Err(Unfit::Useless);
        }
        self.judge_verified(record, now, Source::Session)
    }
}

/// Returns the worse of two verdicts on records of one message; where one waits, so does the whole, unless it is invalid.
fn worse(one: Option<Verdict>, other: Option<Verdict>) -> Option<Verdict> {
    let rank = |verdict: Option<Verdict>| match verdict {
        Some(Verdict::Accept | Verdict::Firsthand) => 0,
        Some(Verdict::Ignore) => 1,
        None => 2,
        Some(Verdict::Reject) => 3,
    };
    if rank(one) >= rank(other) { one } else { other }
}
