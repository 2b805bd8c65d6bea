//! One's own records on their way to others: who has them, and what the screen and the store are told of it.

use std::collections::BTreeSet;

use muster_keys::PublicKey;
use muster_roles::GroupId;

use super::{State, sync_effects};
use crate::engine::io::{Effect, Notice, PublishOutcome};
use crate::engine::policy::Permitted;
use crate::engine::store::Stored;
use crate::engine::sync::{SessionId, SyncEffect, SyncId};
use crate::engine::time::UnixMillis;
use crate::engine::wire::Frame;

/// Records no older than this are gossip's business still, whichever way they have come; in milliseconds.
const RELAY_MS: u64 = 10_000;

impl State {
    /// Takes in a record that already waited when the node was last stopped.
    pub(super) fn wait_on(&mut self, stored: &Stored) {
        self.unsent.restore(stored.frame());
        // What gives way in the outbox is shown as waiting already.
        let _shown = self.enqueue(stored.frame());
    }

    /// Puts a record into the outbox; what gives way to it there waits for synchronisation.
    pub(super) fn enqueue(&mut self, frame: &Frame) -> Vec<Effect> {
        let header = frame.header();
        let name = SyncId::new(header.time, &frame.id());
        match self.outbox.push(&header.group, name, frame.bytes().clone()) {
            Some((group, name)) => self.unsent.astray(&group, &[name]).into_iter().map(Effect::Show).collect(),
            None => Vec::new(),
        }
    }

    /// Takes in a young record of somebody else's that came beside gossip, to be published too: whoever is further on
    /// hears of it as soon as of any other. What gossip has carried already, it does not carry twice.
    ///
    /// Others' rates hold here as well, so that no member can have more carried this way than by gossip.
    pub(super) fn relay(&mut self, record: &Permitted, now: UnixMillis) {
        let header = record.frame().header();
        if header.time.ms() >= now.0.saturating_sub(RELAY_MS) && self.limiter.admit(&header.author, now) {
            let name = SyncId::new(header.time, &record.frame().id());
            self.outbox.relay(&header.group, name, record.frame().bytes().clone());
        }
    }

    pub(super) fn publish(&mut self, group: &GroupId) -> Option<Effect> {
        let message = self.outbox.next_message(group)?;
        Some(Effect::Publish { group: group.clone(), message })
    }

    pub(super) fn on_published(&mut self, group: &GroupId, outcome: PublishOutcome, now: UnixMillis) -> Vec<Effect> {
        let names = self.outbox.answered(group, outcome);
        let mut effects: Vec<Effect> = match outcome {
            PublishOutcome::Sent => {
                let to = self.sync.connected();
                let shown = self.on_sent(group, &names);
                shown.into_iter().chain(self.on_handed(group, &names, &to)).collect()
            }
            PublishOutcome::NobodyListens if self.is_unheard(group) => {
                self.unsent.unheard(group).into_iter().map(Effect::Show).collect()
            }
            // A member has just come: in a moment it is known to what it listens.
            PublishOutcome::NobodyListens => Vec::new(),
            PublishOutcome::Dropped => self.unsent.astray(group, &names).into_iter().map(Effect::Show).collect(),
        };
        effects.extend(self.make_waiting_posts(now));
        effects.extend(self.publish(group));
        if outcome == PublishOutcome::Dropped {
            // It did not reach everyone: the members that may lack it are compared with.
            effects.extend(sync_effects(self.sync.lost_to_some(now)));
        }
        effects
    }

    /// Tells whether what is posted to a group waits, as far as gossip goes.
    pub(super) fn is_unheard(&self, group: &GroupId) -> bool {
        (self.sync.is_alone() && self.outbox.is_lonely(group)) || self.outbox.is_forsaken(group)
    }

    /// Comparing may show that a member has what nobody else was known to have.
    pub(super) fn on_frame(&mut self, session: SessionId, bytes: &[u8]) -> Vec<Effect> {
        let mut effects = sync_effects(self.sync.frame(session, bytes));
        for (peer, group, names) in self.sync.take_found() {
            effects.extend(self.on_sent(&group, &names));
            effects.extend(self.on_handed(&group, &names, &[peer].into()));
        }
        effects
    }

    /// A member is given what it asked for.
    pub(super) fn on_loaded(&mut self, session: SessionId, group: &GroupId, records: Vec<Vec<u8>>) -> Vec<Effect> {
        let waiting = self.unsent.among(group, &records);
        let mut effects = sync_effects(self.sync.loaded(session, group, records));
        if effects.iter().any(|effect| matches!(effect, Effect::Sync(SyncEffect::Send(..)))) {
            effects.extend(self.on_sent(group, &waiting));
            let to: BTreeSet<PublicKey> = self.sync.peer(session).into_iter().collect();
            effects.extend(self.on_handed(group, &waiting, &to));
        }
        effects
    }

    /// Somebody has these now: what was held back is shown, and the rest is reported in a moment, all at once.
    fn on_sent<'a>(&mut self, group: &GroupId, names: impl IntoIterator<Item = &'a SyncId>) -> Vec<Effect> {
        let sent = self.unsent.sent(group, names);
        self.sent_untold += sent.told;
        if !sent.records.is_empty() {
            self.sent_unnoted.entry(group.clone()).or_default().extend(sent.records);
        }
        sent.rows.into_iter().map(Effect::Show).collect()
    }

    /// Tells the store and the screen what has been sent since they were last told; also wanted before the node ends.
    pub fn report_sent(&mut self) -> Vec<Effect> {
        let noted = std::mem::take(&mut self.sent_unnoted);
        let mut effects: Vec<Effect> =
            noted.into_iter().map(|(group, records)| Effect::Sent { group, records }).collect();
        let count = std::mem::take(&mut self.sent_untold);
        if count > 0 {
            effects.push(Effect::Notice(Notice::Sent { count }));
        }
        effects
    }
}
