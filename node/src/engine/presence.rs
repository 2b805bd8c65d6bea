//! Who is there: a small signed sign of life from each member, told on through the mesh and never stored.
//!
//! A beacon is `[1, body: bstr, signature: bstr(64)]` in CBOR, its body `[unit: bstr(16), member: bstr(32), boot: u64,
//! time: u64, all: bool]`: whose it is, when the member's node started to send and when it sent this one (Unix
//! milliseconds of the unit's time), and whether the node carries every group or only its own. It is read in its one
//! encoding only and tells nothing that the roster does not tell every member: keys, and no group, place or address.
//!
//! A member sends one every `max(30 s, 1 s × members)` and up to a quarter more, so that the whole unit sends no more than
//! one a second however large it is, and a small one is quick to notice who has come and gone. The members of a
//! large one that all start at once spread their first over that time, less 30 s. A beacon older or further
//! ahead than five minutes counts for nothing, nor does one that is not newer than the last of that member: what was
//! once sent cannot be sent again. Who sends more often than twice in its time is not passed on.

use std::collections::BTreeMap;

use muster_keys::{Identity, PublicKey, Signature};
use muster_roles::{Roster, UnitId};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, Bytes};

use super::io::Verdict;
use super::policy::Carry;
use super::time::UnixMillis;

/// A beacon has so many bytes at most.
pub const MAX_BEACON_LEN: usize = 256;

/// The least time between two beacons of one member, in milliseconds.
const MIN_INTERVAL_MS: u64 = 30_000;

/// What each member adds to that time in a large unit, in milliseconds: all together send no more than one in so long.
const SHARE_MS: u64 = 1000;

/// In the time between two beacons of a member, so often it is looked who has fallen silent: a large unit, whose members may
/// be silent for long, is not gone through every second.
const LOOKS: u64 = 30;

/// A beacon is believed if it is from no longer ago, and no further ahead, in milliseconds.
const MAX_OFF_MS: u64 = 5 * 60 * 1000;

/// Keeps a beacon's signature from standing for anything else that is signed with a role key.
const SIGNING_DOMAIN: &[u8] = b"muster beacon 1";

const VERSION: u64 = 1;

/// What a member's beacon says, in wire order.
#[derive(Serialize, Deserialize)]
struct Body(ByteArray<16>, ByteArray<32>, u64, u64, bool);

#[derive(Serialize, Deserialize)]
struct Signed<'a>(u64, #[serde(borrow)] &'a Bytes, ByteArray<64>);

/// What was last heard of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When it was heard, by this node's time.
    pub at: UnixMillis,
    /// When its node began to send, by its own word.
    pub boot: UnixMillis,
    /// Which groups it carries.
    pub carry: Carry,
    /// When it sent that, by its own word.
    time: UnixMillis,
    /// Whether it is told to be there.
    online: bool,
}

/// What is known of everybody's presence; bounded by the roster, for only members are remembered, in some 100 bytes each.
#[derive(Debug, Default)]
pub(super) struct Beacons {
    heard: BTreeMap<PublicKey, Heard>,
    /// When this node began to send.
    boot: Option<UnixMillis>,
    /// When it sent last.
    sent: Option<UnixMillis>,
    due: Option<UnixMillis>,
    /// When it was last looked who has fallen silent.
    looked: Option<UnixMillis>,
}

/// Returns how long a member of a unit of this size waits between two beacons, in milliseconds.
#[must_use]
pub fn interval_ms(members: usize) -> u64 {
    u64::try_from(members).unwrap_or(u64::MAX).saturating_mul(SHARE_MS).max(MIN_INTERVAL_MS)
}

impl Beacons {
    /// Judges somebody's beacon; remembers it if it is good and new, and returns whose it is.
    pub(super) fn judge(
        &mut self,
        bytes: &[u8],
        bearer: &PublicKey,
        roster: &Roster,
        me: &PublicKey,
        now: UnixMillis,
    ) -> (Verdict, Option<PublicKey>) {
        match self.take_in(bytes, roster, me, now) {
            Ok(member) if member == *bearer => (Verdict::Firsthand, Some(member)),
            Ok(member) => (Verdict::Accept, Some(member)),
            Err(verdict) => (verdict, None),
        }
    }

