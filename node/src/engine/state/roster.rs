//! Roster documents, a peer's or one's own: accepted, kept for later, or refused; and what a new roster changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_keys::PublicKey;
use muster_roles::{Accepted, EPOCH_MS, Member, MemberName, Refusal, Role, Roster, Signer, overdue_groups};

use super::{MAX_EARLY_DOCUMENTS, State};
use crate::engine::change::{Change, ChangeError, Wanted};
use crate::engine::io::{Effect, JoinTicket, Notice, RequestId};
use crate::engine::join::{JoinAnswer, JoinAsk};
use crate::engine::time::UnixMillis;

/// How often it is looked whether an epoch is old enough to be ended, in milliseconds.
const AGEING_INTERVAL_MS: u64 = 5 * 60 * 1000;

/// Documents that admit one member: a leader takes a charter and a sheet.
const MAX_DOCUMENTS_A_CHANGE: usize = 2;

/// Comings and goings that one change of the roster is told by; of more only how many members there are.
const MAX_MEMBER_NEWS: usize = 6;

impl State {
    pub(super) fn on_documents(&mut self, documents: Vec<Vec<u8>>, now: UnixMillis) -> Vec<Effect> {
        let present = self.clock.present(now);
        let mut roster = Roster::clone(&self.roster);
        let (mut changed, mut reserved) = (false, false);
        for document in documents {
            match roster.accept(&document, present) {
                Ok(Accepted::Known) => {}
                Ok(_) => changed = true,
                Err(Refusal::FromTheFuture { .. }) => self.keep_for_later(document),
                Err(refusal) => {
                    tracing::debug!(%refusal, "roster document refused");
                    reserved |= matches!(refusal, Refusal::NotYetJudgeable | Refusal::Superseded);
                }
            }
        }
        let clashes = self.clashes(&mut roster);
        let mut effects = match (changed, reserved) {
            (true, _) => self.on_roster(roster, now),
            (false, true) => {
                // What is in reserve may come into force with a document still to come.
                self.roster = Arc::new(roster);
                Vec::new()
            }
            (false, false) => Vec::new(),
        };
        effects.extend(clashes);
        effects
    }

    /// What is lost to documents made apart, where this member has signed one of them.
    fn clashes(&self, roster: &mut Roster) -> Vec<Effect> {
        let clashes = roster.take_clashes().into_iter().filter(|clash| clash.concerns(&self.me));
        clashes.map(|clash| Effect::Notice(Notice::Clash(clash))).collect()
    }

    fn keep_for_later(&mut self, document: Vec<u8>) {
        if self.early_documents.len() < MAX_EARLY_DOCUMENTS && !self.early_documents.contains(&document) {
            self.early_documents.push(document);
        }
    }

    pub(super) fn on_change(&mut self, request: Option<RequestId>, change: Change, now: UnixMillis) -> Vec<Effect> {
        match self.changes.push(Wanted { request, change }) {
            Ok(()) => self.make_changes(now),
            Err(wanted) => not_changed(wanted.request, ChangeError::Busy),
        }
    }

    /// Ends epochs that are old, where it is this member's turn to.
    pub(super) fn end_old_epochs(&mut self, now: UnixMillis) -> Vec<Effect> {
        let looked = self.aged.is_some_and(|last| now.0.abs_diff(last.0) < AGEING_INTERVAL_MS);
        // Alone, with a clock that nobody has confirmed, an epoch may only seem old.
        if looked || !self.may_admit() || !self.unit_time.is_confirmed() {
            return Vec::new();
        }
        self.aged = Some(now);
        self.on_change(None, Change::RekeyDue, now)
    }

    /// Says once a day which keys are old, to those whose signatures it takes to replace them.
    pub(super) fn tell_old_keys(&mut self, now: UnixMillis) -> Option<Effect> {
        let told = self.told_old_keys.is_some_and(|last| now.0.abs_diff(last.0) < EPOCH_MS);
        if told || !self.unit_time.is_confirmed() || !self.roster.charter().authority().keys().contains(&self.me) {
            return None;
        }
        let groups = overdue_groups(&self.roster, self.clock.present(now));
        if groups.is_empty() {
            return None;
        }
        self.told_old_keys = Some(now);
        Some(Effect::Notice(Notice::KeysOld { groups }))
    }

