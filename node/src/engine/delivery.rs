//! How far this member's own messages have come, as far as that is known here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_keys::PublicKey;
use muster_roles::{GroupId, MemberName};

use super::confirmed::Run;
use super::sync::SyncId;
use super::wire::{Frame, RecordId};

/// One's own messages that are followed, a group: what a person looks back on. Who has an older one is read from the store.
const MAX_FOLLOWED: usize = 512;

/// Members that carry a message and cannot read it, of which the first are kept: more names than a person looks at.
const MAX_CARRIERS: usize = 32;

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
    /// Who is to confirm it, in the order of keys; nobody where its readers are a crowd and it is no order.
    readers: Arc<[PublicKey]>,
    /// Which of the readers have confirmed it, by their places.
    confirmed: BTreeSet<usize>,
    /// Whether it was handed to a reader; where none are known, to anybody.
    is_handed: bool,
    /// To whom else it was handed before.
    carriers: BTreeSet<PublicKey>,
}

impl Own {
    /// Tells how far it has come; `carrier` gives the names of members that do not read the group.
    fn progress(&self, name_of: impl Fn(&PublicKey) -> Option<MemberName>) -> Progress {
        let of = self.readers.len();
        if of == 0 {
            return Progress::Sent;
        }
        if self.confirmed.is_empty() && !self.is_handed && !self.carriers.is_empty() {
            return Progress::Carried { by: self.carriers.iter().filter_map(name_of).collect() };
        }
        Progress::Delivered { to: self.confirmed.len(), of }
    }

    /// Notes that it was handed to members; tells whether that changes how far it has come.
    fn hand(&mut self, to: &BTreeSet<PublicKey>) -> bool {
        if self.is_handed || to.is_empty() {
            return false;
        }
        self.is_handed = self.readers.is_empty() || to.iter().any(|member| self.readers.binary_search(member).is_ok());
        let before = self.carriers.len();
        if !self.is_handed {
            let new: Vec<PublicKey> = to.difference(&self.carriers).copied().collect();
            self.carriers.extend(new.into_iter().take(MAX_CARRIERS.saturating_sub(before)));
        }
        self.confirmed.is_empty() && (self.is_handed || self.carriers.len() > before)
    }
}

/// This member's messages, group by group and by its own count.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    groups: BTreeMap<GroupId, BTreeMap<u64, Own>>,
}

impl Deliveries {
    /// Follows a message of one's own, which these are to confirm.
    pub(super) fn follow(&mut self, frame: &Frame, mut readers: Vec<PublicKey>) {
        let header = frame.header();
        let group = self.groups.entry(header.group.clone()).or_default();
        let (id, name) = (frame.id(), SyncId::new(header.time, &frame.id()));
        readers.sort_unstable();
        // Mostly they are those of the message before, and need not be kept twice.
        let before = group.last_key_value().map(|(_, own)| &own.readers).filter(|before| before[..] == readers[..]);
        let readers = before.map_or_else(|| Arc::from(readers), Arc::clone);
        let own = Own { id, name, readers, confirmed: BTreeSet::new(), is_handed: false, carriers: BTreeSet::new() };
        group.entry(header.seq).or_insert(own);
        if group.len() > MAX_FOLLOWED {
            group.pop_first();
        }
    }

    /// A member confirms runs of this member's messages; returns those of which that was not known, and how far they have come.
    pub(super) fn confirm(
        &mut self,
        group: &GroupId,
        member: &PublicKey,
        runs: impl IntoIterator<Item = Run>,
        name_of: impl Fn(&PublicKey) -> Option<MemberName>,
    ) -> Vec<(RecordId, Progress)> {
        let Some(own) = self.groups.get_mut(group) else { return Vec::new() };
        let mut changed = Vec::new();
        for run in runs {
            for own in own.range_mut(run.first..=run.last).map(|(_, own)| own) {
                if own.readers.binary_search(member).is_ok_and(|place| own.confirmed.insert(place)) {
                    changed.push((own.id, own.progress(&name_of)));
                }
            }
        }
        changed
    }

