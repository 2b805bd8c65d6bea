//! The group keys that one member can open.

use std::collections::{BTreeMap, BTreeSet};

use muster_keys::{GroupKey, Identity};

use crate::authority::UnitId;
use crate::document::SealedKeyring;
use crate::name::GroupId;
use crate::roster::Roster;

/// Keeps a sealed group key from being opened as anything else.
const SEAL_DOMAIN: &[u8] = b"muster group key 1";

/// The group keys that a member holds: those of the epochs in force within the kept history.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: BTreeMap<GroupId, BTreeMap<u64, GroupKey>>,
    current: BTreeMap<GroupId, u64>,
}

impl Keyring {
    /// The key of one epoch of a group.
    pub fn get(&self, group: &GroupId, epoch: u64) -> Option<&GroupKey> {
        self.keys.get(group)?.get(&epoch)
    }

    /// The epoch that new records of a group are written in, and its key.
    pub fn current(&self, group: &GroupId) -> Option<(u64, &GroupKey)> {
        let epoch = *self.current.get(group)?;
        Some((epoch, self.get(group, epoch)?))
    }

    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.keys.values().map(BTreeMap::len).sum()
    }

    /// Whether it holds no key, as a carrier's does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn open(&mut self, unit: UnitId, group: &GroupId, ring: &SealedKeyring, identity: &Identity) {
        let Some(entry) = ring.sealed_to(&identity.public()) else {
            return;
        };
        let info = seal_info(unit, group, ring.epoch());
        if let Ok(key) = muster_keys::open(identity, &info, &entry.sealed) {
            let epochs = self.keys.entry(group.clone()).or_default();
            epochs.insert(ring.epoch(), key);
        }
    }
}

impl Roster {
    /// Opens every group key that is sealed to a member in a document that was in force within the last 7 days.
    ///
    /// What does not open is passed over: a member can do no better than the keys it was given. Should two documents
    /// give different keys for one epoch, the later in force counts.
    pub fn open_keys(&self, identity: &Identity) -> Keyring {
        let mut keyring = Keyring::default();
        let mut seen = BTreeSet::new();
        for moment in self.timeline().moments() {
            let charter = &moment.charter;
            if seen.insert(charter.id) {
                let heads = GroupId::heads();
                keyring.open(self.unit(), &heads, charter.body.keyring(), identity);
            }
            for sheet in &moment.sheets {
                if seen.insert(sheet.id) {
                    let (group, ring) = (sheet.body.group(), sheet.body.keyring());
                    keyring.open(self.unit(), group, ring, identity);
                }
            }
        }
        keyring.current =
            self.groups().filter_map(|group| Some((group.clone(), self.sealed_keyring(group)?.epoch()))).collect();
        keyring
    }
}

/// What a group key's sealing is bound to: no sealed key can be passed off for another group or epoch.
pub(crate) fn seal_info(unit: UnitId, group: &GroupId, epoch: u64) -> Vec<u8> {
    let group = group.as_str().as_bytes();
    [SEAL_DOMAIN, unit.as_bytes(), group, &epoch.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests;
