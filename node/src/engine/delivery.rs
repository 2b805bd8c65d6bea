//! How far this member's own messages have come, as far as that is known here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_keys::PublicKey;
use muster_roles::{GroupId, Member, MemberName};

use super::confirmed::Run;
use super::receipts::MAX_RECEIPT_READERS;
use super::sync::SyncId;
use super::wire::{Frame, Kind, RecordId};

/// One's own messages that are followed, a group: what a person looks back on. Who has an older one is read from the store.
const MAX_FOLLOWED: usize = 512;

/// How far a message of this member has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nobody else is known to have it.
    Waiting,
    /// Somebody has it; its receivers do not say.
    Sent,
    /// Only these are known to have it, who cannot read it.
    Carried {
        /// Their names.
        by: Vec<MemberName>,
    },
    /// So many of those who may read it have it.
    Delivered {
        /// How many have confirmed it.
        to: usize,
        /// How many may read it, its author apart.
        of: usize,
    },
}

/// One message.
#[derive(Debug)]
struct Own {
    id: RecordId,
    name: SyncId,
    kind: Kind,
    readers: Arc<[Member]>,
    /// Which of the readers have confirmed it.
    confirmed: BTreeSet<PublicKey>,
    /// Whom it was handed to.
    handed: BTreeSet<PublicKey>,
}

impl Own {
    /// Tells how far it has come; `carrier` gives the names of members that do not read the group.
    fn progress(&self, name_of: impl Fn(&PublicKey) -> Option<MemberName>) -> Progress {
        let of = self.readers.len();
        if of == 0 || (of > MAX_RECEIPT_READERS && self.kind != Kind::Order) {
            return Progress::Sent;
        }
        let is_reader = |key: &PublicKey| self.readers.iter().any(|reader| reader.key == *key);
        let is_carried = self.confirmed.is_empty() && !self.handed.is_empty() && !self.handed.iter().any(is_reader);
        if is_carried {
            let by: Vec<MemberName> = self.handed.iter().filter_map(name_of).collect();
            return Progress::Carried { by };
        }
        Progress::Delivered { to: self.confirmed.len(), of }
    }
}

/// This member's messages, group by group and by its own count.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    groups: BTreeMap<GroupId, BTreeMap<u64, Own>>,
}

impl Deliveries {
    /// Follows a message of one's own.
    pub(super) fn follow(&mut self, frame: &Frame, readers: Arc<[Member]>) {
        let header = frame.header();
        let group = self.groups.entry(header.group.clone()).or_default();
        let (id, name) = (frame.id(), SyncId::new(header.time, &frame.id()));
        let own = Own { id, name, kind: header.kind, readers, confirmed: BTreeSet::new(), handed: BTreeSet::new() };
        group.entry(header.seq).or_insert(own);
        if group.len() > MAX_FOLLOWED {
            group.pop_first();
        }
    }

    /// A member confirms runs of this member's messages; returns those of which that was not known.
    pub(super) fn confirm(
        &mut self,
        group: &GroupId,
        member: &PublicKey,
        runs: impl IntoIterator<Item = Run>,
    ) -> Vec<RecordId> {
        let Some(own) = self.groups.get_mut(group) else { return Vec::new() };
        let mut changed = Vec::new();
        for run in runs {
            for own in own.range_mut(run.first..=run.last).map(|(_, own)| own) {
                if own.readers.iter().any(|reader| reader.key == *member) && own.confirmed.insert(*member) {
                    changed.push(own.id);
                }
            }
        }
        changed
    }

