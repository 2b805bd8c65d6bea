//! Which members are connected, and when others were last heard.

use std::collections::{BTreeMap, BTreeSet};

use muster_keys::PublicKey;
use muster_roles::Roster;

use crate::control::{Carries, Found, Member, Peer, PeerRoster, Presence};
use crate::engine::policy::Carry;
use crate::engine::time::UnixMillis;

/// What is known of a connected member.
#[derive(Clone, Debug)]
struct Connected {
    since: UnixMillis,
    clock_ahead_ms: Option<i64>,
    found: BTreeSet<Found>,
    roster_version: Option<u64>,
}

/// Which members are connected, and when others were last heard; bounded by the members there are.
#[derive(Debug, Default)]
pub(super) struct Reach {
    connected: BTreeMap<PublicKey, Connected>,
    last_heard: BTreeMap<PublicKey, UnixMillis>,
}

impl Reach {
    pub(super) fn up(&mut self, member: PublicKey, now: UnixMillis) {
        let (clock_ahead_ms, found, roster_version) = (None, BTreeSet::new(), None);
        self.connected.insert(member, Connected { since: now, clock_ahead_ms, found, roster_version });
    }

    /// It is known how a connected member was found.
    pub(super) fn found(&mut self, member: &PublicKey, found: BTreeSet<Found>) {
        if let Some(connected) = self.connected.get_mut(member) {
            connected.found = found;
        }
    }

    pub(super) fn down(&mut self, member: &PublicKey, now: UnixMillis) {
        self.connected.remove(member);
        self.last_heard.insert(*member, now);
    }

    /// A member's clock has been read.
    pub(super) fn clock(&mut self, member: &PublicKey, theirs: UnixMillis, ours: UnixMillis) {
        if let Some(connected) = self.connected.get_mut(member) {
            let ahead = i64::try_from(theirs.0).ok().zip(i64::try_from(ours.0).ok());
            connected.clock_ahead_ms = ahead.map(|(theirs, ours)| theirs.saturating_sub(ours));
        }
    }

    /// A member has told its roster's version.
    pub(super) fn roster_of(&mut self, member: &PublicKey, version: u64) {
        if let Some(connected) = self.connected.get_mut(member) {
            connected.roster_version = Some(version);
        }
    }

    /// Returns the highest version of a roster that a connected member has told, and the first who has it by name.
    pub(super) fn newest_roster(&self, roster: &Roster) -> Option<PeerRoster> {
        let versions = self.connected.iter().filter_map(|(key, connected)| {
            Some(PeerRoster { version: connected.roster_version?, name: roster.member(key)?.name })
        });
        versions.min_by(|one, other| other.version.cmp(&one.version).then_with(|| one.name.cmp(&other.name)))
    }

    /// Forgets who is in the roster no more.
    pub(super) fn retain(&mut self, roster: &Roster) {
        self.last_heard.retain(|key, _| roster.member(key).is_some());
    }

    /// Returns how many are connected.
    pub(super) fn len(&self) -> usize {
        self.connected.len()
    }

    /// Describes a member.
    pub(super) fn member(&self, member: &muster_roles::Member, me: &PublicKey, now: UnixMillis) -> Member {
        let me = member.key == *me;
        let online = me || self.connected.contains_key(&member.key);
        let last_heard = if online { Some(now) } else { self.last_heard.get(&member.key).copied() };
        Member {
            name: member.name.clone(),
            role: member.role.clone(),
            fingerprint: member.key.fingerprint(),
            me,
            presence: Presence { online, last_heard_ms: last_heard.map(|at| at.0) },
        }
    }

    /// Describes the connected members, in the order of their names; `carry_of` tells whose messages a member carries.
    pub(super) fn peers(&self, roster: &Roster, carry_of: impl Fn(&PublicKey) -> Option<Carry>) -> Vec<Peer> {
        let peer = |(key, connected): (&PublicKey, &Connected)| {
            let member = roster.member(key)?;
            Some(Peer {
                name: member.name,
                role: member.role,
                fingerprint: key.fingerprint(),
                since_ms: connected.since.0,
                clock_ahead_ms: connected.clock_ahead_ms,
                found: connected.found.clone(),
                carries: carry_of(key).map(Carries::from),
                roster_version: connected.roster_version,
            })
        };
        let mut peers: Vec<Peer> = self.connected.iter().filter_map(peer).collect();
        peers.sort_by(|one, other| one.name.cmp(&other.name));
        peers
    }
}