    /// Has the next change signed, or takes it in where it is signed already.
    fn make_changes(&mut self, now: UnixMillis) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(wanted) = self.changes.next() {
            match &wanted.change {
                Change::Adopt(documents) => {
                    let documents = documents.clone();
                    effects.extend(self.adopt(wanted.request, &documents, now));
                }
                change => {
                    let (roster, present) = (self.roster.clone(), self.clock.present(now));
                    effects.push(Effect::Sign { change: change.clone(), roster, now: present });
                    self.changes.signing = Some(wanted);
                }
            }
        }
        effects
    }

    pub(super) fn on_signed(
        &mut self,
        result: Result<Vec<Vec<u8>>, muster_roles::EditError>,
        now: UnixMillis,
    ) -> Vec<Effect> {
        let Some(wanted) = self.changes.signing.take() else { return Vec::new() };
        let mut effects = match result {
            Ok(documents) => self.adopt(wanted.request, &documents, now),
            Err(error) => not_changed(wanted.request, error.into()),
        };
        effects.extend(self.make_changes(now));
        effects
    }

    /// Takes in documents of this member's own, all or none: they have to pass like anybody's.
    fn adopt(&mut self, request: Option<RequestId>, documents: &[Vec<u8>], now: UnixMillis) -> Vec<Effect> {
        let present = self.clock.present(now);
        let before = self.roster.clone();
        let mut roster = Roster::clone(&before);
        let mut changed = false;
        for document in documents {
            match roster.accept(document, present) {
                Ok(accepted) => changed |= accepted != Accepted::Known,
                Err(refusal) => return not_changed(request, refusal.into()),
            }
        }
        let mut effects = if changed { self.on_roster(roster, now) } else { Vec::new() };
        effects.extend(request.map(|request| Effect::Changed { request, before, roster: self.roster.clone() }));
        effects
    }

    /// Lets go of documents older than the week, and with them of the group keys that no record needs any more.
    pub(super) fn prune_roster(&mut self, now: UnixMillis) -> Vec<Effect> {
        let mut roster = Roster::clone(&self.roster);
        roster.prune(self.clock.present(now));
        if roster.digest() == self.roster.digest() {
            return Vec::new();
        }
        self.roster = Arc::new(roster);
        self.keyring = self.roster.open_keys(&self.identity);
        vec![Effect::RosterChanged(self.roster.clone())]
    }

    fn on_roster(&mut self, roster: Roster, now: UnixMillis) -> Vec<Effect> {
        let before = std::mem::replace(&mut self.roster, Arc::new(roster));
        self.clock.raise(self.roster.issued());
        self.keyring = self.roster.open_keys(&self.identity);
        self.limiter.retain(|author| self.roster.member(author).is_some());
        self.beacons.retain(|member| self.roster.member(member).is_some());
        self.sync.ask_anew();
        // What two have changed apart may leave a key with somebody who may not read.
        self.aged = None;
        let mut effects = vec![Effect::RosterChanged(self.roster.clone())];
        effects.extend(self.start());
        effects.extend(self.roster_news(&before).into_iter().map(Effect::Notice));
        effects.extend(self.settle_requests(now));
        effects.extend(self.judge_held(now));
        effects
    }

    /// Says what a person should know of a new roster.
    fn roster_news(&self, before: &Roster) -> Vec<Notice> {
        let was_member = before.member(&self.me).is_some();
        if self.roster.member(&self.me).is_none() {
            let removal = self.roster.removed(&self.me);
            let (by, at) = removal.map_or((Vec::new(), None), |removal| (names(removal.by), Some(removal.at)));
            return if was_member { vec![Notice::NoLongerMember { by, at }] } else { Vec::new() };
        }
        let mut news = self.comings_and_goings(before);
        if news.len() > MAX_MEMBER_NEWS {
            news.clear();
        }
        if self.roster.version() != before.version() {
            let members = self.members();
            news.push(Notice::RosterUpdated { version: self.roster.version(), members });
        }
        news
    }

    fn comings_and_goings(&self, before: &Roster) -> Vec<Notice> {
        // Of several changes that come at once, the last one's signer need not be who has admitted somebody.
        let had = before.documents().map(|(id, _)| id).collect();
        let is_one_change = self.roster.missing_from(&had).len() <= MAX_DOCUMENTS_A_CHANGE;
        let [was, is] = [before, &self.roster].map(Roster::members);
        let [by_key, by_key_now] = [&was, &is].map(|members| by_key(members));
        let gone = was.iter().filter(|member| !by_key_now.contains_key(&member.key));
        let come = is.iter().filter(|member| by_key.get(&member.key) != Some(member));
        let removed = |member: &Member| {
            let removal = self.roster.removed(&member.key);
            let at = removal.as_ref().map_or(self.roster.issued(), |removal| removal.at);
            Notice::Removed {
                name: member.name.clone(),
                by: removal.map_or(Vec::new(), |removal| names(removal.by)),
                at,
            }
        };
        let admitted = |member: &Member| {
            let by = if is_one_change { names(self.roster.listed_by(&member.key)) } else { Vec::new() };
            Notice::Admitted { name: member.name.clone(), role: member.role.clone(), by }
        };
        gone.map(removed).chain(come.map(admitted)).collect()
    }

    pub(super) fn on_join(&mut self, ticket: JoinTicket, key: PublicKey, ask: JoinAsk, now: UnixMillis) -> Vec<Effect> {
        let answer = |answer| Effect::JoinAnswer { ticket, answer };
        if !self.may_admit() {
            return vec![answer(JoinAnswer::Refused)];
        }
        let unit = self.roster.unit();
        match ask {
            JoinAsk::Begin { name, commitment, nonce } => {
                vec![answer(self.requests.begin(unit, key, name, (commitment, nonce), now))]
            }
            JoinAsk::Reveal { nonce } => {
                let (reply, asked) = self.requests.reveal(unit, &self.me, &key, &nonce, now);
                let told = asked.map(|request| {
                    [Effect::Notice(Notice::JoinAsked(request)), Effect::JoinRequests(self.requests.list(now))]
                });
                std::iter::once(answer(reply)).chain(told.into_iter().flatten()).collect()
            }
        }
    }

    pub(super) fn on_dismiss(&mut self, key: &PublicKey, now: UnixMillis) -> Vec<Effect> {
        let forgotten = self.requests.forget(key);
        forgotten.then(|| Effect::JoinRequests(self.requests.list(now))).into_iter().collect()
    }

    /// Whether this member may admit anybody: only then is it told of devices that ask.
    fn may_admit(&self) -> bool {
        let role = self.roster.member(&self.me).map(|member| member.role);
        matches!(role, Some(Role::Commander | Role::Leader(_)))
    }

    /// Forgets the requests of those who have come to be members, whoever has admitted them.
    fn settle_requests(&mut self, now: UnixMillis) -> Option<Effect> {
        let roster = &self.roster;
        let may_admit = self.may_admit();
        let settled = self.requests.retain(|key| may_admit && roster.member(key).is_none());
        settled.then(|| Effect::JoinRequests(self.requests.list(now)))
    }
}

fn by_key(members: &[Member]) -> BTreeMap<PublicKey, &Member> {
    members.iter().map(|member| (member.key, member)).collect()
}

fn names(signers: Vec<Signer>) -> Vec<MemberName> {
    signers.into_iter().filter_map(|signer| signer.name).collect()
}

fn not_changed(request: Option<RequestId>, reason: ChangeError) -> Vec<Effect> {
    match request {
        Some(request) => vec![Effect::NotChanged { request, reason }],
        None => {
            tracing::warn!(%reason, "the roster was not changed");
            Vec::new()
        }
    }
}
