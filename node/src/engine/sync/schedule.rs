//! Whom to compare with, and when: whoever comes, somebody at random now and then, and where something was lost.

use muster_keys::PublicKey;

use super::{GOSSIP_LEAD_MS, MAX_SESSIONS, Sync, SyncEffect};
use crate::engine::time::UnixMillis;

/// So long after a member has come, what is compared with it leaves out nothing: gossip may have passed it by while it
/// came, and is not carrying that any more.
pub(super) const MEETING_MS: u64 = 5000;

/// So long after a member has come it is compared with once more, in case either end was slow to hear of the other.
pub(super) const SECOND_LOOK_MS: u64 = 1000;

/// So long after a loss, or a comparison that came to nothing, it is tried again: what gossip has lost is too young
/// before.
pub(super) const REPAIR_MS: u64 = GOSSIP_LEAD_MS + 1000;

/// At least so long passes between two rounds with a random member.
pub(super) const ROUND_MIN_MS: u64 = 30_000;

/// At most so much is added to it, so that a mesh does not beat in step.
pub(super) const ROUND_JITTER_MS: u64 = 30_000;

/// So long a session that this side leads may go on without anything learned or brought: a frame of the largest size has
/// passed even a link of 26 kbit/s twice by then.
pub(super) const STALL_MS: u64 = 20_000;

/// After so long a session gives way where others wait for its place: whatever the other side does, everybody has a turn.
/// A million names pass a link of 2 Mbit/s in half of it.
pub(super) const TURN_MS: u64 = 5 * 60_000;

impl Sync {
    /// A member is connected; the lower key of the two leads the first comparisons.
    pub(in crate::engine) fn member_up(&mut self, me: &PublicKey, peer: PublicKey, now: UnixMillis) {
        self.connected.insert(peer, now);
        if *me < peer {
            self.look_later(peer, now, SECOND_LOOK_MS);
        }
    }

    /// A member has come, or can hear now what is forwarded: what passed it by before is looked for.
    pub(in crate::engine) fn meet(&mut self, me: &PublicKey, peer: PublicKey) -> Vec<SyncEffect> {
        if *me < peer { self.wish(peer) } else { Vec::new() }
    }

    /// Gossip to a member has been lost: it is compared with at once, and again when the last of that is old enough.
    pub(in crate::engine) fn lost(&mut self, peer: PublicKey, now: UnixMillis) -> Vec<SyncEffect> {
        self.look_later(peer, now, REPAIR_MS);
        self.wish(peer)
    }

    /// Gossip to some members has been lost, and it is not known to which.
    pub(in crate::engine) fn lost_to_some(&mut self, now: UnixMillis) -> Vec<SyncEffect> {
        let members: Vec<PublicKey> = self.connected.keys().copied().collect();
        members.into_iter().flat_map(|peer| self.lost(peer, now)).collect()
    }

    /// A member is gone.
    pub(in crate::engine) fn member_down(&mut self, peer: &PublicKey) {
        self.connected.remove(peer);
        self.later.remove(peer);
        self.due.retain(|due| due != peer);
        if self.opening == Some(*peer) {
            self.opening = None;
        }
    }

    /// Compares with a member as soon as there is room; one with which a session is just beginning is compared with
    /// anyway.
    pub(super) fn wish(&mut self, peer: PublicKey) -> Vec<SyncEffect> {
        let is_there = self.connected.contains_key(&peer) || self.sessions.values().any(|open| open.peer == peer);
        if is_there && !self.patience.is_paused(&peer) && !self.due.contains(&peer) && self.opening != Some(peer) {
            self.due.push_back(peer);
        }
        self.open_due()
    }

    /// There is something new for everyone but `from`.
    pub(super) fn wish_others(&mut self, from: &PublicKey) -> Vec<SyncEffect> {
        let others: Vec<PublicKey> = self.connected.keys().filter(|peer| *peer != from).copied().collect();
        others.into_iter().flat_map(|peer| self.wish(peer)).collect()
    }

    fn look_later(&mut self, peer: PublicKey, now: UnixMillis, after_ms: u64) {
        if self.connected.contains_key(&peer) {
            self.later.insert(peer, UnixMillis(now.0.saturating_add(after_ms)));
        }
    }

    /// Compares with members that came a moment ago, and every 30 to 60 seconds with a random one; ends what does not
    /// get on.
    pub(in crate::engine) fn tick(&mut self, now: UnixMillis, random: u64) -> Vec<SyncEffect> {
        let mut effects = self.end_led(now);
        // A clock that was set back must not put anything off for long.
        let is_due = |at: &UnixMillis| *at <= now || at.0 > now.0.saturating_add(REPAIR_MS);
        let ripe: Vec<PublicKey> = self.later.extract_if(.., |_, at| is_due(at)).map(|(peer, _)| peer).collect();
        effects.extend(ripe.into_iter().flat_map(|peer| self.wish(peer)));
        effects.extend(self.round(now, random));
        effects
    }

