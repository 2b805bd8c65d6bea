//! What follows from a stored record's content: what is confirmed, delivered, ordered and answered.

use std::collections::{BTreeMap, BTreeSet};

use muster_keys::PublicKey;
use muster_roles::{GroupId, MemberName, Roster};
use sha2::{Digest, Sha256};

use super::State;
use crate::engine::confirmed::KeyPrefix;
use crate::engine::content::{About, Content};
use crate::engine::delivery::Progress;
use crate::engine::draft::Draft;
use crate::engine::io::{Effect, Notice, PostError};
use crate::engine::order::Order;
use crate::engine::readers::{ordered, readers};
use crate::engine::recall::{Recall, Recalled};
use crate::engine::receipts::MAX_RECEIPT_READERS;
use crate::engine::store::Stored;
use crate::engine::sync::SyncId;
use crate::engine::time::UnixMillis;
use crate::engine::view::Opened;
use crate::engine::wire::{Frame, Header, Kind, Rank, RecordId};

/// Keeps the nonces of receipts from being any other hash.
const NONCE_DOMAIN: &[u8] = b"muster receipt nonce 1";

impl State {
    /// Takes in a record that has just been stored, and that this member may read.
    pub(super) fn note_content(&mut self, stored: &Stored, opened: &Opened, now: UnixMillis) -> Vec<Effect> {
        let frame = stored.frame();
        let header = frame.header();
        let is_mine = header.author == self.me;
        let mut effects = Vec::new();
        if is_mine {
            self.follow(frame);
        } else {
            let runs: Vec<_> = opened.content.confirmed.runs_of(&self.me).copied().collect();
            let changed = self.deliveries.confirm(&header.group, &header.author, runs, name_of(&self.roster));
            effects.extend(progress(&header.group, changed));
            self.note_received(frame, now);
        }
        match header.kind {
            Kind::Order => effects.extend(self.note_order(stored, opened.clone())),
            Kind::Answer => {
                let answer = Recalled::of(stored, opened.clone(), &self.reader());
                effects.extend(answer.and_then(|answer| self.note_answer(answer)).map(Effect::Order));
            }
            Kind::Text | Kind::Receipt => {}
        }
        effects
    }

    /// Follows how far a message of one's own comes.
    pub(super) fn follow(&mut self, frame: &Frame) {
        let header = frame.header();
        match header.kind {
            Kind::Text | Kind::Order => {
                self.deliveries.follow(frame, self.confirming(header));
            }
            Kind::Receipt => self.receipts.learn_count(&header.group, header.seq),
            Kind::Answer => {}
        }
    }

    /// Returns who is to confirm a message of one's own; nobody where a crowd reads it and it is no order.
    fn confirming(&self, header: &Header) -> Vec<PublicKey> {
        let standing = self.roster.at(header.time);
        let is_crowd = standing.count(|role| role.may_read(&header.group)) > MAX_RECEIPT_READERS + 1;
        if is_crowd && header.kind != Kind::Order {
            return Vec::new();
        }
        let readers = readers(&self.roster, &header.group, header.time, &self.me);
        readers.into_iter().map(|reader| reader.key).collect()
    }

    /// Notes that a message of somebody else's is to be confirmed.
    fn note_received(&mut self, frame: &Frame, now: UnixMillis) {
        let header = frame.header();
        let is_order = header.kind == Kind::Order;
        let is_confirmed = match header.kind {
            Kind::Text => self.others_reading(&header.group) <= MAX_RECEIPT_READERS,
            Kind::Order => true,
            Kind::Answer | Kind::Receipt => false,
        };
        if is_confirmed {
            let is_urgent = is_order || header.rank() >= Rank::Immediate;
            self.receipts.received(&header.group, header.author, header.seq, is_urgent, now);
        }
    }

    /// Returns how many members read a group beside any author in it.
    fn others_reading(&self, group: &GroupId) -> usize {
        self.readers.get(group).copied().unwrap_or_default().saturating_sub(1)
    }

    /// Counts who reads the groups that this member reads; wanted whenever the roster changes.
    pub(super) fn count_readers(&mut self, groups: &[GroupId]) {
        let standing = self.roster.current();
        let count = |group: &GroupId| standing.count(|role| role.may_read(group));
        self.readers = groups.iter().map(|group| (group.clone(), count(group))).collect();
        self.receipts.watch(groups);
    }

    fn note_order(&mut self, stored: &Stored, opened: Opened) -> Option<Effect> {
        let (row, header) = (self.reader().row_of(stored, opened), stored.frame().header());
        let ordered = ordered(&self.roster, &header.group, header.time, &header.author);
        self.orders.insert(row, ordered).map(Effect::Order)
    }

    fn note_answer(&mut self, Recalled { group, id, of, answered }: Recalled) -> Option<Order> {
        self.orders.answer(&group, id, of, answered)
    }

    /// Sees that an answer answers an order that somebody else has given.
    pub(super) fn check_answer(&self, group: &GroupId, draft: &Draft) -> Result<(), PostError> {
        match draft.about() {
            Some(About::Acknowledged(of) | About::Cannot(of)) if !self.orders.is_to_answer(group, &of) => {
                Err(PostError::NoOrder)
            }
            _ => Ok(()),
        }
    }

