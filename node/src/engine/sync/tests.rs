#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use muster_keys::Identity;
use negentropy::NegentropyStorageBase;
use proptest::prelude::*;

use super::*;
use crate::engine::wire::{Rank, RecordId};

fn army() -> GroupId {
    "army".parse().unwrap()
}

fn key(n: u8) -> PublicKey {
    Identity::from_seed(&[n; 32]).public()
}

fn name(ms: u64, n: u64) -> SyncId {
    ranked(Rank::Routine, ms, n)
}

fn ranked(rank: Rank, ms: u64, n: u64) -> SyncId {
    let mut id = [0; 32];
    id[0] = u8::try_from(Rank::ALL.iter().position(|other| *other == rank).unwrap()).unwrap();
    id[1..9].copy_from_slice(&n.to_le_bytes());
    SyncId::new(Timestamp::from_ms(ms), &RecordId::from_bytes(id))
}

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// When members came that are not just meeting.
const LONG_AGO: UnixMillis = UnixMillis(NOW.0 - MEETING_MS);

/// A node that carries one group and holds these.
fn node(names: impl IntoIterator<Item = SyncId>) -> Sync {
    let mut sync = Sync::default();
    assert_eq!(sync.carry([army()]), [SyncEffect::Index(army())]);
    assert!(sync.indexed(&army(), names.into_iter().collect()).is_empty());
    sync
}

/// Two connected nodes, the first of which leads a session; carries frames between them until both are at rest.
///
/// Returns the names that the leader asked for, in order, and the frames that travelled.
fn play(leader: &mut Sync, follower: &mut Sync) -> (Vec<SyncId>, usize) {
    let (a, b) = (key(1), key(2));
    let (one, two) = (SessionId(1), SessionId(2));
    for (node, other) in [(&mut *leader, b), (&mut *follower, a)] {
        node.connected.entry(other).or_insert(LONG_AGO);
    }
    let now = (NOW, NOW);
    let mut to_follower: VecDeque<SyncEffect> = leader.opened(one, b, true, &a, now, &Unsent::default()).into();
    let mut to_leader: VecDeque<SyncEffect> = follower.opened(two, a, false, &b, now, &Unsent::default()).into();
    let (mut wanted, mut frames) = (Vec::new(), 0);
    loop {
        if let Some(effect) = to_follower.pop_front() {
            match effect {
                SyncEffect::Send(_, bytes) => {
                    frames += 1;
                    to_leader.extend(follower.frame(two, &bytes));
                }
                SyncEffect::Verify { group, last, .. } => {
                    leader.stored(&group, wanted.clone());
                    to_follower.extend(leader.brought(one, 1, last));
                }
                _ => {}
            }
        } else if let Some(effect) = to_leader.pop_front() {
            match effect {
                SyncEffect::Send(_, bytes) => {
                    frames += 1;
                    to_follower.extend(leader.frame(one, &bytes));
                }
                SyncEffect::Load(_, group, names) => {
                    wanted.extend(&names);
                    to_leader.extend(follower.loaded(two, &group, vec![vec![7; 300]; names.len()]));
                }
                _ => {}
            }
        } else {
            return (wanted, frames);
        }
    }
}

#[test]
fn two_that_hold_the_same_settle_it_with_one_question_and_one_answer() {
    let names: Vec<SyncId> = (0..5000).map(|n| name(NOW.0 - 10_000 - n, n)).collect();
    let (wanted, frames) = play(&mut node(names.clone()), &mut node(names));
    assert_eq!((wanted.len(), frames), (0, 2));
}

#[test]
fn the_leader_asks_for_exactly_what_it_lacks_the_newest_first() {
    let all: Vec<SyncId> = (0..3000).map(|n| name(NOW.0 - 10_000_000 + n * 1000, n)).collect();
    let held = all.iter().copied().enumerate().filter(|(n, _)| n % 3 == 0).map(|(_, name)| name);
    let mut lacking: Vec<SyncId> =
        all.iter().copied().enumerate().filter(|(n, _)| n % 3 != 0).map(|(_, name)| name).collect();
    let (wanted, _) = play(&mut node(held), &mut node(all.clone()));
    lacking.reverse();
    assert_eq!(wanted, lacking);
}