    /// Ends the session that this side leads if it has stalled, or has had its turn while others wait.
    fn end_led(&mut self, now: UnixMillis) -> Vec<SyncEffect> {
        self.patience.tick(now);
        let Some((id, open)) = self.sessions.iter_mut().find(|(_, open)| open.session.is_leading()) else {
            return Vec::new();
        };
        if std::mem::take(&mut open.is_moving) {
            open.got_on = now;
        }
        let (id, peer) = (*id, open.peer);
        if now.0.abs_diff(open.got_on.0) >= STALL_MS {
            tracing::warn!(%peer, "synchronisation does not get on, and goes on with others");
            self.came_to_nothing(peer, now);
            return self.close(id);
        }
        if now.0.abs_diff(open.opened.0) >= TURN_MS && self.due.iter().any(|due| *due != peer) {
            if !self.due.contains(&peer) {
                self.due.push_back(peer);
            }
            return self.close(id);
        }
        Vec::new()
    }

    /// A session that this side led has come to nothing: it is led again in a moment, unless that happens every time.
    pub(super) fn came_to_nothing(&mut self, peer: PublicKey, now: UnixMillis) {
        if self.patience.fail(peer, now) {
            self.due.retain(|due| *due != peer);
        } else {
            self.try_again(peer, now);
        }
    }

    /// Makes room for a session, if there is one that has had its turn at following.
    pub(super) fn make_room(&mut self, now: UnixMillis) -> Vec<SyncEffect> {
        let followed = self.sessions.iter().filter(|(_, open)| !open.session.is_leading());
        let oldest =
            followed.max_by_key(|(_, open)| now.0.abs_diff(open.opened.0)).map(|(id, open)| (*id, open.opened));
        match oldest {
            Some((id, opened)) if now.0.abs_diff(opened.0) >= TURN_MS => self.close(id),
            _ => Vec::new(),
        }
    }

    fn round(&mut self, now: UnixMillis, random: u64) -> Vec<SyncEffect> {
        let due_at = *self.next_round.get_or_insert(UnixMillis(now.0.saturating_add(ROUND_MIN_MS)));
        let latest = now.0.saturating_add(ROUND_MIN_MS + ROUND_JITTER_MS);
        if now < due_at && due_at.0 <= latest {
            return self.open_due();
        }
        self.next_round = Some(UnixMillis(now.0.saturating_add(ROUND_MIN_MS).saturating_add(random % ROUND_JITTER_MS)));
        let count = u64::try_from(self.connected.len()).unwrap_or(u64::MAX).max(1);
        let nth = usize::try_from((random >> 32) % count).unwrap_or_default();
        let peer = self.connected.keys().nth(nth).copied();
        peer.map(|peer| self.wish(peer)).unwrap_or_default()
    }

    /// Opens a stream to the next member that is due, unless this side leads already.
    pub(super) fn open_due(&mut self) -> Vec<SyncEffect> {
        if !self.indexes.keys().all(|group| self.indexed.contains(group)) {
            return Vec::new();
        }
        if self.opening.is_some() || self.is_leading() || self.sessions.len() >= MAX_SESSIONS {
            return Vec::new();
        }
        let is_free = |peer: &PublicKey| !self.sessions.values().any(|open| open.peer == *peer);
        let Some(at) = self.due.iter().position(is_free) else { return Vec::new() };
        self.opening = self.due.remove(at);
        self.opening.map(SyncEffect::Open).into_iter().collect()
    }

    /// A stream could not be opened.
    pub(in crate::engine) fn not_opened(&mut self, peer: &PublicKey, now: UnixMillis) -> Vec<SyncEffect> {
        if self.opening == Some(*peer) {
            self.opening = None;
        }
        self.try_again(*peer, now);
        self.open_due()
    }

    /// What was to be compared with a member has not been: it is tried once more in a moment, if it is still there.
    pub(super) fn try_again(&mut self, peer: PublicKey, now: UnixMillis) {
        self.look_later(peer, now, if self.is_meeting(&peer, now) { SECOND_LOOK_MS } else { REPAIR_MS });
    }

    /// Tells whether a member has only just come.
    pub(super) fn is_meeting(&self, peer: &PublicKey, now: UnixMillis) -> bool {
        self.connected.get(peer).is_some_and(|came| now.0.abs_diff(came.0) < MEETING_MS)
    }
}
