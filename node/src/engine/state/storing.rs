//! Records on their way to the store, and what follows once they are there.

use std::collections::BTreeMap;

use muster_keys::PublicKey;
use muster_roles::GroupId;

use super::{Batch, State, sync_effects};
use crate::engine::holes::HoleNews;
use crate::engine::io::{Effect, Notice};
use crate::engine::late::Ready;
use crate::engine::policy::Permitted;
use crate::engine::store::{Fate, Stored};
use crate::engine::sync::{SessionId, SyncId};
use crate::engine::time::UnixMillis;

impl State {
    pub(super) fn append(&mut self, records: Vec<Permitted>, session: Option<(SessionId, bool)>) -> Option<Effect> {
        if records.is_empty() {
            return None;
        }
        let is_own = records.iter().any(Permitted::is_own);
        self.own_appending += usize::from(is_own);
        self.appending.push_back(Batch { left: records.len(), new: 0, is_own, session });
        Some(Effect::Append(records))
    }

    pub(super) fn on_committed(&mut self, records: &[(Permitted, Fate)], now: UnixMillis) -> Vec<Effect> {
        let mut names: BTreeMap<&GroupId, Vec<SyncId>> = BTreeMap::new();
        let (mut effects, mut noted) = (Vec::new(), Vec::new());
        let by_session: Vec<bool> = self.sources().take(records.len()).collect();
        for ((record, fate), by_session) in records.iter().zip(by_session) {
            if *fate == Fate::New {
                let header = record.frame().header();
                self.carried.count(&header.group, record.frame().bytes().len());
                names.entry(&header.group).or_default().push(SyncId::new(header.time, &record.frame().id()));
                self.holes.note(header);
                // What this member may not read, or has no key for, is carried for others and shown to nobody.
                let stored = Stored::from(record);
                let Ok(opened) = self.reader().open(&stored) else { continue };
                noted.extend(self.note_content(&stored, &opened, now));
                if !header.kind.is_message() {
                    continue;
                }
                let row = self.reader().row_of(&stored, opened);
                if by_session {
                    self.late.push(row);
                } else {
                    let is_unheard = self.is_unheard(row.group());
                    effects.extend(self.unsent.stored(row, is_unheard).map(Effect::Show));
                }
            }
        }
        // What a message changes is told after the message.
        effects.extend(noted);
        for (group, names) in names {
            self.sync.stored(group, names);
        }
        effects.extend(self.carried.check().map(Effect::Shed));
        for (_, fate) in records {
            effects.extend(self.settle(usize::from(*fate == Fate::New)));
        }
        effects.extend(self.make_waiting_posts(now));
        effects
    }

    /// Tells of each record that is being stored whether a session brought it, in the order of the store's answers.
    fn sources(&self) -> impl Iterator<Item = bool> {
        self.appending.iter().flat_map(|batch| std::iter::repeat_n(batch.session.is_some(), batch.left))
    }

    /// Shows what synchronisation has brought, once it is at rest or has taken too long.
    pub(super) fn show_late(&mut self, now: UnixMillis) -> Vec<Effect> {
        let Ready { late, fresh } = self.late.take(self.sync.is_at_rest(), self.joined, now);
        let late = (!late.is_empty()).then_some(Effect::ShowLate(late));
        late.into_iter().chain(fresh.into_iter().map(Effect::Show)).collect()
    }

    /// Tells what is missing of whose messages, unless it is just being fetched.
    pub(super) fn report_holes(&mut self, now: UnixMillis) -> Vec<Effect> {
        if !self.sync.is_at_rest() {
            return Vec::new();
        }
        let roster = &self.roster;
        let notice = |(group, key, news): (GroupId, PublicKey, HoleNews)| {
            let author = roster.member(&key)?.name;
            Some(Effect::Notice(match news {
                HoleNews::Missing(count) => Notice::Missing { group, author, count },
                HoleNews::Arrived(count) => Notice::Arrived { group, author, count },
            }))
        };
        self.holes.report(now).into_iter().filter_map(notice).collect()
    }

    pub(super) fn on_commit_failed(&mut self, records: &[Permitted], now: UnixMillis) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !std::mem::replace(&mut self.store_failed, true) {
            effects.push(Effect::Notice(Notice::StoreFailed));
        }
        for record in records {
            let header = record.frame().header();
            self.unsent.forget(&header.group, [&SyncId::new(header.time, &record.frame().id())]);
            effects.extend(self.settle(0));
        }
        effects.extend(self.make_waiting_posts(now));
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
        let Some(Batch { new, is_own, session, .. }) = self.appending.pop_front() else { return Vec::new() };
        self.own_appending -= usize::from(is_own);
        let mut effects = match session {
            Some((session, last)) => sync_effects(self.sync.brought(session, new, last)),
            None => Vec::new(),
        };
        self.meeting.values_mut().for_each(|left| *left -= 1);
        let ready: Vec<PublicKey> =
            self.meeting.extract_if(.., |_, left| *left == 0).map(|(member, _)| member).collect();
        for member in ready {
            effects.extend(sync_effects(self.sync.meet(&self.me, member)));
        }
        effects
    }

    /// A member has come, or can hear now what is forwarded: it is compared with, to find what passed by before.
    ///
    /// What is just being stored is waited for, for only what is stored is compared.
    pub(super) fn meet(&mut self, member: PublicKey) -> Vec<Effect> {
        if self.appending.is_empty() {
            return sync_effects(self.sync.meet(&self.me, member));
        }
        self.meeting.insert(member, self.appending.len());
        Vec::new()
    }
}