    fn take_in(
        &mut self,
        bytes: &[u8],
        roster: &Roster,
        me: &PublicKey,
        now: UnixMillis,
    ) -> Result<PublicKey, Verdict> {
        let (body, payload, signature) = decode(bytes).ok_or(Verdict::Reject)?;
        if body.0.into_array() != *roster.unit().as_bytes() {
            return Err(Verdict::Reject);
        }
        let member = PublicKey::from_bytes(&body.1).map_err(|_| Verdict::Reject)?;
        let time = UnixMillis(body.3);
        // Nobody is to blame for what a newer roster or another clock may explain.
        if member == *me || roster.member(&member).is_none() || now.0.abs_diff(time.0) > MAX_OFF_MS {
            return Err(Verdict::Ignore);
        }
        let members = roster.current().count(|_| true);
        let is_due =
            |heard: &Heard| heard.time < time && now.0.abs_diff(heard.at.0).saturating_mul(2) >= interval_ms(members);
        if !self.heard.get(&member).is_none_or(is_due) {
            return Err(Verdict::Ignore);
        }
        member.verify(&[SIGNING_DOMAIN, payload].concat(), &signature).map_err(|_| Verdict::Reject)?;
        let carry = if body.4 { Carry::All } else { Carry::Own };
        self.heard.insert(member, Heard { at: now, boot: UnixMillis(body.2), carry, time, online: true });
        Ok(member)
    }

    /// Returns members whose beacons have stopped coming, each once.
    pub(super) fn fallen_silent(&mut self, members: usize, now: UnixMillis) -> Vec<PublicKey> {
        if self.looked.is_some_and(|last| now.0.abs_diff(last.0) < interval_ms(members) / LOOKS) {
            return Vec::new();
        }
        self.looked = Some(now);
        let silent = self.heard.iter_mut().filter(|(_, heard)| heard.online && !heard.is_recent(members, now));
        silent
            .map(|(member, heard)| {
                heard.online = false;
                *member
            })
            .collect()
    }

    /// Returns this member's next beacon if it is due; `random` spreads the members' in time.
    pub(super) fn next(
        &mut self,
        identity: &Identity,
        roster: &Roster,
        carry: Carry,
        random: u64,
        now: UnixMillis,
    ) -> Option<Vec<u8>> {
        let interval = interval_ms(roster.current().count(|_| true));
        let latest = now.0.saturating_add(interval).saturating_add(interval / 4);
        // Nothing in a small unit: where there are few, all may send at once.
        let spread = interval - MIN_INTERVAL_MS;
        let due = *self.due.get_or_insert(UnixMillis(now.0.saturating_add(random % (spread + 1))));
        // A clock that was set back must not silence it.
        if now < due && due.0 <= latest {
            return None;
        }
        self.due = Some(UnixMillis(now.0.saturating_add(interval).saturating_add(random % (interval / 4))));
        let time = self.sent.map_or(now, |last| UnixMillis(now.0.max(last.0.saturating_add(1))));
        self.sent = Some(time);
        let boot = *self.boot.get_or_insert(time);
        Some(encode(identity, roster.unit(), boot, time, carry))
    }

    /// Makes the next beacon due at once, or soon in a large unit: somebody is there who may not have heard the last.
    pub(super) fn hurry(&mut self) {
        self.due = None;
    }

    /// Forgets who is a member no more.
    pub(super) fn retain(&mut self, is_member: impl Fn(&PublicKey) -> bool) {
        self.heard.retain(|member, _| is_member(member));
    }

    /// Returns what was last heard of a member.
    pub(super) fn heard(&self, member: &PublicKey) -> Option<Heard> {
        self.heard.get(member).copied()
    }

    /// Tells whether a member's beacons come as they should.
    pub(super) fn is_online(&self, member: &PublicKey, members: usize, now: UnixMillis) -> bool {
        self.heard.get(member).is_some_and(|heard| heard.is_recent(members, now))
    }
}

impl Heard {
    /// Tells whether this was heard lately: one beacon may be lost, and the next may take a quarter longer.
    fn is_recent(&self, members: usize, now: UnixMillis) -> bool {
        now.0.abs_diff(self.at.0) <= interval_ms(members).saturating_mul(5) / 2
    }
}

fn encode(identity: &Identity, unit: UnitId, boot: UnixMillis, time: UnixMillis, carry: Carry) -> Vec<u8> {
    let member = ByteArray::new(*identity.public().as_bytes());
    let body = to_vec(&Body(ByteArray::new(*unit.as_bytes()), member, boot.0, time.0, carry == Carry::All));
    let signature = identity.sign(&[SIGNING_DOMAIN, &body].concat());
    to_vec(&Signed(VERSION, Bytes::new(&body), ByteArray::new(*signature.as_bytes())))
}

