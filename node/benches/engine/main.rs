//! What the engine's steps cost, one by one, on one core: the way of a record from a member's words to a reader's row.
//!
//! Each is done with a thousand different records in a row, several times over; the figure is the median time of one.
//!
//! `cargo bench -p muster --bench engine`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]
#![allow(clippy::cast_precision_loss, reason = "figures are for people")]

#[path = "../figure/mod.rs"]
mod figure;
#[path = "../../tests/records/mod.rs"]
mod records;

use std::hint::black_box;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signature, VerifyingKey};
use figure::figure;
use muster::engine::io::{Effect, GossipHandle, Input, SyncInput, Verdict};
use muster::engine::policy::{Permitted, permit_record};
use muster::engine::store::{Fate, Stored};
use muster::engine::sync::SyncId;
use muster::engine::time::UnixMillis;
use muster::engine::verify::{Roots, Verified};
use muster::engine::wire::{Frame, RecordId, encode_batch};
use muster::engine::{Boot, State};
use muster_roles::Timestamp;
use records::{START_MS, Unit, group, identity};
use serde_bytes::{ByteArray, ByteBuf};
use sha2::{Digest, Sha256};

/// Records in a row.
const RECORDS: usize = 1000;

/// How often they are gone through; the median counts.
const SAMPLES: usize = 15;

/// Names in an index.
const NAMES: u64 = 1_000_000;

/// How often an index is filled.
const FILLINGS: usize = 5;

/// A text of the usual length.
const TEXT: &str = "Patrol two has passed the bridge. All is quiet, there is nothing to report from here.";

/// A member may send a hundred records a second in the long run.
const SPACING_MS: u64 = 10;

fn main() {
    if std::env::args().any(|arg| arg == "--bench") {
        let mut unit = Unit::found();
        let said = say(&mut unit);
        signing(&said);
        reading(&unit, &said);
        gossip(&mut unit);
        index();
    }
}

/// So many messages to the army.
fn say(unit: &mut Unit) -> Vec<Permitted> {
    (0..RECORDS as u64).map(|n| unit.post("Army3", "army", START_MS + n * SPACING_MS, TEXT)).collect()
}

fn signing(said: &[Permitted]) {
    let (soldier, mut unit, mut n) = (identity("Army3"), Unit::found(), 0);
    let parts: Vec<Parts> = said.iter().map(|record| Parts::of(record.frame())).collect();
    tell("engine.sign", "muster", each(&parts, |part| _ = black_box(soldier.sign(&part.message))));
    let post = |_: &Permitted| {
        n += 1;
        black_box(unit.post("Army3", "army", START_MS + n * SPACING_MS, TEXT));
    };
    tell("engine.post", "muster", each(said, post));
    let roster = Unit::found().roster;
    let mut roots = Roots::default();
    let check = |record: &Permitted| {
        drop(black_box(Verified::check(record.frame().clone(), roster.unit(), &mut roots).unwrap()));
    };
    tell("engine.verify", "muster", each(said, check));
    tell("engine.verify", "ed25519", each(&parts, Parts::verify));
}

fn reading(unit: &Unit, said: &[Permitted]) {
    let decode = |record: &Permitted| drop(black_box(Frame::decode(record.frame().bytes()).unwrap()));
    tell("engine.decode", "muster", each(said, decode));
    let permit = |record: &Permitted| drop(black_box(permit_record(&unit.roster, record.frame().header()).unwrap()));
    tell("engine.permit", "muster", each(said, permit));
    let (stored, reader): (Vec<Stored>, _) = (said.iter().map(Stored::from).collect(), unit.reader("Army1"));
    tell("engine.open", "muster", each(&stored, |record| drop(black_box(reader.content(record).unwrap()))));
    tell("engine.row", "muster", each(&stored, |record| drop(black_box(reader.row(record).unwrap()))));
}

/// A gossip message of one record, from its bytes to the batch for the store.
fn gossip(unit: &mut Unit) {
    let mut took = Vec::new();
    for _ in 0..SAMPLES {
        let messages: Vec<Vec<u8>> =
            say(unit).iter().map(|record| encode_batch(&[record.frame().bytes().clone()])).collect();
        let mut state = State::new(identity("Army1"), unit.roster.clone(), Boot::default());
        let mut spent = Duration::ZERO;
        for (n, bytes) in (0..).zip(messages) {
            let now = UnixMillis(START_MS + n * SPACING_MS);
            let began = Instant::now();
            let (handle, bearer) = (GossipHandle(n), identity("Army1").public());
            let effects = state.handle(Input::Gossip { handle, bearer, group: group("army"), bytes }, now);
            spent += began.elapsed();
            let records = effects.into_iter().find_map(|effect| match effect {
                Effect::Append(records) => Some(records),
                Effect::Verdict { verdict, .. } => {
                    assert!(matches!(verdict, Verdict::Accept | Verdict::Firsthand));
                    None
                }
                _ => None,
            });
            let records = records.unwrap().into_iter().map(|record| (record, Fate::New)).collect();
            state.handle(Input::Committed { records }, now);
        }
        took.push(spent / u32::try_from(RECORDS).unwrap());
    }
    tell("engine.gossip", "muster", median(took));
}

/// All the names that a store holds of a group, taken in at a start.
fn index() {
    let count = if figure::quick() { NAMES / 100 } else { NAMES };
    let mut chance = fastrand::Rng::with_seed(1);
    let mut name = |n| {
        let mut id = [0; 32];
        chance.fill(&mut id);
        SyncId::new(Timestamp::from_ms(START_MS + n), &RecordId::from_bytes(id))
    };
    let names: Vec<SyncId> = (0..count).map(&mut name).collect();
    let roster = Unit::found().roster;
    let fill = |_| {
        let mut state = State::new(identity("Army1"), roster.clone(), Boot::default());
        drop(state.start());
        let input = Input::Sync(SyncInput::Indexed { group: group("army"), names: names.clone() });
        let began = Instant::now();
        drop(black_box(state.handle(input, UnixMillis(START_MS))));
        began.elapsed()
    };
    let took = median((0..FILLINGS).map(fill).collect());
    figure("engine.index", "muster", took.as_secs_f64() * 1000.0, "ms");
}

/// What a signature check is given: nothing but bytes.
struct Parts {
    author: [u8; 32],
    message: Vec<u8>,
    signature: [u8; 64],
}

impl Parts {
    fn of(frame: &Frame) -> Self {
        let record: (u64, ByteBuf, ByteArray<64>, u64, ByteBuf) = serde_cbor::from_slice(frame.bytes()).unwrap();
        // Signed alone, so that what is signed is the payload's digest.
        assert!(record.4.is_empty());
        let message = [b"muster record 3".as_slice(), &Sha256::digest(&record.1)].concat();
        Self { author: *frame.header().author.as_bytes(), message, signature: record.2.into_array() }
    }

    /// The bare work: the key from its bytes, and the strict check.
    fn verify(&self) {
        let key = VerifyingKey::from_bytes(&self.author).unwrap();
        key.verify_strict(&self.message, &Signature::from_bytes(&self.signature)).unwrap();
    }
}

/// Does something to each of many; returns what one takes.
fn each<T>(all: &[T], mut act: impl FnMut(&T)) -> Duration {
    let mut sample = || {
        let began = Instant::now();
        all.iter().for_each(&mut act);
        began.elapsed() / u32::try_from(all.len()).unwrap()
    };
    median((0..SAMPLES).map(|_| sample()).collect())
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}

fn tell(what: &str, whose: &str, took: Duration) {
    figure(what, whose, took.as_secs_f64() * 1e6, "µs");
}
