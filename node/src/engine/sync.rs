//! Synchronisation: two nodes compare what they hold, and the one that lacks something asks for exactly that.
//!
//! Gossip is fast and may lose; this is what makes delivery certain. The comparing is range-based set reconciliation
//! (Meyer, "Range-Based Set Reconciliation", 2023) by the `negentropy` crate, one set a group, over the week that is
//! kept. The side that opened the stream leads: it compares every group until it knows what either side lacks, then
//! asks for what it lacks itself, newest first. What the other side lacks it tells it, and that leads a session in its
//! turn. A node leads one session at a time, so it never asks two members for the same record. Nothing of a session
//! need survive it: after a break the next one compares anew, and what has arrived is not missing.

mod early;
mod frame;
mod index;
mod patience;
mod schedule;
mod session;
mod sums;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use muster_keys::PublicKey;
use muster_roles::{GroupId, Timestamp};

use self::early::Early;
pub use self::frame::{Frame, FrameError, MAX_FRAME_LEN, MAX_WANTED};
pub use self::index::{Index, SyncId};
use self::patience::Patience;
use self::session::{Broken, Session, Step};
use super::floors::Floors;
use super::store::RETENTION_MS;
use super::time::{MAX_AHEAD_MS, UnixMillis};
use super::unsent::Unsent;

/// Sessions under way at once, led and followed together: each may hold a few MiB.
pub const MAX_SESSIONS: usize = 8;

/// Records younger than this are left to gossip, which is still carrying them.
const GOSSIP_LEAD_MS: u64 = 2000;

/// After so long a session that breaks without anything said is no accident of the moment.
const MUTE_MS: u64 = 5_000;

/// Names that were refused and are not asked for again, a group: what a hostile member could make a node ask for.
const MAX_REFUSED: usize = 4096;

/// Names one session; the network side gives it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What a session wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncEffect {
    /// Read the names of all stored records of a group, and hand them in.
    Index(GroupId),
    /// Open a stream to this member; answered by an opened session, or by nothing.
    Open(PublicKey),
    /// Send a frame.
    Send(SessionId, Vec<u8>),
    /// Read these records from the store, newest first, and hand them in; those that are gone are left out.
    Load(SessionId, GroupId, Vec<SyncId>),
    /// Decode these records and check their signatures, on as many cores as there are, then hand them in.
    Verify {
        /// The session.
        session: SessionId,
        /// The group they are said to belong to.
        group: GroupId,
        /// The records, as they came.
        records: Vec<Vec<u8>>,
        /// Whether they end an answer.
        last: bool,
    },
    /// End the session.
    Close(SessionId),
}

/// Every session, what is waiting to become one, and what each group holds.
#[derive(Debug, Default)]
pub(super) struct Sync {
    indexes: BTreeMap<GroupId, Index>,
    /// Groups whose stored records have been counted in.
    indexed: BTreeSet<GroupId>,
    sessions: BTreeMap<SessionId, Open>,
    /// The members that are there, and since when.
    connected: BTreeMap<PublicKey, UnixMillis>,
    /// Members to compare with as soon as there is room.
    due: VecDeque<PublicKey>,
    /// Members to compare with at a later time: those that came lately, and those where something was lost.
    later: BTreeMap<PublicKey, UnixMillis>,
    /// The member to whom a stream is being opened.
    opening: Option<PublicKey>,
    refused: BTreeMap<GroupId, Refused>,
    /// What has been taken out of a group before it was counted in: its names may have been read before.
    withdrawn: BTreeMap<GroupId, BTreeSet<SyncId>>,
    patience: Patience,
    /// What comparing has found somebody else to have, of records that nobody else was known to have.
    found: Vec<(PublicKey, GroupId, BTreeSet<SyncId>)>,
    next_round: Option<UnixMillis>,
    early: Early,
}

/// A session and who is at its other end.
#[derive(Debug)]
struct Open {
    peer: PublicKey,
    session: Session,
    /// Records that it has brought and that were not here before.
    brought: usize,
    /// When it began.
    opened: UnixMillis,
    /// When it was last seen to get on.
    got_on: UnixMillis,
    /// Whether it has got on since then.
    is_moving: bool,
}

#[derive(Debug, Default)]
struct Refused {
    names: BTreeSet<SyncId>,
}

