//! What a flood costs the engine that judges it, by the verdicts that it gives.

use std::sync::Arc;

use muster::engine::io::{Effect, GossipHandle, Input, SyncInput, Verdict};
use muster::engine::policy::AUTHOR_BURST;
use muster::engine::sync::SyncId;
use muster::engine::time::UnixMillis;
use muster::engine::wire::Frame;
use muster::engine::{Boot, State};
use muster_keys::Identity;
use muster_roles::{GroupId, Role, Roster, Timestamp};

use super::by_members::packed;
use crate::forge::Forged;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Records in a message.
const BATCH: usize = 50;

fn army() -> GroupId {
    "army".parse().unwrap()
}

fn key(nth: u8) -> Identity {
    Identity::from_seed(&[nth; 32])
}

/// A unit of a commander and two soldiers of the army, whose keys are the second and the third.
fn unit() -> Arc<Roster> {
    let now = Timestamp::from_ms(NOW.0 - 24 * 60 * 60 * 1000);
    let (name, troops) = ("1st Brigade".parse().unwrap(), ["army:r".parse().unwrap()]);
    let documents = muster_roles::found(&name, &"Chief".parse().unwrap(), &key(1), &troops, now).unwrap();
    let mut roster = Roster::from_documents(documents.iter().map(Vec::as_slice), now).unwrap();
    for nth in [2, 3] {
        let (name, role) = (format!("Army{nth}").parse().unwrap(), Role::Soldier(army()));
        for document in muster_roles::add_member(&roster, &key(1), name, role, key(nth).public(), now).unwrap() {
            roster.accept(&document, now).unwrap();
        }
    }
    Arc::new(roster)
}

/// Makes records in the name of the second key, signed by this one.
fn records(roster: &Roster, signer: u8, seqs: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    let (author, signer) = (key(2), key(signer));
    let forged = |seq: usize| {
        let time = Timestamp::from_ms(NOW.0 - 60_000 + seq as u64);
        let (group, seq) = (army(), seq as u64);
        Forged { roster, signer: &signer, author: &author, group, time, seq, kind: 0, precedence: 0 }.record()
    };
    seqs.map(forged).collect()
}

/// Hands a node a gossip message; returns the verdict, and how many records go to the store.
fn gossip(state: &mut State, records: &[Vec<u8>]) -> (Verdict, usize) {
    let (handle, bearer) = (GossipHandle(1), key(4).public());
    let input = Input::Gossip { handle, bearer, group: army(), bytes: packed(records) };
    let (mut verdict, mut stored) = (None, 0);
    for effect in state.handle(input, NOW) {
        match effect {
            Effect::Verdict { verdict: given, .. } => verdict = Some(given),
            Effect::Append(records) => stored += records.len(),
            _ => {}
        }
    }
    (verdict.expect("a verdict"), stored)
}

#[test]
fn records_that_are_stored_already_take_none_of_their_author_s_tokens() {
    let roster = unit();
    let mut state = State::new(key(3), Arc::clone(&roster), Boot::default());
    state.start();
    // A node that has just started, and holds more of one author than that may send at once.
    let old = records(&roster, 2, 0..AUTHOR_BURST as usize + 500);
    let name = |record: &Vec<u8>| {
        let frame = Frame::decode(record).unwrap();
        SyncId::new(frame.header().time, &frame.id())
    };
    let names = old.iter().map(name).collect();
    state.handle(Input::Sync(SyncInput::Indexed { group: army(), names }), NOW);
    for again in old.chunks(BATCH) {
        assert_eq!(gossip(&mut state, again), (Verdict::Ignore, 0));
    }
    let new = records(&roster, 2, 5000..5001);
    assert_eq!(gossip(&mut state, &new), (Verdict::Accept, 1));
}

#[test]
fn what_claims_to_be_of_an_author_without_tokens_is_not_worth_a_look_at_its_signature() {
    let roster = unit();
    let mut state = State::new(key(3), Arc::clone(&roster), Boot::default());
    state.start();
    let forged = records(&roster, 1, 9000..9001);
    assert_eq!(gossip(&mut state, &forged), (Verdict::Reject, 0));
    for burst in records(&roster, 2, 0..AUTHOR_BURST as usize).chunks(BATCH) {
        assert_eq!(gossip(&mut state, burst), (Verdict::Accept, BATCH));
    }
    assert_eq!(gossip(&mut state, &forged), (Verdict::Ignore, 0));
}
