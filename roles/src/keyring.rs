//! The group keys that one member can open.

use std::collections::{BTreeMap, BTreeSet};

use muster_keys::{GroupKey, Identity};

use crate::authority::UnitId;
use crate::document::SealedKeyring;
use crate::name::GroupId;
use crate::roster::Roster;
use crate::standing::Moment;

/// Keeps a sealed group key from being opened as anything else.
const SEAL_DOMAIN: &[u8] = b"muster group key 1";

/// The most keys of one epoch of a group: two islands each begin an epoch of one number, seldom three; more would
/// only cost a try each for every record that opens with none of them.
pub const MAX_KEYS_AN_EPOCH: usize = 4;

/// The group keys that a member holds: those of the epochs that began or were in force within the kept history.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: BTreeMap<GroupId, BTreeMap<u64, Vec<GroupKey>>>,
    current: BTreeMap<GroupId, (u64, GroupKey)>,
}

impl Keyring {
    /// The keys that a record of this group and epoch may be sealed with, the likeliest first; at most
    /// [`MAX_KEYS_AN_EPOCH`].
    ///
    /// There is more than one where two have begun an epoch apart from each other. Which of them a record
    /// is sealed with, trying tells.
    pub fn candidates(&self, group: &GroupId, epoch: u64) -> impl Iterator<Item = &GroupKey> {
        let epochs = self.keys.get(group);
        epochs.and_then(|epochs| epochs.get(&epoch)).into_iter().flatten()
    }

    /// The epoch that new records of a group are written in, and its key.
    pub fn current(&self, group: &GroupId) -> Option<(u64, &GroupKey)> {
        self.current.get(group).map(|(epoch, key)| (*epoch, key))
    }

    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.keys.values().flat_map(BTreeMap::values).map(Vec::len).sum()
    }

    /// Whether it holds no key, as a carrier's does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&mut self, group: &GroupId, epoch: u64, key: GroupKey) {
        let keys = self.keys.entry(group.clone()).or_default().entry(epoch).or_default();
        if keys.len() < MAX_KEYS_AN_EPOCH && !keys.contains(&key) {
            keys.push(key);
        }
    }
}

impl Roster {
    /// Opens every group key that is sealed to a member in a document that was in force within the last 7 days, or that
    /// began an epoch in them and was outdone by another.
    ///
    /// What does not open is passed over: a member can do no better than the keys it was given. Should two documents
    /// give different keys for one epoch, both are kept, the later in force first.
    pub fn open_keys(&self, identity: &Identity) -> Keyring {
        let mut keyring = Keyring::default();
        let mut seen = BTreeSet::new();
        let moments: Vec<_> = self.timeline().moments().collect();
        let in_force = moments.into_iter().rev().flat_map(Moment::documents);
        for document in in_force.chain(self.timeline().rivals()) {
            let (group, ring) = (document.group(), document.keyring());
            if seen.insert(document.id())
                && let Some(key) = self.open_key(&group, ring, identity)
            {
                keyring.add(&group, ring.epoch(), key);
            }
        }
        let current = self.groups().filter_map(|group| {
            let ring = self.sealed_keyring(group)?;
            Some((group.clone(), (ring.epoch(), self.open_key(group, ring, identity)?)))
        });
        keyring.current = current.collect();
        keyring
    }

    fn open_key(&self, group: &GroupId, ring: &SealedKeyring, identity: &Identity) -> Option<GroupKey> {
        let entry = ring.sealed_to(&identity.public())?;
        muster_keys::open(identity, &seal_info(self.unit(), group, ring.epoch()), &entry.sealed).ok()
    }
}

/// What a group key's sealing is bound to: no sealed key can be passed off for another group or epoch.
pub(crate) fn seal_info(unit: UnitId, group: &GroupId, epoch: u64) -> Vec<u8> {
    let group = group.as_str().as_bytes();
    [SEAL_DOMAIN, unit.as_bytes(), group, &epoch.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests;