impl Sync {
    /// Sets which groups' records are carried; the others are neither compared nor taken.
    pub(super) fn carry(&mut self, groups: impl IntoIterator<Item = GroupId>) -> Vec<SyncEffect> {
        let groups: BTreeSet<GroupId> = groups.into_iter().collect();
        self.indexes.retain(|group, _| groups.contains(group));
        self.indexed.retain(|group| groups.contains(group));
        self.withdrawn.retain(|group, _| groups.contains(group));
        let new: Vec<GroupId> = groups.into_iter().filter(|group| !self.indexes.contains_key(group)).collect();
        for group in &new {
            self.indexes.insert(group.clone(), Index::default());
        }
        let mut effects: Vec<SyncEffect> = new.into_iter().map(SyncEffect::Index).collect();
        effects.extend(self.answer_early());
        effects
    }

    /// Takes in the names of what the store held of a group when the node started.
    pub(super) fn indexed(&mut self, group: &GroupId, mut names: Vec<SyncId>) -> Vec<SyncEffect> {
        if let Some(withdrawn) = self.withdrawn.remove(group) {
            names.retain(|name| !withdrawn.contains(name));
        }
        if let Some(index) = self.indexes.get_mut(group) {
            index.fill(names);
        }
        self.indexed.insert(group.clone());
        let mut effects = self.answer_early();
        effects.extend(self.open_due());
        effects
    }

    /// Answers what was asked about groups before they were counted in, or given up.
    fn answer_early(&mut self) -> Vec<SyncEffect> {
        let mut early = std::mem::take(&mut self.early);
        let ready = early.take(|group| self.can_speak_of(group));
        self.early = early;
        ready.into_iter().flat_map(|(id, question)| self.on_frame(id, Ok(question))).collect()
    }

    /// Takes in the names of records that have been stored.
    pub(super) fn stored(&mut self, group: &GroupId, names: impl IntoIterator<Item = SyncId>) {
        if let Some(index) = self.indexes.get_mut(group) {
            index.extend(names);
        }
    }

    /// Forgets what is older than the week, or was refused by a roster that is not in force any more.
    pub(super) fn prune(&mut self, before: Timestamp) {
        self.indexes.values_mut().for_each(|index| index.prune(before));
        for refused in self.refused.values_mut() {
            refused.names.retain(|name| name.time() >= before);
        }
    }

    /// Sets how far back each group is kept, and compared; what is beyond that is asked for no more.
    pub(super) fn set_floors(&mut self, floors: impl Fn(&GroupId) -> Floors) {
        for (group, index) in &mut self.indexes {
            index.set_floors(floors(group));
        }
        for open in self.sessions.values_mut() {
            open.session.narrow(&self.indexes);
        }
    }

    /// Forgets what the store has dropped of all groups but the member's own.
    pub(super) fn dropped(&mut self, before: &Floors, is_own: impl Fn(&GroupId) -> bool) {
        for (_, index) in self.indexes.iter_mut().filter(|(group, _)| !is_own(group)) {
            index.retain(|name| before.keep_name(name));
        }
    }

    /// Takes records out that a newer roster forbids.
    pub(super) fn withdraw(&mut self, group: &GroupId, removed: &BTreeSet<SyncId>) {
        if let Some(index) = self.indexes.get_mut(group) {
            index.retain(|name| !removed.contains(name));
            if !self.indexed.contains(group) {
                self.withdrawn.entry(group.clone()).or_default().extend(removed);
            }
        }
    }

    /// Asks anew for what was refused: a newer roster may permit it.
    pub(super) fn ask_anew(&mut self) {
        self.refused.clear();
    }

    /// Remembers records that were asked for in vain: they came, and were not permitted.
    pub(super) fn refuse(&mut self, group: &GroupId, name: SyncId) {
        let refused = self.refused.entry(group.clone()).or_default();
        refused.names.insert(name);
        if refused.names.len() > MAX_REFUSED {
            refused.names.pop_first();
        }
    }

    /// Tells whether a record is stored.
    pub(super) fn contains(&self, group: &GroupId, name: &SyncId) -> bool {
        self.indexes.get(group).is_some_and(|index| index.contains(name))
    }

