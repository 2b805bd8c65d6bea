//! Posts that come while others are on their way to the store: they are made, signed, stored and told of together.

use std::collections::BTreeSet;

use muster::engine::draft::Draft;
use muster::engine::io::{Effect, Input, PostError, PublishOutcome, RequestId};
use muster::engine::policy::Permitted;
use muster::engine::store::Fate;
use muster::engine::time::UnixMillis;
use muster::engine::verify::{Roots, Verified};
use muster::engine::wire::{Frame, decode_batch};
use muster::engine::{Boot, State};
use muster_roles::Precedence;
use serde_bytes::Bytes;

use crate::world::START;
use crate::{group, unit};

/// Posts that are made at once, however busy the store is.
const MAX_TOGETHER: usize = 16;

/// A member's engine, and what it has asked for since it was last looked.
struct Author {
    state: State,
    posts: u64,
    published: Vec<Vec<u8>>,
    batches: Vec<Vec<Permitted>>,
    made: Vec<u64>,
    refused: Vec<PostError>,
}

impl Author {
    fn new() -> Self {
        let (roster, mut identities) = unit();
        let state = State::new(identities.remove(7), roster, Boot::default());
        Self { state, posts: 0, published: Vec::new(), batches: Vec::new(), made: Vec::new(), refused: Vec::new() }
    }

    fn take_in(&mut self, input: Input) {
        for effect in self.state.handle(input, UnixMillis(START.0 + self.posts)) {
            match effect {
                Effect::Publish { message, .. } => self.published.push(message),
                Effect::Append(records) => self.batches.push(records),
                Effect::Made { request, .. } => self.made.push(request.0),
                Effect::Refused { reason, .. } => self.refused.push(reason),
                _ => {}
            }
        }
    }

    fn post(&mut self, draft: impl Into<Draft>) {
        self.posts += 1;
        let nonce = [u8::try_from(self.posts).unwrap(); 24];
        let request = RequestId(self.posts);
        self.take_in(Input::Post { request, group: group("army"), draft: draft.into(), nonce });
    }

    /// The store has taken the oldest batch.
    fn commit(&mut self) {
        let records = self.batches.remove(0).into_iter().map(|record| (record, Fate::New)).collect();
        self.take_in(Input::Committed { records });
    }

    /// Gossip has taken the message that is under way.
    fn hand_over(&mut self) {
        self.take_in(Input::Published { group: group("army"), outcome: PublishOutcome::Sent });
    }
}

fn signature(bytes: &[u8]) -> [u8; 64] {
    let record: (u64, &Bytes, &Bytes, u64, &Bytes) = serde_cbor::from_slice(bytes).unwrap();
    record.2.as_ref().try_into().unwrap()
}

#[test]
fn a_post_that_comes_alone_is_made_at_once() {
    let mut author = Author::new();
    for n in 1..=3 {
        author.post("alone");
        assert_eq!(author.made.len(), n);
        author.commit();
        // That gossip is still busy with the last one holds up nobody who waits for each answer.
    }
}

#[test]
fn posts_that_come_during_a_commit_are_signed_once_and_each_is_good_by_itself() {
    let mut author = Author::new();
    (0..6).for_each(|n| author.post(format!("message {n}").as_str()));
    assert_eq!(author.made, [1]);
    assert!(!author.state.is_stored(), "a node that ends waits for them");
    author.commit();
    assert_eq!(author.made, [1], "the next message takes them along, so there is no hurry");
    author.hand_over();
    assert_eq!(author.made, [1, 2, 3, 4, 5, 6]);
    let records: Vec<Vec<u8>> = author.batches[0].iter().map(|record| record.frame().bytes().to_vec()).collect();
    assert_eq!(records.iter().map(|bytes| signature(bytes)).collect::<BTreeSet<_>>().len(), 1);
    let unit = author.state.roster().unit();
    for (n, bytes) in records.iter().enumerate() {
        let frame = Frame::decode(bytes).unwrap();
        assert_eq!(frame.header().seq, n as u64 + 2);
        assert!(Verified::check(frame, unit, &mut Roots::default()).is_ok());
    }
    assert_eq!(decode_batch(author.published.last().unwrap()).unwrap().len(), 5, "and they travel together");
    author.commit();
    assert!(author.state.is_stored());
}

#[test]
fn as_many_as_are_signed_together_wait_for_nothing() {
    let mut author = Author::new();
    (0..=MAX_TOGETHER).for_each(|_| author.post("message"));
    assert_eq!(author.made.len(), 1 + MAX_TOGETHER);
    author.post("one more");
    assert_eq!(author.made.len(), 1 + MAX_TOGETHER);
}

#[test]
fn what_is_urgent_waits_for_nothing_and_takes_along_what_came_before() {
    let mut author = Author::new();
    ["one", "two"].into_iter().for_each(|text| author.post(text));
    author.post(Draft::text("quick").with_precedence(Precedence::Priority));
    assert_eq!(author.made, [1, 2, 3]);
}

#[test]
fn posts_that_wait_for_a_store_that_fails_are_refused() {
    let mut author = Author::new();
    ["one", "two", "three"].into_iter().for_each(|text| author.post(text));
    let records = author.batches.remove(0);
    author.take_in(Input::CommitFailed { records });
    author.hand_over();
    assert_eq!(author.refused, [PostError::StoreFailed, PostError::StoreFailed]);
    assert!(author.state.is_stored());
}

#[test]
fn a_post_is_refused_for_its_own_reason_and_those_beside_it_are_made() {
    let mut author = Author::new();
    ["one", "two", "  ", "three"].into_iter().for_each(|text| author.post(text));
    author.hand_over();
    author.commit();
    assert_eq!(
        (author.made.as_slice(), author.refused.as_slice()),
        ([1, 2, 4].as_slice(), [PostError::Empty].as_slice())
    );
}