    /// Messages have been handed to members; returns those that have come further by that, and how far.
    pub(super) fn handed<'a>(
        &mut self,
        group: &GroupId,
        names: impl IntoIterator<Item = &'a SyncId>,
        to: &BTreeSet<PublicKey>,
        name_of: impl Fn(&PublicKey) -> Option<MemberName>,
    ) -> Vec<(RecordId, Progress)> {
        let Some(own) = self.groups.get_mut(group) else { return Vec::new() };
        let names: BTreeSet<&SyncId> = names.into_iter().collect();
        let handed = own.values_mut().rev().filter(|own| names.contains(&own.name));
        handed.filter_map(|own| own.hand(to).then(|| (own.id, own.progress(&name_of)))).collect()
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
    use muster_roles::{Member, Precedence, Role, Timestamp, UnitId};

    use super::*;
    use crate::engine::verify::{Unsigned, Verified};
    use crate::engine::wire::{Header, Kind};

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
        let unsigned = Unsigned::new(&header, &[0; 24], &[0; 80]);
        Verified::sign(&identity, &[unsigned]).unwrap().remove(0).frame().clone()
    }

    fn following(kind: Kind, readers: impl IntoIterator<Item = u8>) -> (Deliveries, RecordId, SyncId) {
        let mut deliveries = Deliveries::default();
        let frame = frame(5, kind);
        deliveries.follow(&frame, readers.into_iter().map(|seed| member(seed).key).collect());
        (deliveries, frame.id(), SyncId::new(frame.header().time, &frame.id()))
    }

    fn name_of(key: &PublicKey) -> Option<MemberName> {
        (2..60).map(member).find(|member| member.key == *key).map(|member| member.name)
    }

    fn progress(deliveries: &Deliveries, id: &RecordId) -> Progress {
        deliveries.progress(&army(), id, name_of).unwrap()
    }

    /// Hands a message to a member, or to nobody; returns what is told of that, which must agree with what is found later.
    fn hand(deliveries: &mut Deliveries, name: &SyncId, to: Option<u8>) -> Vec<RecordId> {
        let to: BTreeSet<PublicKey> = to.map(|seed| member(seed).key).into_iter().collect();
        let changed = deliveries.handed(&army(), [name], &to, name_of);
        ids(deliveries, changed)
    }

    fn ids(deliveries: &Deliveries, changed: Vec<(RecordId, Progress)>) -> Vec<RecordId> {
        let id = |(id, told)| {
            assert_eq!(told, progress(deliveries, &id));
            id
        };
        changed.into_iter().map(id).collect()
    }

    #[test]
    fn readers_that_confirm_a_message_are_counted_once_and_nobody_else_is() {
        let (mut deliveries, id, _) = following(Kind::Text, [2, 3]);
        let confirm = |deliveries: &mut Deliveries, seed, first, last| {
            let changed = deliveries.confirm(&army(), &member(seed).key, [Run { first, last }], name_of);
            ids(deliveries, changed)
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
        assert_eq!(hand(&mut deliveries, &name, Some(8)), [id]);
        assert_eq!(progress(&deliveries, &id), Progress::Carried { by: vec![member(8).name] });
        assert_eq!(hand(&mut deliveries, &name, Some(8)), []);
        assert_eq!(hand(&mut deliveries, &name, Some(2)), [id]);
        assert_eq!(progress(&deliveries, &id), Progress::Delivered { to: 0, of: 2 });
    }

    #[test]
    fn what_nobody_is_to_confirm_is_sent_when_it_was_handed_to_anybody() {
        let (mut deliveries, id, name) = following(Kind::Text, []);
        assert_eq!(hand(&mut deliveries, &name, None), []);
        assert_eq!(hand(&mut deliveries, &name, Some(8)), [id]);
        assert_eq!(hand(&mut deliveries, &name, Some(9)), [], "told once");
        assert_eq!(progress(&deliveries, &id), Progress::Sent);
    }

    #[test]
    fn of_many_carriers_the_first_are_kept_and_a_reader_is_not_lost_among_them() {
        let (mut deliveries, id, name) = following(Kind::Text, [2]);
        for seed in 3..=u8::MAX {
            hand(&mut deliveries, &name, Some(seed));
        }
        assert_eq!(deliveries.groups.get(&army()).unwrap().get(&5).unwrap().carriers.len(), MAX_CARRIERS);
        assert_eq!(hand(&mut deliveries, &name, Some(2)), [id]);
        assert_eq!(progress(&deliveries, &id), Progress::Delivered { to: 0, of: 1 });
    }

    #[test]
    fn messages_to_the_same_readers_keep_them_once() {
        let (mut deliveries, ..) = following(Kind::Order, [2, 3]);
        deliveries.follow(&frame(6, Kind::Text), vec![member(3).key, member(2).key]);
        let readers: Vec<_> = deliveries.groups.get(&army()).unwrap().values().map(|own| &own.readers).collect();
        assert!(matches!(readers[..], [one, other] if Arc::ptr_eq(one, other)));
    }

    #[test]
    fn the_messages_followed_are_bounded() {
        let mut deliveries = Deliveries::default();
        for seq in 0..600 {
            deliveries.follow(&frame(seq, Kind::Text), vec![member(2).key]);
        }
        assert_eq!(deliveries.groups.get(&army()).unwrap().len(), MAX_FOLLOWED);
    }
}
