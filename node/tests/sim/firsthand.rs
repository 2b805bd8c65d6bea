//! What a member says is told apart by who brings it: its author, or somebody who passes it on.

use muster::engine::draft::Draft;
use muster::engine::io::{Effect, GossipHandle, Input, RequestId, Verdict};
use muster::engine::wire::{decode_batch, encode_batch};
use muster::engine::{Boot, State};
use muster_keys::PublicKey;

use crate::world::START;
use crate::{group, unit};

/// Three of the army.
const FIRST: usize = 7;
const SECOND: usize = 8;
const READER: usize = 9;

fn member(nth: usize) -> State {
    let (roster, mut identities) = unit();
    State::new(identities.swap_remove(nth), roster, Boot::default())
}

/// The gossip message with which a member says something.
fn said(author: usize) -> Vec<u8> {
    let post = Input::Post {
        request: RequestId(1),
        group: group("army"),
        draft: Draft::text("here"),
        nonce: [u8::try_from(author).unwrap(); 24],
    };
    let published = member(author).handle(post, START).into_iter().find_map(|effect| match effect {
        Effect::Publish { message, .. } => Some(message),
        _ => None,
    });
    published.unwrap()
}

fn judged(message: &[u8], bearer: PublicKey) -> Verdict {
    let input = Input::Gossip { handle: GossipHandle(1), bearer, group: group("army"), bytes: message.to_vec() };
    let verdict = member(READER).handle(input, START).into_iter().find_map(|effect| match effect {
        Effect::Verdict { verdict, .. } => Some(verdict),
        _ => None,
    });
    verdict.unwrap()
}

#[test]
fn what_its_author_brings_is_firsthand_and_what_another_brings_is_passed_on_at_once() {
    let (message, author, other) = (said(FIRST), member(FIRST).public(), member(SECOND).public());
    assert_eq!(judged(&message, author), Verdict::Firsthand);
    assert_eq!(judged(&message, other), Verdict::Accept);
}

#[test]
fn a_message_with_another_s_record_in_it_is_passed_on_at_once() {
    let records: Vec<_> = [FIRST, SECOND].iter().flat_map(|author| decode_batch(&said(*author)).unwrap()).collect();
    let mixed = encode_batch(&records.iter().map(|record| record.bytes().clone()).collect::<Vec<_>>());
    assert_eq!(judged(&mixed, member(FIRST).public()), Verdict::Accept);
}