#[test]
fn what_is_urgent_is_asked_for_first_and_receipts_last() {
    let name_of = |(n, rank): (u64, &Rank)| ranked(*rank, NOW.0 - 10_000_000 + n * 1000, n);
    let ranks = Rank::ALL.iter().cycle().take(1000);
    let mut all: Vec<SyncId> = (0..).zip(ranks).map(name_of).collect();
    let (wanted, _) = play(&mut node([]), &mut node(all.clone()));
    all.sort_by_key(|name| (name.rank(), *name));
    all.reverse();
    assert_eq!(wanted, all);
}

#[test]
fn a_side_that_lacks_something_is_told_and_then_leads() {
    let (mut full, mut empty) = (node([name(NOW.0 - 10_000, 1)]), node([]));
    let (wanted, _) = play(&mut full, &mut empty);
    assert!(wanted.is_empty(), "the leader lacks nothing");
    assert_eq!(empty.due, [key(1)]);
}

#[test]
fn what_is_refused_once_is_not_asked_for_again_until_the_roster_changes() {
    let (mut here, mut there) = (node([]), node([name(NOW.0 - 10_000, 1), name(NOW.0 - 10_000, 2)]));
    here.refuse(&army(), name(NOW.0 - 10_000, 1));
    assert_eq!(play(&mut here, &mut there).0, [name(NOW.0 - 10_000, 2)]);
    let mut here = node([]);
    here.refuse(&army(), name(NOW.0 - 10_000, 1));
    here.rejudge(&army(), &BTreeSet::new());
    assert_eq!(play(&mut here, &mut there).0.len(), 2);
}

#[test]
fn the_week_is_compared_and_not_what_gossip_still_carries() {
    let old = name(NOW.0 - RETENTION_MS - 1, 1);
    let young = name(NOW.0 - 1000, 2);
    let due = name(NOW.0 - 3000, 3);
    assert_eq!(play(&mut node([]), &mut node([old, young, due])).0, [due]);
}

#[test]
fn members_that_are_just_meeting_compare_what_is_young_too() {
    let young = name(NOW.0 - 1, 2);
    let ahead = name(NOW.0 + 30_000, 3);
    let mut here = node([]);
    here.connected.insert(key(2), UnixMillis(NOW.0 - MEETING_MS + 1));
    assert_eq!(play(&mut here, &mut node([young, ahead])).0, [ahead, young]);
}

#[test]
fn a_member_that_says_what_it_listens_to_while_a_session_with_it_begins_is_compared_with_once() {
    let (me, peer) = (key(1).min(key(2)), key(1).max(key(2)));
    let mut sync = node([]);
    sync.member_up(&me, peer, NOW);
    assert_eq!(sync.meet(&me, peer), [SyncEffect::Open(peer)]);
    assert!(sync.meet(&me, peer).is_empty());
    let frames = sync.opened(SessionId(1), peer, true, &me, (NOW, NOW), &Unsent::default());
    assert!(matches!(frames[..], [SyncEffect::Send(..)]));
    assert!(sync.due.is_empty());
    // What was forwarded since may have passed it by.
    assert!(sync.meet(&me, peer).is_empty());
    assert_eq!(sync.due, [peer]);
}

#[test]
fn what_gossip_has_lost_is_looked_for_again_when_it_is_old_enough() {
    let (me, peer) = (key(1), key(2));
    let mut sync = node([]);
    sync.connected.insert(peer, LONG_AGO);
    assert_eq!(sync.lost(peer, NOW), [SyncEffect::Open(peer)]);
    sync.opened(SessionId(1), peer, true, &me, (NOW, NOW), &Unsent::default());
    sync.closed(SessionId(1), NOW);
    assert!(sync.tick(UnixMillis(NOW.0 + GOSSIP_LEAD_MS), 0).is_empty());
    assert_eq!(sync.tick(UnixMillis(NOW.0 + REPAIR_MS), 0), [SyncEffect::Open(peer)]);
}

