//! Two nodes that hold the same: what it costs them to find out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use divan::Bencher;
use muster::engine::io::{Effect, Input, SyncInput};
use muster::engine::sync::{SessionId, SyncEffect, SyncId};
use muster::engine::time::UnixMillis;
use muster::engine::wire::RecordId;
use muster::engine::{Boot, State};
use muster_keys::PublicKey;
use muster_roles::Timestamp;

use crate::figure::{self, figure};
use crate::records::{START_MS, Unit, group, identity};

/// Records that both nodes hold.
const RECORDS: u64 = 1_000_000;

/// As many where it is only to be seen that all works.
const FEW_RECORDS: u64 = 10_000;

/// Sessions of which the quickest counts: a machine does other things too.
const SESSIONS: usize = 10;

/// Bytes of the length before a frame.
const LENGTH_LEN: usize = 4;

/// Long after everything that the nodes hold was written.
const NOW: UnixMillis = UnixMillis(START_MS + 60 * 60 * 1000);

/// Has two engines compare what they hold, and prints the figures.
pub(crate) fn report() {
    let count = if figure::quick() { FEW_RECORDS } else { RECORDS };
    let mut pair = Pair::holding(count);
    let sessions: Vec<(Traffic, Duration)> = (0..SESSIONS)
        .map(|_| {
            let began = Instant::now();
            let traffic = pair.session();
            (traffic, began.elapsed())
        })
        .collect();
    let (traffic, took) = sessions.iter().min_by_key(|(_, took)| *took).unwrap();
    println!("in step: {count} records at either node, {} groups", traffic.frames / 2);
    println!("  a session: {} round trip, {} bytes (limit 2048)", traffic.round_trips, traffic.bytes);
    println!("  both ends, one after the other on one core: {:.1} ms (limit 50 ms)", took.as_secs_f64() * 1000.0);
    println!("  reads from the store: {} (limit 0)", traffic.reads);
    figure("sync.in-step.time", "muster", took.as_secs_f64() * 1000.0, "ms");
    figure("sync.in-step.bytes", "muster", traffic.bytes as f64, "bytes");
    figure("sync.in-step.round-trips", "muster", traffic.round_trips as f64, "");
}

/// What a session took.
#[derive(Debug, Default)]
struct Traffic {
    frames: usize,
    bytes: usize,
    round_trips: usize,
    reads: usize,
}

/// Two engines that are connected, the one that leads first.
struct Pair {
    engines: [State; 2],
    sessions: u64,
}

impl Pair {
    fn holding(count: u64) -> Self {
        let roster = Unit::found().roster;
        let mut members = ["Army1", "Army3"].map(identity);
        members.sort_by_key(|member| *member.public().as_bytes());
        let mut engines = members.map(|member| State::new(member, roster.clone(), Boot::default()));
        let mut chance = fastrand::Rng::with_seed(1);
        let names: Vec<SyncId> = (0..count)
            .map(|n| {
                let mut id = [0; 32];
                chance.fill(&mut id);
                SyncId::new(Timestamp::from_ms(START_MS + n / 1000), &RecordId::from_bytes(id))
            })
            .collect();
        for engine in &mut engines {
            for effect in engine.start() {
                let Effect::Sync(SyncEffect::Index(of)) = effect else { continue };
                let names = if of == group("army") { names.clone() } else { Vec::new() };
                engine.handle(Input::Sync(SyncInput::Indexed { group: of, names }), NOW);
            }
        }
        let keys = engines.each_ref().map(State::public);
        engines[1].handle(Input::MemberUp(keys[0]), NOW);
        // The lower key leads; the stream that it asks for now is the first session's.
        let effects = engines[0].handle(Input::MemberUp(keys[1]), NOW);
        assert!(matches!(effects[..], [Effect::Sync(SyncEffect::Open(_))]), "{effects:?}");
        Self { engines, sessions: 0 }
    }

    fn keys(&self) -> [PublicKey; 2] {
        self.engines.each_ref().map(State::public)
    }

    /// One whole session; the next one is asked for.
    fn session(&mut self) -> Traffic {
        self.sessions += 1;
        let (id, keys) = (SessionId(self.sessions), self.keys());
        let mut traffic = Traffic::default();
        let opened = |peer, leading| SyncInput::Opened { session: id, peer, leading };
        let mut inputs = VecDeque::from([(1, opened(keys[0], false)), (0, opened(keys[1], true))]);
        let mut waited = false;
        while let Some((at, input)) = inputs.pop_front() {
            // All that the leader has sent is answered: a round trip is over.
            if at == 0 && matches!(input, SyncInput::Frame { .. }) && !std::mem::replace(&mut waited, true) {
                traffic.round_trips += 1;
            }
            for effect in self.engines[at].handle(Input::Sync(input), NOW) {
                match effect {
                    Effect::Sync(SyncEffect::Send(_, bytes)) => {
                        traffic.frames += 1;
                        traffic.bytes += bytes.len() + LENGTH_LEN;
                        waited &= at == 1;
                        inputs.push_back((1 - at, SyncInput::Frame { session: id, bytes }));
                    }
                    Effect::Sync(SyncEffect::Close(_)) => inputs.push_back((1 - at, SyncInput::Closed(id))),
                    Effect::Sync(SyncEffect::Index(_) | SyncEffect::Load(..)) => traffic.reads += 1,
                    other => panic!("in step, and yet: {other:?}"),
                }
            }
        }
        let next = self.engines[0].handle(Input::Slow(keys[1]), NOW);
        assert!(matches!(next[..], [Effect::Sync(SyncEffect::Open(_))]), "{next:?}");
        traffic
    }
}

/// A session of two nodes in step, both ends.
#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 20, sample_size = 1)]
fn session_in_step(bencher: Bencher<'_, '_>, records: u64) {
    let pair = RefCell::new(Pair::holding(records));
    bencher.bench_local(|| pair.borrow_mut().session());
}