    /// Messages have been handed to members; returns those whose state that changes.
    pub(super) fn handed<'a>(
        &mut self,
        group: &GroupId,
        names: impl IntoIterator<Item = &'a SyncId>,
        to: &BTreeSet<PublicKey>,
    ) -> Vec<RecordId> {
        let Some(own) = self.groups.get_mut(group).filter(|_| !to.is_empty()) else { return Vec::new() };
        let names: BTreeSet<&SyncId> = names.into_iter().collect();
        let mut changed = Vec::new();
        for own in own.values_mut().rev().filter(|own| names.contains(&own.name)) {
            let before = own.handed.len();
            own.handed.extend(to);
            if own.confirmed.is_empty() && own.handed.len() > before {
                changed.push(own.id);
            }
        }
        changed
    }

    /// Tells how far a message has come that has been handed to somebody.
    pub(super) fn progress(
        &self,
        group: &GroupId,
        id: &RecordId,
        name_of: impl Fn(&PublicKey) -> Option<MemberName>,
    ) -> Option<Progress> {
        let own = self.groups.get(group)?.values().rev().find(|own| own.id == *id)?;
        Some(own.progress(name_of))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use muster_keys::Identity;
    use muster_roles::{Precedence, Role, Timestamp, UnitId};

    use super::*;
    use crate::engine::verify::Verified;
    use crate::engine::wire::Header;

    fn army() -> GroupId {
        "army".parse().unwrap()
    }

    fn member(seed: u8) -> Member {
        let name = format!("Army{seed}").parse().unwrap();
        Member { name, role: Role::Soldier(army()), key: Identity::from_seed(&[seed; 32]).public() }
    }

    fn frame(seq: u64, kind: Kind) -> Frame {
        let identity = Identity::from_seed(&[1; 32]);
        let header = Header {
            unit: UnitId::from_bytes([9; 16]),
            kind,
            precedence: Precedence::Routine,
            group: army(),
            author: identity.public(),
            seq,
            time: Timestamp::from_ms(1000 + seq),
            charter_version: 1,
            sheet_version: 1,
            epoch: 1,
        };
        Verified::sign(&identity, &header, &[0; 24], &[0; 80]).unwrap().frame().clone()
    }

    fn following(kind: Kind, readers: impl IntoIterator<Item = u8>) -> (Deliveries, RecordId, SyncId) {
        let mut deliveries = Deliveries::default();
        let frame = frame(5, kind);
        deliveries.follow(&frame, readers.into_iter().map(member).collect());
        (deliveries, frame.id(), SyncId::new(frame.header().time, &frame.id()))
    }

    fn progress(deliveries: &Deliveries, id: &RecordId) -> Progress {
        let name_of = |key: &PublicKey| (2..60).map(member).find(|member| member.key == *key).map(|member| member.name);
        deliveries.progress(&army(), id, name_of).unwrap()
    }

    #[test]
    fn readers_that_confirm_a_message_are_counted_once_and_nobody_else_is() {
        let (mut deliveries, id, _) = following(Kind::Text, [2, 3]);
        let confirm = |deliveries: &mut Deliveries, seed, first, last| {
            deliveries.confirm(&army(), &member(seed).key, [Run { first, last }])
        };
        assert_eq!(progress(&deliveries, &id), Progress::Delivered { to: 0, of: 2 });
        assert_eq!(confirm(&mut deliveries, 2, 1, 4), [], "another message");
        assert_eq!(confirm(&mut deliveries, 9, 1, 9), [], "no reader");
        assert_eq!(confirm(&mut deliveries, 2, 1, 9), [id]);
        assert_eq!(confirm(&mut deliveries, 2, 5, 5), [], "known");
        assert_eq!(progress(&deliveries, &id), Progress::Delivered { to: 1, of: 2 });
    }

    #[test]
    fn what_only_those_have_who_cannot_read_it_is_carried() {
        let (mut deliveries, id, name) = following(Kind::Text, [2, 3]);
        assert_eq!(deliveries.handed(&army(), [&name], &[member(8).key].into()), [id]);
        assert_eq!(progress(&deliveries, &id), Progress::Carried { by: vec![member(8).name] });
        assert_eq!(deliveries.handed(&army(), [&name], &[member(8).key].into()), []);
        assert_eq!(deliveries.handed(&army(), [&name], &[member(2).key].into()), [id]);
        assert_eq!(progress(&deliveries, &id), Progress::Delivered { to: 0, of: 2 });
    }

    #[test]
    fn above_the_bound_only_orders_are_followed() {
        let crowd = 2..u8::try_from(MAX_RECEIPT_READERS).unwrap() + 3;
        let (deliveries, id, _) = following(Kind::Text, crowd.clone());
        assert_eq!(progress(&deliveries, &id), Progress::Sent);
        let (deliveries, id, _) = following(Kind::Order, crowd);
        assert!(matches!(progress(&deliveries, &id), Progress::Delivered { to: 0, .. }));
    }

    #[test]
    fn the_messages_followed_are_bounded() {
        let mut deliveries = Deliveries::default();
        for seq in 0..600 {
            deliveries.follow(&frame(seq, Kind::Text), [member(2)].into());
        }
        assert_eq!(deliveries.groups.get(&army()).unwrap().len(), MAX_FOLLOWED);
    }
}