/// The same node, which has dropped everything older than this.
fn keeping_since(mut sync: Sync, ms: u64) -> Sync {
    sync.drop_below(|_| Timestamp::from_ms(ms));
    sync
}

#[test]
fn what_one_side_had_to_drop_is_neither_asked_for_nor_offered_again() {
    let all: Vec<SyncId> = (0..1000).map(|n| name(NOW.0 - 100_000 + n * 10, n)).collect();
    let floor = NOW.0 - 95_000;
    let short = || keeping_since(node(all.clone()), floor);
    assert_eq!(play(&mut short(), &mut node(all.clone())), (vec![], 2), "the side that dropped leads");
    let mut leader = node(all.clone());
    let mut follower = short();
    assert_eq!(play(&mut leader, &mut follower), (vec![], 4), "one round trip more to learn of it");
    assert!(follower.due.is_empty(), "it is not told that it lacks anything");
    let shorter = || keeping_since(node(all.clone()), floor + 2000);
    assert_eq!(play(&mut short(), &mut shorter()), (vec![], 4));
    assert_eq!(play(&mut shorter(), &mut short()), (vec![], 2));
    assert_eq!(play(&mut node(all.clone()), &mut keeping_since(node([]), NOW.0)), (vec![], 2), "nothing is left");
}

#[test]
fn who_keeps_less_still_gets_what_is_newer() {
    let all: Vec<SyncId> = (0..1000).map(|n| name(NOW.0 - 100_000 + n * 10, n)).collect();
    let mut short = keeping_since(node(all.iter().copied().take(600)), NOW.0 - 95_000);
    let (wanted, _) = play(&mut short, &mut node(all.clone()));
    assert_eq!(wanted.len(), 400);
    let mut full = node(all.iter().copied().filter(|name| name.time().ms() % 20 == 0));
    let (wanted, _) = play(&mut full, &mut keeping_since(node(all), NOW.0 - 95_000));
    assert_eq!(wanted.len(), 250, "of what the other side still has");
}

#[test]
fn a_floor_that_does_not_rise_ends_the_session() {
    for from in [0, NOW.0 - RETENTION_MS] {
        let mut sync = node([]);
        sync.connected.insert(key(2), LONG_AGO);
        sync.opened(SessionId(1), key(2), true, &key(1), (NOW, NOW), &Unsent::default());
        let since = Frame::Since { group: army(), from: Timestamp::from_ms(from) };
        assert_eq!(sync.frame(SessionId(1), &since.encode()), [SyncEffect::Close(SessionId(1))]);
    }
}

#[test]
fn a_group_that_the_other_does_not_carry_is_left_alone() {
    let mut other = Sync::default();
    other.carry(["navy".parse().unwrap()]);
    other.indexed(&"navy".parse().unwrap(), Vec::new());
    let (wanted, frames) = play(&mut node([name(NOW.0 - 10_000, 1)]), &mut other);
    assert_eq!((wanted.len(), frames), (0, 2));
}

#[test]
fn a_node_leads_one_session_at_a_time() {
    let mut sync = node([]);
    let (me, peers) = (key(1), [key(2), key(3), key(4)]);
    sync.connected.extend(peers.map(|peer| (peer, LONG_AGO)));
    let opened: Vec<SyncEffect> = peers.iter().flat_map(|peer| sync.wish(*peer)).collect();
    assert_eq!(opened, [SyncEffect::Open(peers[0])]);
    sync.opened(SessionId(1), peers[0], true, &me, (NOW, NOW), &Unsent::default());
    assert!(sync.wish(peers[1]).is_empty());
    assert_eq!(sync.closed(SessionId(1), NOW), [SyncEffect::Open(peers[1])]);
}

#[test]
fn where_both_open_at_once_the_one_that_the_lower_key_leads_goes_on() {
    for (me, peer) in [(key(1), key(2)), (key(2), key(1))] {
        let mut sync = node([]);
        sync.connected.insert(peer, LONG_AGO);
        sync.opened(SessionId(1), peer, true, &me, (NOW, NOW), &Unsent::default());
        let effects = sync.opened(SessionId(2), peer, false, &me, (NOW, NOW), &Unsent::default());
        let closed = if me < peer { SessionId(2) } else { SessionId(1) };
        assert_eq!(effects, [SyncEffect::Close(closed)]);
        assert_eq!(sync.sessions.len(), 1);
    }
}