    /// Tells whether nothing is being fetched, nor about to be.
    pub(super) fn is_at_rest(&self) -> bool {
        self.due.is_empty() && self.opening.is_none() && !self.is_leading()
    }

    /// Returns the members that are connected.
    pub(super) fn connected(&self) -> BTreeSet<PublicKey> {
        self.connected.keys().copied().collect()
    }

    /// Returns who is at the other end of a session.
    pub(super) fn peer(&self, id: SessionId) -> Option<PublicKey> {
        self.sessions.get(&id).map(|open| open.peer)
    }

    /// Tells whether no member is connected.
    pub(super) fn is_alone(&self) -> bool {
        self.connected.is_empty()
    }

    fn is_leading(&self) -> bool {
        self.sessions.values().any(|open| open.session.is_leading())
    }

    /// A stream is open: one that this side asked for, or one that the member opened. It may open one before it is known
    /// here that it is connected: the two ends learn of that one after the other.
    pub(super) fn opened(
        &mut self,
        id: SessionId,
        peer: PublicKey,
        leading: bool,
        me: &PublicKey,
        (now, present): (UnixMillis, UnixMillis),
        unsent: &Unsent,
    ) -> Vec<SyncEffect> {
        if leading && self.opening == Some(peer) {
            self.opening = None;
        }
        if leading && !self.connected.contains_key(&peer) {
            // The member went while the stream was being opened.
            return vec![SyncEffect::Close(id)];
        }
        let window = window(present, self.is_meeting(&peer, now));
        let mut effects = Vec::new();
        // Where both sides open at once, the one that the lower key leads goes on.
        let other = self.sessions.iter().find(|(_, open)| open.peer == peer).map(|(id, _)| *id);
        if let Some(other) = other {
            let goes_on = leading == (*me < peer);
            let was_leading = self.sessions.get(&other).is_some_and(|open| open.session.is_leading());
            // Only the side that gives way tries again: if both did, they would open at once again, and so for ever.
            let gives_way = if goes_on { was_leading } else { leading };
            if gives_way {
                self.try_again(peer, now);
            }
            if goes_on {
                effects.extend(self.close(other));
            } else {
                return vec![SyncEffect::Close(id)];
            }
        }
        if self.sessions.len() >= MAX_SESSIONS {
            effects.extend(self.make_room(now));
        }
        if self.sessions.len() >= MAX_SESSIONS {
            if leading {
                self.try_again(peer, now);
            }
            effects.push(SyncEffect::Close(id));
            return effects;
        }
        let session = if leading { Session::lead(&self.indexes, window, unsent) } else { Session::follow() };
        let open = Open { peer, session, brought: 0, opened: now, got_on: now, is_moving: false };
        self.sessions.insert(id, open);
        if leading {
            self.indexes.values_mut().for_each(Index::settle);
            effects.extend(self.step(id, |session, indexes, _| session.compare_all(indexes)));
        }
        effects
    }

    /// A frame came in.
    pub(super) fn frame(&mut self, id: SessionId, bytes: &[u8]) -> Vec<SyncEffect> {
        match Frame::decode(bytes) {
            Ok(Frame::Compare { group, from, to, round }) if !self.can_speak_of(&group) => {
                if self.sessions.contains_key(&id) {
                    self.early.keep(id, group.clone(), Frame::Compare { group, from, to, round });
                }
                Vec::new()
            }
            frame => self.on_frame(id, frame),
        }
    }

    /// Tells whether all that is stored of a group is known, or the group is not carried.
    fn can_speak_of(&self, group: &GroupId) -> bool {
        self.indexed.contains(group) || !self.indexes.contains_key(group)
    }

    fn on_frame(&mut self, id: SessionId, frame: Result<Frame, FrameError>) -> Vec<SyncEffect> {
        if let Ok(Frame::Compare { group, .. } | Frame::Compared { group, .. } | Frame::Since { group, .. }) = &frame
            && let Some(index) = self.indexes.get_mut(group)
        {
            index.settle();
        }
        self.step(id, |session, indexes, refused| {
            session.on_frame(frame?, indexes, |group, name| {
                refused.get(group).is_some_and(|refused| refused.names.contains(name))
            })
        })
    }

