//! The engine's state and how each input changes it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use muster_keys::{Identity, PublicKey};
use muster_roles::{Accepted, GroupId, Keyring, Refusal, Roster, Timestamp, permit};

use super::held::Held;
use super::io::{Effect, GossipHandle, Input, Notice, PostError, PublishOutcome, RequestId, SyncInput, Verdict};
use super::outbox::Outbox;
use super::policy::{Carry, Limiter, Permitted};
use super::recent::Recent;
use super::seal::{self, MAX_TEXT_LEN};
use super::store::{Fate, RETENTION_MS, Stored};
use super::sync::{SessionId, Sync, SyncEffect, SyncId};
use super::time::{Clock, MAX_AHEAD_MS, UnixMillis};
use super::verify::Verified;
use super::view::Reader;
use super::wire::{self, Frame, Header, Kind};

/// Records that may wait for the store at once, 32 MiB at the very most; beyond it gossip is ignored, to come again
/// by synchronisation, and posts are refused.
const MAX_APPENDING: usize = 4096;

/// Documents from the future that are kept until their time: a charter and a few sheets.
const MAX_EARLY_DOCUMENTS: usize = 16;

/// What the engine must know of the store when it starts.
#[derive(Clone, Debug, Default)]
pub struct Boot {
    /// This member's highest `seq` in each group.
    pub last_seq: BTreeMap<GroupId, u64>,
    /// The time of the newest stored record.
    pub newest: Timestamp,
    /// Which groups' records this node carries.
    pub carry: Carry,
}

/// Everything a node knows and decides by.
#[derive(Debug)]
pub struct State {
    identity: Identity,
    me: PublicKey,
    roster: Arc<Roster>,
    keyring: Keyring,
    clock: Clock,
    last_seq: BTreeMap<GroupId, u64>,
    outbox: Outbox,
    limiter: Limiter,
    recent: Recent,
    held: Held,
    early_documents: Vec<Vec<u8>>,
    carry: Carry,
    sync: Sync,
    /// Where the records that are being stored came from, in the order in which the store answers for them.
    appending: VecDeque<Batch>,
    store_failed: bool,
}

/// Records handed to the store together.
#[derive(Debug)]
struct Batch {
    left: usize,
    new: usize,
    /// The session that brought them, and whether they end an answer in it.
    session: Option<(SessionId, bool)>,
}

/// What judging one received record came to.
enum Judgement {
    Permitted(Permitted),
    Known,
    Ignored,
    Rejected,
}

/// Which way a record came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Gossip,
    Session,
}

fn sync_effects(effects: Vec<SyncEffect>) -> Vec<Effect> {
    effects.into_iter().map(Effect::Sync).collect()
}

impl State {
    /// Starts from the roster in force and what the store holds.
    #[must_use]
    pub fn new(identity: Identity, roster: Arc<Roster>, boot: Boot) -> Self {
        let me = identity.public();
        let keyring = roster.open_keys(&identity);
        let clock = Clock::new(roster.issued().max(boot.newest));
        Self {
            identity,
            me,
            roster,
            keyring,
            clock,
            last_seq: boot.last_seq,
            outbox: Outbox::default(),
            limiter: Limiter::default(),
            recent: Recent::default(),
            held: Held::default(),
            early_documents: Vec::new(),
            carry: boot.carry,
            sync: Sync::default(),
            appending: VecDeque::new(),
            store_failed: false,
        }
    }

    /// Says what is to be done before anything has happened.
    pub fn start(&mut self) -> Vec<Effect> {
        let groups = self.carry.groups(&self.roster, &self.me);
        sync_effects(self.sync.carry(groups))
    }

    /// Takes in one thing that happened at `now` and says what is to be done about it.
    pub fn handle(&mut self, input: Input, now: UnixMillis) -> Vec<Effect> {
        match input {
            Input::Post { request, group, text, nonce } => self.on_post(request, &group, &text, &nonce, now),
            Input::Gossip { handle, group, bytes } => self.on_gossip(handle, &group, &bytes, now),
            Input::Committed { records } => self.on_committed(&records),
            Input::CommitFailed { records } => self.on_commit_failed(&records),
            Input::Published { group, outcome } => self.on_published(&group, outcome),
            Input::Listener { group } => {
                self.outbox.listener(&group);
                self.publish(&group).into_iter().collect()
            }
            Input::Documents { documents } => self.on_documents(documents, now),
            Input::MemberUp(peer) => sync_effects(self.sync.member_up(&self.me, peer)),
            Input::MemberDown(peer) => {
                self.sync.member_down(&peer);
                Vec::new()
            }
            Input::Slow(peer) => sync_effects(self.sync.wish(peer)),
            Input::Sync(input) => self.on_sync(input, now),
            Input::Tick { random } => self.on_tick(now, random),
        }
    }