#[test]
fn a_session_that_was_led_and_broke_is_led_again_in_a_moment() {
    let peer = key(2);
    let later = UnixMillis(NOW.0 + REPAIR_MS);
    let broken: [fn(&mut Sync); 3] = [
        |sync| drop(sync.not_opened(&key(2), NOW)),
        |sync| {
            sync.opened(SessionId(1), key(2), true, &key(1), (NOW, NOW), &Unsent::default());
            sync.closed(SessionId(1), NOW);
        },
        |sync| {
            // The member has a stream open that this side had not seen end.
            sync.opened(SessionId(1), key(2), false, &key(1), (NOW, NOW), &Unsent::default());
            sync.opened(SessionId(2), key(2), true, &key(3), (NOW, NOW), &Unsent::default());
            sync.closed(SessionId(1), NOW);
        },
    ];
    for break_it in broken {
        let mut sync = node([]);
        sync.connected.insert(peer, LONG_AGO);
        assert_eq!(sync.wish(peer), [SyncEffect::Open(peer)]);
        break_it(&mut sync);
        assert!(sync.tick(NOW, 0).is_empty(), "not at once");
        assert_eq!(sync.tick(later, 0), [SyncEffect::Open(peer)]);
        sync.member_down(&peer);
        assert!(sync.not_opened(&peer, later).is_empty() && sync.later.is_empty(), "it has gone");
    }
}

#[test]
fn sessions_are_bounded() {
    let mut sync = node([]);
    let me = key(1);
    for n in 0..20 {
        let peer = key(n + 2);
        sync.connected.insert(peer, LONG_AGO);
        sync.opened(SessionId(u64::from(n)), peer, false, &me, (NOW, NOW), &Unsent::default());
    }
    assert_eq!(sync.sessions.len(), MAX_SESSIONS);
}

#[test]
fn frames_that_nobody_waits_for_end_the_session() {
    let unasked = [
        Frame::Records { group: army(), records: vec![vec![1]], last: true },
        Frame::Compared { group: army(), round: vec![0x61] },
    ];
    for frame in unasked {
        let mut sync = node([]);
        sync.connected.insert(key(2), LONG_AGO);
        sync.opened(SessionId(1), key(2), false, &key(1), (NOW, NOW), &Unsent::default());
        assert_eq!(sync.frame(SessionId(1), &frame.encode()), [SyncEffect::Close(SessionId(1))]);
    }
}

#[test]
fn records_are_cut_into_frames_within_their_bound() {
    for (count, len) in [(0, 0), (1, 8 * 1024), (128, 8 * 1024), (128, 300)] {
        let frames = frame::answer(&army(), vec![vec![9; len]; count]);
        assert!(frames.iter().all(|frame| frame.encode().len() <= MAX_FRAME_LEN));
        let (mut carried, mut lasts) = (0, 0);
        for frame in &frames {
            let Frame::Records { records, last, .. } = frame else { panic!("{frame:?}") };
            carried += records.len();
            lasts += usize::from(*last);
        }
        assert_eq!((carried, lasts), (count, 1));
        assert!(matches!(frames.last(), Some(Frame::Records { last: true, .. })));
    }
}

/// The names that reconciliation sees, in its order.
fn compared(index: &Index) -> Vec<SyncId> {
    let window = index.window(Timestamp::ZERO, Timestamp::from_u64(u64::MAX));
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

fn frames() -> impl Strategy<Value = Frame> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        (any::<u64>(), any::<u64>(), bytes()).prop_map(|(from, to, round)| Frame::Compare {
            group: army(),
            from: Timestamp::from_u64(from),
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
        any::<u64>().prop_map(|from| Frame::Since { group: army(), from: Timestamp::from_u64(from) }),
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
            Frame::Compare { group: army(), from: Timestamp::ZERO, to: Timestamp::from_u64(u64::MAX), round }
        };
        drop(sync.frame(SessionId(1), &frame.encode()));
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
