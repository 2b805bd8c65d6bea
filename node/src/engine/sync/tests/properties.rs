//! What holds for any frame, any names and any changes of them.

use negentropy::NegentropyStorageBase;
use proptest::prelude::*;

use super::*;

/// The names that reconciliation sees, in its order.
fn compared(index: &Index) -> Vec<SyncId> {
    let window = index.window(&Floors::NONE, Timestamp::from_u64(u64::MAX));
    let mut names = Vec::new();
    window
        .iterate(0, window.size().unwrap(), &mut |item, _| {
            names.push(SyncId::from_bytes(*item.id.as_bytes()));
            Ok(true)
        })
        .unwrap();
    names
}

#[test]
fn names_that_come_newest_first_are_all_there_and_in_order() {
    let names: Vec<SyncId> = (0..10_000).map(|n| name(NOW.0 - 20_000 + n, n)).collect();
    let mut index = Index::default();
    index.extend(names.iter().copied().step_by(2));
    for late in names.rchunks(100) {
        index.extend(late.iter().rev().copied());
    }
    assert_eq!(index.len(), names.len());
    index.settle();
    assert_eq!(compared(&index), names);
}

/// What negentropy itself says of the names of a time, and what is kept summed up.
fn fingerprints(index: &Index, from: u64, to: u64) -> ([u8; 16], Vec<u8>) {
    let window = index.window(&floors([from; 5]), Timestamp::from_ms(to));
    (window.fingerprint(0, window.size().unwrap()).unwrap().to_bytes(), window.opening())
}

#[test]
fn what_is_summed_up_by_blocks_is_negentropy_s_fingerprint_whatever_part_is_asked_for() {
    let (start, count) = (NOW.0 - 20_000, 10_000);
    let names: Vec<SyncId> = (0..count).map(|n| name(start + n, n)).collect();
    let mut index = Index::default();
    let check = |index: &Index, of: &str| {
        for (from, to) in
            [(0, 0), (0, count), (0, 1), (1, 1023), (1023, 1025), (1024, 2048), (17, 9_000), (9_999, count)]
        {
            let (theirs, ours) = fingerprints(index, start + from, start + to);
            assert_eq!(ours, [&[0x61, 0, 0, 1][..], &theirs].concat(), "{of}: {from} to {to}");
        }
    };
    index.extend(names.iter().copied().step_by(2));
    check(&index, "in order");
    index.extend(names.iter().copied());
    index.settle();
    check(&index, "with late ones");
    index.prune(Timestamp::from_ms(start + 1500));
    check(&index, "some dropped");
    index.retain(|name| name.time().ms() % 3 > 0);
    check(&index, "a third gone");
    let mut filled = Index::default();
    filled.fill(names);
    check(&filled, "from a store");
}

fn any_floors() -> impl Strategy<Value = Floors> {
    prop_oneof![proptest::array::uniform5(any::<u32>()), any::<u32>().prop_map(|ms| [ms; 5])]
        .prop_map(|ms| floors(ms.map(u64::from)))
}

fn frames() -> impl Strategy<Value = Frame> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        (any_floors(), any::<u64>(), bytes()).prop_map(|(from, to, round)| Frame::Compare {
            group: army(),
            from,
            to: Timestamp::from_u64(to),
            round
        }),
        bytes().prop_map(|round| Frame::Compared { group: army(), round }),
        proptest::collection::vec(any::<[u8; 32]>(), 0..MAX_WANTED).prop_map(|names| Frame::Want {
            group: army(),
            names: names.into_iter().map(SyncId::from_bytes).collect()
        }),
        (proptest::collection::vec(bytes(), 0..20), any::<bool>()).prop_map(|(records, last)| Frame::Records {
            group: army(),
            records,
            last
        }),
        any_floors().prop_map(|from| Frame::Since { group: army(), from }),
        Just(Frame::Behind),
    ]
}

proptest! {
    #[test]
    fn any_frame_comes_back_as_it_went(frame in frames()) {
        prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(Frame::decode(&bytes));
    }

    #[test]
    fn a_hostile_round_never_panics(round in proptest::collection::vec(any::<u8>(), 0..400), leads in any::<bool>()) {
        let mut sync = node((0..100).map(|n| name(NOW.0 - 10_000 - n, n)));
        sync.connected.insert(key(2), LONG_AGO);
        sync.opened(SessionId(1), key(2), leads, &key(1), (NOW, NOW), &Unsent::default());
        let round = [&[0x61][..], &round].concat();
        let frame = if leads {
            Frame::Compared { group: army(), round }
        } else {
            Frame::Compare { group: army(), from: Floors::NONE, to: Timestamp::from_u64(u64::MAX), round }
        };
        drop(sync.frame(SessionId(1), &frame.encode()));
    }

    #[test]
    fn whatever_either_side_has_dropped_the_leader_asks_for_just_what_both_keep_and_it_lacks(
        records in proptest::collection::vec((0_usize..5, 0_u64..40, any::<[bool; 2]>()), 0..80),
        dropped in proptest::array::uniform2(proptest::array::uniform5(0_u64..45)),
    ) {
        let all = records.iter().zip(0..).map(|((rank, at, held), n)| (ranked(Rank::ALL[*rank], NOW.0 - 100_000 + at * 1000, n), *held));
        let [here, there] = dropped.map(|times| floors(times.map(|at| NOW.0 - 100_000 + at * 1000)));
        let side = |which: usize, floors| keeping(node(all.clone().filter(|(_, held)| held[which]).map(|(name, _)| name)), floors);
        let (mut leader, mut follower) = (side(0, here), side(1, there));
        let (wanted, _) = play(&mut leader, &mut follower);
        let both = here.max(there);
        let lacking: BTreeSet<SyncId> = all.clone()
            .filter(|(name, held)| both.keep_name(name) && *held == [false, true]).map(|(name, _)| name).collect();
        prop_assert_eq!(wanted.len(), lacking.len());
        prop_assert_eq!(wanted.into_iter().collect::<BTreeSet<_>>(), lacking);
        let is_behind = all.clone().any(|(name, held)| both.keep_name(&name) && held == [true, false]);
        prop_assert_eq!(!follower.due.is_empty(), is_behind);
        leader.sessions.clear();
        follower.sessions.clear();
        let (wanted, frames) = play(&mut leader, &mut follower);
        prop_assert!(wanted.is_empty(), "nothing is asked for twice");
        prop_assert!(is_behind || frames <= 4, "{frames} frames");
    }

    #[test]
    fn an_index_is_sorted_and_holds_each_name_once(batches in proptest::collection::vec(
        (proptest::collection::vec((0_u64..50, 0_u64..4), 0..20), any::<bool>()), 0..8,
    )) {
        let mut index = Index::default();
        let mut model = BTreeSet::new();
        for (batch, settles) in batches {
            let names: Vec<SyncId> = batch.into_iter().map(|(ms, n)| name(ms, n)).collect();
            model.extend(names.iter().copied());
            index.extend(names);
            prop_assert_eq!(index.len(), model.len());
            prop_assert!(model.iter().all(|name| index.contains(name)));
            if settles {
                index.settle();
                prop_assert_eq!(compared(&index), model.iter().copied().collect::<Vec<_>>());
            }
        }
        index.prune(Timestamp::from_ms(25));
        model.retain(|name| name.time() >= Timestamp::from_ms(25));
        prop_assert_eq!(index.len(), model.len());
    }
}