    /// Returns this member's key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.me
    }

    /// Returns the roster in force.
    #[must_use]
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Returns what turns stored records into rows for this member.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        Reader { roster: &self.roster, keyring: &self.keyring, me: &self.me }
    }

    /// Tells whether everything posted has been stored and handed to somebody.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.appending.is_empty() && self.outbox.is_empty()
    }

    /// Tells whether everything posted has been stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.appending.is_empty()
    }

    fn appending(&self) -> usize {
        self.appending.iter().map(|batch| batch.left).sum()
    }

    fn on_post(
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

    fn post(
        &mut self,
        group: &GroupId,
        text: &str,
        nonce: &[u8; 24],
        now: UnixMillis,
    ) -> Result<Permitted, PostError> {
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
            Permitted::judge(record, &self.roster, now.0).map_err(|(_, denial)| PostError::Denied(denial))?;
        self.last_seq.insert(group.clone(), seq);
        Ok(record)
    }

    fn on_gossip(&mut self, handle: GossipHandle, group: &GroupId, bytes: &[u8], now: UnixMillis) -> Vec<Effect> {
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
                Judgement::Permitted(record) => permitted.push(record),
                Judgement::Known => {}
                Judgement::Ignored => ignored = true,
                Judgement::Rejected => rejected = true,
            }
        }
        let verdict = match (rejected, ignored || permitted.is_empty()) {
            (true, _) => Verdict::Reject,
            (false, true) => Verdict::Ignore,
            (false, false) => Verdict::Accept,
        };
        (verdict, permitted)
    }

    fn judge_record(&mut self, frame: Frame, now: UnixMillis) -> Judgement {
        if self.recent.contains(&frame.id()) {
            return Judgement::Known;
        }
        if !self.is_timely(frame.header().time, now) {
            return Judgement::Ignored;
        }
        let Ok(record) = Verified::check(frame, self.roster.unit()) else { return Judgement::Rejected };
        self.judge_verified(record, now, Source::Gossip)
    }

    fn judge_verified(&mut self, record: Verified, now: UnixMillis, source: Source) -> Judgement {
        let header = record.frame().header();
        if !self.roster.holds(&header.group, header.charter_version, header.sheet_version) {
            self.held.hold(record);
            // It may be asked for again: a newer roster may come, or what is held be pushed out.
            return if source == Source::Session { Judgement::Known } else { Judgement::Ignored };
        }
        let (author, time, id) = (header.author, header.time, record.frame().id());
        match Permitted::judge(record, &self.roster, now.0) {
            Ok(record) if source == Source::Session || self.limiter.admit(&author, now) => {
                self.recent.insert(id);
                self.clock.observe(time, now);
                self.learn_own_seq(&record);
                Judgement::Permitted(record)
            }
            Ok(_) => Judgement::Ignored,
            Err((record, denial)) => {
                tracing::debug!(author = %author, group = %record.frame().header().group, %denial, "record denied");
                self.judge_denied(&record)
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
    fn judge_denied(&self, record: &Verified) -> Judgement {
        let header = record.frame().header();
        let cited = self.roster.versions_for(&header.group);
        let by_its_own_documents =
            (header.charter_version, header.sheet_version) == (cited.charter_version, cited.sheet_version);
        if by_its_own_documents { Judgement::Rejected } else { Judgement::Ignored }
    }

    /// Tells whether a record's time lies in the week that is kept, and not too far ahead.
    fn is_timely(&self, time: Timestamp, now: UnixMillis) -> bool {
        let present_ms = self.clock.present(now).ms();
        time.ms() <= present_ms.saturating_add(MAX_AHEAD_MS) && time.ms() >= now.0.saturating_sub(RETENTION_MS)
    }

    fn append(&mut self, records: Vec<Permitted>, session: Option<(SessionId, bool)>) -> Option<Effect> {
        if records.is_empty() {
            return None;
        }
        self.appending.push_back(Batch { left: records.len(), new: 0, session });
        Some(Effect::Append(records))
    }

    fn on_committed(&mut self, records: &[(Permitted, Fate)]) -> Vec<Effect> {
        let mut names: BTreeMap<&GroupId, Vec<SyncId>> = BTreeMap::new();
        let mut effects = Vec::new();
        for (record, fate) in records {
            if *fate == Fate::New {
                let header = record.frame().header();
                names.entry(&header.group).or_default().push(SyncId::new(header.time, &record.frame().id()));
                // What this member may not read, or has no key for, is carried for others and shown to nobody.
                effects.extend(self.reader().row(&Stored::from(record)).ok().map(Effect::Show));
            }
        }
        for (group, names) in names {
            self.sync.stored(group, names);
        }
        for (_, fate) in records {
            effects.extend(self.settle(usize::from(*fate == Fate::New)));
        }
        effects
    }

    fn on_commit_failed(&mut self, records: &[Permitted]) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !std::mem::replace(&mut self.store_failed, true) {
            effects.push(Effect::Notice(Notice::StoreFailed));
        }
        for _ in records {
            effects.extend(self.settle(0));
        }
        effects
    }

    /// Counts off one record that the store has answered for; the session that brought it learns when its batch is done.
    fn settle(&mut self, new: usize) -> Vec<Effect> {
        let Some(batch) = self.appending.front_mut() else { return Vec::new() };
        batch.left -= 1;
        batch.new += new;
        if batch.left > 0 {
            return Vec::new();
        }
        match self.appending.pop_front() {
            Some(Batch { session: Some((session, last)), new, .. }) => {
                sync_effects(self.sync.brought(session, new, last))
            }
            _ => Vec::new(),
        }
    }

    /// What some queues dropped did not reach everyone: the members that may lack it are compared with.
    fn on_published(&mut self, group: &GroupId, outcome: PublishOutcome) -> Vec<Effect> {
        self.outbox.answered(group, outcome);
        let mut effects: Vec<Effect> = self.publish(group).into_iter().collect();
        if outcome == PublishOutcome::Dropped {
            effects.extend(sync_effects(self.sync.wish_all(None)));
        }
        effects
    }

    fn on_sync(&mut self, input: SyncInput, now: UnixMillis) -> Vec<Effect> {
        let present = UnixMillis(self.clock.present(now).ms());
        let effects = match input {
            SyncInput::Indexed { group, names } => self.sync.indexed(&group, names),
            SyncInput::Withdrawn { group, names } => {
                self.sync.rejudge(&group, &names);
                Vec::new()
            }
            SyncInput::Opened { session, peer, leading } => {
                self.sync.opened(session, peer, leading, &self.me, present)
            }
            SyncInput::NotOpened(peer) => self.sync.not_opened(&peer),
            SyncInput::Frame { session, bytes } => self.sync.frame(session, &bytes),
            SyncInput::Loaded { session, group, records } => self.sync.loaded(session, &group, records),
            SyncInput::Verified { session, group, records, forged, last } => {
                return self.on_brought(session, &group, records, forged, last, now);
            }
            SyncInput::Closed(session) => self.sync.closed(session),
        };
        sync_effects(effects)
    }

    /// Judges records that a session has brought, like any other: the member at its other end answers for nothing.
    fn on_brought(
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
                Judgement::Permitted(record) => permitted.push(record),
                Judgement::Rejected | Judgement::Ignored => self.sync.refuse(group, name),
                Judgement::Known => {}
            }
        }
        match self.append(permitted, Some((session, last))) {
            Some(append) => vec![append],
            None => sync_effects(self.sync.brought(session, 0, last)),
        }
    }

    /// As [`State::judge_record`], but for a session's records: the session bounds them, not their authors' buckets.
    fn judge_brought(&mut self, record: Verified, now: UnixMillis) -> Judgement {
        if !self.is_timely(record.frame().header().time, now) {
            return Judgement::Ignored;
        }
        self.judge_verified(record, now, Source::Session)
    }

    fn on_documents(&mut self, documents: Vec<Vec<u8>>, now: UnixMillis) -> Vec<Effect> {
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
        let mut permitted = Vec::new();
        for record in self.held.release() {
            if let Judgement::Permitted(record) = self.judge_verified(record, now, Source::Gossip) {
                permitted.push(record);
            }
        }
        effects.extend(self.append(permitted, None));
        effects
    }

    fn on_tick(&mut self, now: UnixMillis, random: u64) -> Vec<Effect> {
        self.sync.prune(Timestamp::from_ms(now.0.saturating_sub(RETENTION_MS)));
        let mut effects = sync_effects(self.sync.tick(now, random));
        if !self.early_documents.is_empty() {
            let documents = std::mem::take(&mut self.early_documents);
            effects.extend(self.on_documents(documents, now));
        }
        for group in self.outbox.retry() {
            effects.extend(self.publish(&group));
        }
        effects
    }

    fn publish(&mut self, group: &GroupId) -> Option<Effect> {
        let message = self.outbox.next_message(group)?;
        Some(Effect::Publish { group: group.clone(), message })
    }
}
