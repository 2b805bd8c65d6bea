#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use muster_keys::Identity;

use super::*;
use crate::net::peer::peer_id;

fn key(seed: u8) -> PublicKey {
    Identity::from_seed(&[seed; 32]).public()
}

/// Connections to peers that are named by small numbers.
struct Fixture {
    links: Links,
    start: Instant,
    next: usize,
}

impl Fixture {
    fn new() -> Self {
        Self { links: Links::default(), start: Instant::now(), next: 0 }
    }

    fn open(&mut self, peer: u8, member: bool) -> (ConnectionId, bool) {
        self.next += 1;
        let id = ConnectionId::new_unchecked(self.next);
        let key = key(peer);
        let fits = self.links.open(id, peer_id(&key).unwrap(), Some(key), member, None, self.start);
        (id, fits)
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }
}

#[test]
fn a_connection_that_is_not_admitted_is_overdue_before_10_seconds() {
    let mut fixture = Fixture::new();
    let (stranger, _) = fixture.open(1, false);
    let (member, _) = fixture.open(2, true);
    let (admitted, _) = fixture.open(3, true);
    fixture.links.advance(admitted, Stage::Attached, fixture.at(1));
    fixture.links.heard(fixture.links.get(admitted).unwrap().peer);
    assert!(fixture.links.overdue(fixture.at(7)).is_empty());
    assert_eq!(fixture.links.overdue(fixture.at(9)), [stranger, member]);
    assert_eq!(fixture.links.overdue(fixture.at(3600)), [stranger, member]);
}

#[test]
fn an_admitted_peer_that_tells_no_topics_is_overdue() {
    let mut fixture = Fixture::new();
    let (silent, _) = fixture.open(1, true);
    let (heard, _) = fixture.open(2, true);
    for id in [silent, heard] {
        fixture.links.advance(id, Stage::Attached, fixture.at(1));
    }
    let peer = fixture.links.get(heard).unwrap().peer;
    fixture.links.heard(peer);
    // What a peer has told over one connection counts for the next.
    let (second, _) = fixture.open(2, true);
    fixture.links.advance(second, Stage::Attached, fixture.at(2));
    assert!(fixture.links.overdue(fixture.at(10)).is_empty());
    assert_eq!(fixture.links.overdue(fixture.at(11)), [silent]);
}

#[test]
fn strangers_beyond_the_limit_are_turned_away_and_members_are_not() {
    let mut fixture = Fixture::new();
    let mut first = None;
    for peer in 0..MAX_STRANGERS {
        let (id, fits) = fixture.open(u8::try_from(peer).unwrap(), false);
        assert!(fits);
        first.get_or_insert(id);
    }
    assert!(!fixture.open(100, false).1);
    assert!(fixture.open(101, true).1);
    // One that is being closed makes room.
    fixture.links.advance(first.unwrap(), Stage::Closing, fixture.at(1));
    assert!(fixture.open(102, false).1);
}

#[test]
fn a_new_process_supersedes_the_connections_to_the_old_one_only() {
    let mut fixture = Fixture::new();
    let (old, _) = fixture.open(1, true);
    let (other_peer, _) = fixture.open(2, true);
    let (unknown, _) = fixture.open(1, true);
    let (new, _) = fixture.open(1, true);
    assert!(fixture.links.incarnate(old, 10).is_empty());
    assert!(fixture.links.incarnate(other_peer, 11).is_empty());
    assert_eq!(fixture.links.incarnate(new, 12), [old]);
    // A second connection of the same process supersedes nothing.
    fixture.links.advance(old, Stage::Closing, fixture.at(1));
    assert!(fixture.links.incarnate(unknown, 12).is_empty());
}

#[test]
fn strangers_may_ask_little_and_members_little_at_a_time() {
    let mut fixture = Fixture::new();
    let (stranger, _) = fixture.open(1, false);
    let (member, _) = fixture.open(2, true);
    fixture.links.advance(member, Stage::Attached, fixture.start);
    let mut count = |id, second| fixture.links.count_request(id, fixture.start + Duration::from_secs(second));
    for _ in 0..MAX_REQUESTS {
        assert!(count(stranger, 0));
    }
    assert!(!count(stranger, 7));
    for _ in 0..MAX_MEMBER_REQUESTS {
        assert!(count(member, 0));
    }
    assert!(!count(member, 9));
    assert!(count(member, 10));
}

#[test]
fn a_connection_never_goes_back() {
    let mut fixture = Fixture::new();
    let (id, _) = fixture.open(1, true);
    for stage in [Stage::Speaking, Stage::Attached, Stage::Hello] {
        fixture.links.advance(id, stage, fixture.at(1));
        assert_eq!(fixture.links.get(id).unwrap().stage, Stage::Speaking);
    }
    assert!(fixture.links.is_speaking(fixture.links.get(id).unwrap().peer));
    fixture.links.advance(id, Stage::Closing, fixture.at(1));
    assert!(!fixture.links.is_speaking(fixture.links.get(id).unwrap().peer));
}

#[test]
fn whoever_is_a_member_no_more_is_expelled() {
    let mut fixture = Fixture::new();
    let (stays, _) = fixture.open(1, true);
    let (goes, _) = fixture.open(2, true);
    for id in [stays, goes] {
        fixture.links.advance(id, Stage::Attached, fixture.at(1));
    }
    fixture.links.reclassify(|member| *member == key(1));
    assert_eq!(fixture.links.expelled(), [goes]);
    fixture.links.expel(goes, fixture.at(1));
    assert!(fixture.links.is_expelled(goes) && !fixture.links.is_expelled(stays));
    assert_eq!(fixture.links.expelled(), []);
    let ends = fixture.at(1) + EXPULSION_GRACE;
    assert_eq!(fixture.links.overdue(ends - Duration::from_millis(1)), [], "a last word is under way");
    assert_eq!(fixture.links.overdue(ends), [goes]);
}

#[test]
fn a_connection_whose_other_end_has_shut_its_gate_is_left_as_long_as_a_last_word_may_take() {
    let mut fixture = Fixture::new();
    let (id, _) = fixture.open(1, true);
    fixture.links.advance(id, Stage::Attached, fixture.at(0));
    fixture.links.heard(fixture.links.get(id).unwrap().peer);
    assert_eq!(fixture.links.overdue(fixture.at(100)), []);
    for second in [100, 102] {
        fixture.links.shut_out(id, fixture.at(second));
    }
    let ends = fixture.at(100) + EXPULSION_GRACE;
    assert_eq!(fixture.links.overdue(ends - Duration::from_millis(1)), []);
    assert_eq!(fixture.links.overdue(ends), [id], "counted from the first sign of it");
}

#[test]
fn notes_last_as_long_as_a_peer_is_connected() {
    let mut fixture = Fixture::new();
    let (first, _) = fixture.open(1, true);
    let (second, _) = fixture.open(1, true);
    let peer = fixture.links.get(first).unwrap().peer;
    fixture.links.note_mut(&peer).unwrap().digest = Some([1; 32]);
    fixture.links.close(first);
    assert_eq!(fixture.links.note_mut(&peer).unwrap().digest, Some([1; 32]));
    fixture.links.close(second);
    assert!(fixture.links.note_mut(&peer).is_none());
}