    /// Returns what comparing has found somebody else to have since this was last asked.
    pub(super) fn take_found(&mut self) -> Vec<(PublicKey, GroupId, BTreeSet<SyncId>)> {
        std::mem::take(&mut self.found)
    }

    /// Records that [`SyncEffect::Load`] asked for.
    pub(super) fn loaded(&mut self, id: SessionId, group: &GroupId, records: Vec<Vec<u8>>) -> Vec<SyncEffect> {
        self.step(id, |session, _, _| session.on_loaded(group, records))
    }

    /// Records that came in a session have been stored, as far as they were permitted; `new` of them were not here.
    pub(super) fn brought(&mut self, id: SessionId, new: usize, last: bool) -> Vec<SyncEffect> {
        if let Some(open) = self.sessions.get_mut(&id) {
            open.brought += new;
            open.is_moving |= new > 0;
        }
        self.step(id, |session, _, _| session.on_stored(last))
    }

    /// A session's stream is closed: by the other side, or by a break, and if this side led it, before it was done.
    pub(super) fn closed(&mut self, id: SessionId, now: UnixMillis) -> Vec<SyncEffect> {
        let ended = self.sessions.remove(&id);
        self.early.forget(id);
        if let Some(open) = ended.as_ref().filter(|open| open.session.is_leading()) {
            let has_said = open.is_moving || open.got_on != open.opened || open.brought > 0;
            if !has_said && now.0.abs_diff(open.opened.0) >= MUTE_MS {
                self.came_to_nothing(open.peer, now);
            } else {
                self.try_again(open.peer, now);
            }
        }
        self.after(ended)
    }

    /// What a session brought is new to the other members too: they are told by comparing with them.
    fn after(&mut self, ended: Option<Open>) -> Vec<SyncEffect> {
        match ended {
            Some(open) if open.brought > 0 => {
                tracing::info!(peer = %open.peer, brought = open.brought, "synchronised");
                self.wish_others(&open.peer)
            }
            _ => self.open_due(),
        }
    }

    /// Ends a session from this side.
    pub(super) fn close(&mut self, id: SessionId) -> Vec<SyncEffect> {
        let Some(ended) = self.sessions.remove(&id) else { return Vec::new() };
        self.early.forget(id);
        let mut effects = vec![SyncEffect::Close(id)];
        effects.extend(self.after(Some(ended)));
        effects
    }

    fn step(
        &mut self,
        id: SessionId,
        act: impl FnOnce(&mut Session, &BTreeMap<GroupId, Index>, &BTreeMap<GroupId, Refused>) -> Result<Vec<Step>, Broken>,
    ) -> Vec<SyncEffect> {
        let Some(open) = self.sessions.get_mut(&id) else { return Vec::new() };
        let (peer, learned) = (open.peer, open.session.learned());
        let done = act(&mut open.session, &self.indexes, &self.refused);
        open.is_moving |= open.session.learned() != learned;
        match done {
            Ok(steps) => {
                let mut effects = Vec::with_capacity(steps.len());
                for step in steps {
                    match step {
                        Step::Send(frame) => effects.push(SyncEffect::Send(id, frame.encode())),
                        Step::Load(group, names) => effects.push(SyncEffect::Load(id, group, names)),
                        Step::Verify { group, records, last } => {
                            effects.push(SyncEffect::Verify { session: id, group, records, last });
                        }
                        Step::Held(group, names) => self.found.push((peer, group, names)),
                        Step::Wish => effects.extend(self.wish(peer)),
                        Step::Finish => {
                            self.patience.restore(&peer);
                            effects.extend(self.close(id));
                        }
                    }
                }
                effects
            }
            Err(reason) => {
                tracing::debug!(%peer, %reason, "sync session ended");
                self.close(id)
            }
        }
    }
}

/// The times that a session started now compares: the week that is kept, and unless the two are just meeting, less what
/// gossip is still carrying.
fn window(present: UnixMillis, is_meeting: bool) -> (Timestamp, Timestamp) {
    let from = Timestamp::from_ms(present.0.saturating_sub(RETENTION_MS));
    let to = if is_meeting { present.0.saturating_add(MAX_AHEAD_MS) } else { present.0.saturating_sub(GOSSIP_LEAD_MS) };
    (from, Timestamp::from_ms(to))
}
