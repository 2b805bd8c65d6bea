//! The engine's state and how each input changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_keys::{Identity, PublicKey};
use muster_roles::{Accepted, GroupId, Keyring, Refusal, Roster, Timestamp, permit};

use super::held::Held;
use super::io::{Effect, GossipHandle, Input, Notice, PostError, RequestId, Verdict};
use super::outbox::Outbox;
use super::policy::{Limiter, Permitted};
use super::recent::Recent;
use super::seal::{self, MAX_TEXT_LEN};
use super::store::{Fate, RETENTION_MS, Stored};
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
    appending: usize,
    store_failed: bool,
}

/// What judging one received record came to.
enum Judgement {
    Permitted(Permitted),
    Known,
    Ignored,
    Rejected,
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
            appending: 0,
            store_failed: false,
        }
    }

    /// Takes in one thing that happened at `now` and says what is to be done about it.
    pub fn handle(&mut self, input: Input, now: UnixMillis) -> Vec<Effect> {
        match input {
            Input::Post { request, group, text, nonce } => self.on_post(request, &group, &text, &nonce, now),
            Input::Gossip { handle, group, bytes } => self.on_gossip(handle, &group, &bytes, now),
            Input::Committed { records } => self.on_committed(&records),
            Input::CommitFailed { records } => self.on_commit_failed(&records),
            Input::Published { group, outcome } => {
                self.outbox.answered(&group, outcome);
                self.publish(&group).into_iter().collect()
            }
            Input::Listener { group } => {
                self.outbox.listener(&group);
                self.publish(&group).into_iter().collect()
            }
            Input::Documents { documents } => self.on_documents(documents, now),
            Input::Tick => self.on_tick(now),
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
        self.appending == 0 && self.outbox.is_empty()
    }

    /// Tells whether everything posted has been stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.appending == 0
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
                let append = self.append(vec![record]);
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
        if self.appending >= MAX_APPENDING {
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
        effects.extend(self.append(permitted));
        effects
    }

    /// Judges every record of a gossip message. It is forwarded as a whole or not at all, so its verdict is the worst
    /// of its records'; what is good in it is kept in any case.
    fn judge_message(&mut self, group: &GroupId, bytes: &[u8], now: UnixMillis) -> (Verdict, Vec<Permitted>) {
        let Ok(frames) = wire::decode_batch(bytes) else { return (Verdict::Reject, Vec::new()) };
        if frames.iter().any(|frame| frame.header().group != *group) {
            return (Verdict::Reject, Vec::new());
        }
        if self.store_failed || self.appending + frames.len() > MAX_APPENDING {
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
        self.judge_verified(record, now)
    }

    fn judge_verified(&mut self, record: Verified, now: UnixMillis) -> Judgement {
        let header = record.frame().header();
        if !self.roster.holds(&header.group, header.charter_version, header.sheet_version) {
            self.held.hold(record);
            return Judgement::Ignored;
        }
        let (author, time, id) = (header.author, header.time, record.frame().id());
        match Permitted::judge(record, &self.roster, now.0) {
            Ok(record) if self.limiter.admit(&author, now) => {
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

    fn append(&mut self, records: Vec<Permitted>) -> Option<Effect> {
        self.appending += records.len();
        (!records.is_empty()).then_some(Effect::Append(records))
    }

    fn on_committed(&mut self, records: &[(Permitted, Fate)]) -> Vec<Effect> {
        self.appending = self.appending.saturating_sub(records.len());
        let new = records.iter().filter(|(_, fate)| *fate == Fate::New);
        // What this member may not read, or has no key for, is carried for others and shown to nobody.
        new.filter_map(|(record, _)| self.reader().row(&Stored::from(record)).ok()).map(Effect::Show).collect()
    }

    fn on_commit_failed(&mut self, records: &[Permitted]) -> Vec<Effect> {
        self.appending = self.appending.saturating_sub(records.len());
        let first = !std::mem::replace(&mut self.store_failed, true);
        if first { vec![Effect::Notice(Notice::StoreFailed)] } else { Vec::new() }
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
        if self.roster.member(&self.me).is_none() {
            effects.push(Effect::Notice(Notice::NoLongerMember));
        } else if self.roster.version() != before {
            let members = self.roster.members().len();
            effects.push(Effect::Notice(Notice::RosterUpdated { version: self.roster.version(), members }));
        }
        let mut permitted = Vec::new();
        for record in self.held.release() {
            if let Judgement::Permitted(record) = self.judge_verified(record, now) {
                permitted.push(record);
            }
        }
        effects.extend(self.append(permitted));
        effects
    }

    fn on_tick(&mut self, now: UnixMillis) -> Vec<Effect> {
        let mut effects = Vec::new();
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
