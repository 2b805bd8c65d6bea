//! Others' records, by gossip and by sessions: judged, and handed to the store.

use muster_roles::GroupId;

use super::{MAX_APPENDING, State, sync_effects};
use crate::engine::io::{Effect, GossipHandle, Verdict};
use crate::engine::policy::{Permitted, check_time};
use crate::engine::sync::{SessionId, SyncId};
use crate::engine::time::UnixMillis;
use crate::engine::verify::Verified;
use crate::engine::wire::{self, Frame, Header};

/// Why a received record is not to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is here, or held until a newer roster explains it.
    Known,
    /// It is of no use now, and its bearer may have done right.
    Useless,
    /// It was never right for anyone.
    Invalid,
}

/// Which way a record came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Gossip,
    Session,
}

impl State {
    pub(super) fn on_gossip(
        &mut self,
        handle: GossipHandle,
        group: &GroupId,
        bytes: &[u8],
        now: UnixMillis,
    ) -> Vec<Effect> {
        let (verdict, permitted) = self.judge_message(group, bytes, now);
        let mut effects = vec![Effect::Verdict { handle, verdict }];
        effects.extend(self.append(permitted, None));
        effects
    }

    /// Judges every record of a gossip message. It is forwarded as a whole or not at all, so its verdict is the worst
    /// of its records'; what is good in it is kept in any case.
    fn judge_message(&mut self, group: &GroupId, bytes: &[u8], now: UnixMillis) -> (Verdict, Vec<Permitted>) {
        let Ok(frames) = wire::decode_batch(bytes) else { return (Verdict::Reject, Vec::new()) };
        if frames.iter().any(|frame| frame.header().group != *group) {
            return (Verdict::Reject, Vec::new());
        }
        if self.store_failed || self.appending() + frames.len() > MAX_APPENDING {
            return (Verdict::Ignore, Vec::new());
        }
        let (mut rejected, mut ignored) = (false, false);
        let mut permitted = Vec::with_capacity(frames.len());
        for frame in frames {
            match self.judge_record(frame, now) {
                Ok(record) => permitted.push(record),
                Err(Unfit::Known) => {}
                Err(Unfit::Useless) => ignored = true,
                Err(Unfit::Invalid) => rejected = true,
            }
        }
        let verdict = match (rejected, ignored || permitted.is_empty()) {
            (true, _) => Verdict::Reject,
            (false, true) => Verdict::Ignore,
            (false, false) => Verdict::Accept,
        };
        (verdict, permitted)
    }

    fn judge_record(&mut self, frame: Frame, now: UnixMillis) -> Result<Permitted, Unfit> {
        if self.recent.contains(&frame.id()) {
            return Err(Unfit::Known);
        }
        if !self.is_timely(frame.header(), now) {
            return Err(Unfit::Useless);
        }
        let Ok(record) = Verified::check(frame, self.roster.unit()) else {
            return Err(Unfit::Invalid);
        };
        self.judge_verified(record, now, Source::Gossip)
    }

    pub(super) fn judge_verified(
        &mut self,
        record: Verified,
        now: UnixMillis,
        source: Source,
    ) -> Result<Permitted, Unfit> {
        let header = record.frame().header();
        if !self.roster.holds(&header.group, header.charter_version, header.sheet_version) {
            self.held.hold(record);
            // It may be asked for again: a newer roster may come, or what is held be pushed out.
            return Err(if source == Source::Session { Unfit::Known } else { Unfit::Useless });
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
        if header.author == self.me {
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
        header.time >= self.carried.floor(&header.group)
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
        for record in records {
            let frame = record.frame();
            let name = SyncId::new(frame.header().time, &frame.id());
            if self.sync.contains(group, &name) {
                continue;
            }
            match self.judge_brought(record, now) {
                Ok(record) => permitted.push(record),
                Err(Unfit::Useless | Unfit::Invalid) => self.sync.refuse(group, name),
                Err(Unfit::Known) => {}
            }
        }
        match self.append(permitted, Some((session, last))) {
            Some(append) => vec![append],
            None => sync_effects(self.sync.brought(session, 0, last)),
        }
    }

    /// As [`State::judge_record`], but for a session's records: the session bounds them, not their authors' buckets.
    fn judge_brought(&mut self, record: Verified, now: UnixMillis) -> Result<Permitted, Unfit> {
        if !self.is_timely(record.frame().header(), now) {
            return Err(Unfit::Useless);
        }
        self.judge_verified(record, now, Source::Session)
    }
}