/// Reads a beacon; nothing unless it is in its one encoding.
fn decode(bytes: &[u8]) -> Option<(Body, &[u8], Signature)> {
    if bytes.len() > MAX_BEACON_LEN {
        return None;
    }
    let signed: Signed<'_> = serde_cbor::from_slice(bytes).ok()?;
    let body: Body = serde_cbor::from_slice(signed.1).ok()?;
    let is_canonical = signed.0 == VERSION && to_vec(&body) == **signed.1 && to_vec(&signed) == bytes;
    let (payload, signature) = (signed.1, Signature::from_bytes(signed.2.into_array()));
    is_canonical.then_some((body, &**payload, signature))
}

fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    // Tuples of integers, booleans and bytes: nothing in them can fail to encode, and a buffer takes all.
    serde_cbor::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use muster_roles::{Role, Timestamp, TroopDef, add_member, found};
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn later(ms: u64) -> UnixMillis {
        UnixMillis(NOW.0 + ms)
    }

    fn identity(n: u8) -> Identity {
        Identity::from_seed(&[n; 32])
    }

    /// The chief's key is 1, a soldier's 2; 3 is nobody's.
    fn roster() -> Roster {
        let now = Timestamp::from_ms(NOW.0 - 1000);
        let troops = [TroopDef { id: "army".parse().unwrap(), letter: 'r' }];
        let (unit, chief) = ("1st Brigade".parse().unwrap(), "Chief".parse().unwrap());
        let documents = found(&unit, &chief, &identity(1), &troops, now).unwrap();
        let mut roster = Roster::from_documents(documents.iter().map(Vec::as_slice), now).unwrap();
        let role = Role::Soldier("army".parse().unwrap());
        let name = "Army1".parse().unwrap();
        for document in add_member(&roster, &identity(1), name, role, identity(2).public(), now).unwrap() {
            roster.accept(&document, now).unwrap();
        }
        roster
    }

    fn beacon(by: u8, time: UnixMillis) -> Vec<u8> {
        encode(&identity(by), roster().unit(), NOW, time, Carry::All)
    }

    fn judge(beacons: &mut Beacons, bytes: &[u8], now: UnixMillis) -> Verdict {
        judge_from(9, beacons, bytes, now)
    }

    fn judge_from(bearer: u8, beacons: &mut Beacons, bytes: &[u8], now: UnixMillis) -> Verdict {
        beacons.judge(bytes, &identity(bearer).public(), &roster(), &identity(1).public(), now).0
    }

    #[test]
    fn a_member_s_beacon_is_told_on_and_shows_it_online_until_two_and_a_half_intervals_have_passed() {
        let mut beacons = Beacons::default();
        let member = identity(2).public();
        assert!(!beacons.is_online(&member, 2, NOW));
        assert_eq!(judge(&mut beacons, &beacon(2, NOW), NOW), Verdict::Accept);
        assert_eq!(beacons.heard(&member).map(|heard| (heard.at, heard.carry)), Some((NOW, Carry::All)));
        assert!(beacons.is_online(&member, 2, later(75_000)));
        assert!(!beacons.is_online(&member, 2, later(75_001)));
        assert!(beacons.fallen_silent(2, later(74_000)).is_empty());
        assert_eq!(beacons.fallen_silent(2, later(75_001)), [member]);
        assert!(beacons.fallen_silent(2, later(76_001)).is_empty(), "told once");
        assert!(beacons.is_online(&member, 1000, later(2_500_000)));
    }

    #[test]
    fn a_beacon_that_its_own_member_brings_is_firsthand() {
        let (mut own, mut told) = (Beacons::default(), Beacons::default());
        assert_eq!(judge_from(2, &mut own, &beacon(2, NOW), NOW), Verdict::Firsthand);
        assert_eq!(judge_from(3, &mut told, &beacon(2, NOW), NOW), Verdict::Accept);
    }

    #[test]
    fn what_was_sent_once_cannot_be_sent_again() {
        let mut beacons = Beacons::default();
        let (first, second) = (beacon(2, NOW), beacon(2, later(30_000)));
        assert_eq!(judge(&mut beacons, &second, later(30_000)), Verdict::Accept);
        for replayed in [&first, &second] {
            assert_eq!(judge(&mut beacons, replayed, later(60_000)), Verdict::Ignore);
        }
        // A node that has heard nothing yet goes by the time.
        assert_eq!(judge(&mut Beacons::default(), &first, later(MAX_OFF_MS)), Verdict::Accept);
        assert_eq!(judge(&mut Beacons::default(), &first, later(MAX_OFF_MS + 1)), Verdict::Ignore);
        let ahead = beacon(2, later(MAX_OFF_MS + 1));
        assert_eq!(judge(&mut Beacons::default(), &ahead, NOW), Verdict::Ignore);
    }

    #[test]
    fn who_sends_too_often_is_not_told_on() {
        let mut beacons = Beacons::default();
        let accepted = (0..600).filter(|n| {
            let now = later(n * 100);
            judge(&mut beacons, &beacon(2, now), now) == Verdict::Accept
        });
        assert_eq!(accepted.count(), 4, "in a minute, at twice the rate");
    }

    #[test]
    fn strangers_are_not_remembered_and_forgers_are_rejected() {
        let mut beacons = Beacons::default();
        assert_eq!(judge(&mut beacons, &beacon(3, NOW), NOW), Verdict::Ignore, "a newer roster may know it");
        assert_eq!(judge(&mut beacons, &beacon(1, NOW), NOW), Verdict::Ignore, "one's own comes back");
        let other = encode(&identity(2), UnitId::from_bytes([7; 16]), NOW, NOW, Carry::All);
        assert_eq!(judge(&mut beacons, &other, NOW), Verdict::Reject);
        let mut forged = beacon(2, NOW);
        let last = forged.len() - 1;
        forged[last] ^= 1;
        assert_eq!(judge(&mut beacons, &forged, NOW), Verdict::Reject);
        assert!(beacons.heard.is_empty());
        assert_eq!(judge(&mut beacons, &beacon(2, NOW), NOW), Verdict::Accept);
        beacons.retain(|_| false);
        assert!(beacons.heard.is_empty(), "who is removed is forgotten");
    }

    #[test]
    fn a_member_sends_at_its_interval_and_its_times_rise_though_its_clock_is_set_back() {
        let (mut beacons, roster, me) = (Beacons::default(), roster(), identity(2));
        let mut next = |now| beacons.next(&me, &roster, Carry::Own, 0, now).map(|bytes| decode(&bytes).unwrap().0);
        let first = next(NOW).unwrap();
        assert!(next(later(29_999)).is_none());
        let second = next(later(30_000)).unwrap();
        let third = next(UnixMillis(NOW.0 - 3_600_000)).unwrap();
        assert!(first.3 < second.3 && second.3 < third.3);
        assert_eq!((first.2, third.2, first.4), (NOW.0, NOW.0, false));
    }

    #[test]
    fn members_of_a_large_unit_that_all_start_at_once_do_not_all_send_at_once() {
        let mut roster = roster();
        let now = Timestamp::from_ms(NOW.0 - 500);
        for n in 10..110 {
            let (name, role) = (format!("Army{n}").parse().unwrap(), Role::Soldier("army".parse().unwrap()));
            for document in add_member(&roster, &identity(1), name, role, identity(n).public(), now).unwrap() {
                roster.accept(&document, now).unwrap();
            }
        }
        let me = identity(2);
        let first = |random: u64| {
            let mut beacons = Beacons::default();
            let sends = |second: &u64| beacons.next(&me, &roster, Carry::Own, random, later(second * 1000)).is_some();
            (0..200).find(sends).unwrap()
        };
        assert_eq!([0, 40_000, 72_000, 73_000].map(first), [0, 40, 72, 1], "spread over 102 s less 30 s");
    }

    #[test]
    fn all_together_send_no_more_than_one_a_second() {
        assert_eq!([1, 10, 30, 100, 1000].map(interval_ms), [30_000, 30_000, 30_000, 100_000, 1_000_000]);
    }

    proptest! {
        #[test]
        fn other_bytes_are_no_beacon(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(judge(&mut Beacons::default(), &bytes, NOW), Verdict::Reject);
        }

        #[test]
        fn a_changed_beacon_is_never_accepted(at in 0..180_usize, bit in 0..8_u8) {
            let mut bytes = beacon(2, NOW);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert_ne!(judge(&mut Beacons::default(), &bytes, NOW), Verdict::Accept);
        }
    }
}