    /// Takes in what the store held of a group when the node started.
    pub(super) fn on_recalled(&mut self, group: &GroupId, recall: Recall, now: UnixMillis) -> Vec<Effect> {
        self.holes.counted(group, recall.tally);
        let is_crowd = self.others_reading(group) > MAX_RECEIPT_READERS;
        self.receipts.recall(group, recall.told, is_crowd, now);
        recall.own.values().for_each(|frame| self.follow(frame));
        for (member, runs) in recall.confirmed {
            self.deliveries.confirm(group, &member, runs.iter(), name_of(&self.roster));
        }
        // Each is told once, as it stands after all its answers.
        let mut told = BTreeMap::new();
        for row in recall.orders {
            let author = self.roster.at(row.time()).find(row.author().as_str()).map(|member| member.key);
            let Some(giver) = author else { continue };
            let ordered = ordered(&self.roster, group, row.time(), &giver);
            told.extend(self.orders.insert(row, ordered).map(|order| (order.place(), order)));
        }
        for answer in recall.answers {
            told.extend(self.note_answer(answer).map(|order| (order.place(), order)));
        }
        told.into_values().map(Effect::Order).collect()
    }

    /// Confirms what is due, with a receipt of its own.
    pub(super) fn confirm_due(&mut self, now: UnixMillis, random: u64) -> Vec<Effect> {
        if self.store_failed {
            return Vec::new();
        }
        let readers = &self.readers;
        let due = self.receipts.due(now, |group| readers.get(group).copied().unwrap_or_default());
        due.into_iter().flat_map(|group| self.confirm(&group, now, random)).collect()
    }

    fn confirm(&mut self, group: &GroupId, now: UnixMillis, random: u64) -> Vec<Effect> {
        if !self.has_key(group) {
            return Vec::new();
        }
        let roster = &self.roster;
        let taken = self.receipts.take(group, |author| short_name(roster, author), now);
        let Some((count, confirmed)) = taken else { return Vec::new() };
        let header = self.head(group, Kind::Receipt, count, now);
        let content = Content { confirmed, ..Content::text("") };
        // No two receipts have one header, so no two have one nonce; the random number is for a device that was restored.
        let hash = Sha256::new_with_prefix(NONCE_DOMAIN).chain_update(random.to_be_bytes());
        let hash: [u8; 32] = hash.chain_update(header.associated_data()).finalize().into();
        let mut nonce = [0; 24];
        nonce.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        let sealed = self.seal(&header, &content, &nonce);
        let records = match sealed.and_then(|record| self.sign(&[record], now)) {
            Ok(records) => records,
            Err(reason) => {
                // What is not confirmed now is once the node has been started again.
                tracing::debug!(%group, %reason, "no receipt");
                return Vec::new();
            }
        };
        for record in &records {
            let name = SyncId::new(header.time, &record.frame().id());
            // Nobody waits for a receipt: where nobody listens, synchronisation brings it.
            self.outbox.relay(group, name, record.frame().bytes().clone());
        }
        let append = self.append(records, None);
        append.into_iter().chain(self.publish(group)).collect()
    }

    /// Tells whether this member can seal what it says in a group.
    pub(super) fn has_key(&self, group: &GroupId) -> bool {
        self.keyring.current(group).is_some()
    }

    /// Reminds of orders that have waited too long for an answer.
    pub(super) fn remind(&mut self, now: UnixMillis) -> Vec<Effect> {
        let notice = |order: Order| {
            Effect::Notice(match order.is_mine_to_answer {
                true => Notice::OrderWaits { group: order.row.group().clone(), giver: order.row.author().clone() },
                false => Notice::OrderUnanswered { group: order.row.group().clone(), missing: order.missing },
            })
        };
        self.orders.remind(now).into_iter().map(notice).collect()
    }

    /// Members have been handed these records.
    pub(super) fn on_handed<'a>(
        &mut self,
        group: &GroupId,
        names: impl IntoIterator<Item = &'a SyncId>,
        to: &BTreeSet<PublicKey>,
    ) -> Vec<Effect> {
        let changed = self.deliveries.handed(group, names, to, name_of(&self.roster));
        progress(group, changed).into_iter().collect()
    }

    /// Tells how far a message of this member has come that somebody has; `None` where it is not followed any more.
    #[must_use]
    pub fn progress(&self, group: &GroupId, id: &RecordId) -> Option<Progress> {
        self.deliveries.progress(group, id, name_of(&self.roster))
    }

    /// Returns the orders of the week, the oldest first.
    pub fn orders(&self) -> impl Iterator<Item = Order> {
        self.orders.all()
    }
}

/// Tells how far messages have come, if any has come further.
fn progress(group: &GroupId, changes: Vec<(RecordId, Progress)>) -> Option<Effect> {
    (!changes.is_empty()).then(|| Effect::Progress { group: group.clone(), changes })
}

fn name_of(roster: &Roster) -> impl Fn(&PublicKey) -> Option<MemberName> {
    |key| roster.member(key).map(|member| member.name)
}

/// Names a member by as much of its key as no other member's begins with.
pub(super) fn short_name(roster: &Roster, member: &PublicKey) -> KeyPrefix {
    KeyPrefix::of(member, &roster.current().keys_beside(member))
}
