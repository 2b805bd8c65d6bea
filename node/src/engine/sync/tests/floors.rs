//! Comparing where one side has had to drop something.

use super::*;

/// The same node, which has dropped everything older than this.
fn keeping_since(sync: Sync, ms: u64) -> Sync {
    keeping(sync, Floors::at(Timestamp::from_ms(ms)))
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
        let since = Frame::Since { group: army(), from: Floors::at(Timestamp::from_ms(from)) };
        assert_eq!(sync.frame(SessionId(1), &since.encode()), [SyncEffect::Close(SessionId(1))]);
    }
}

#[test]
fn a_floor_that_rises_for_one_rank_and_sinks_for_another_ends_the_session() {
    let mut sync = keeping_since(node([]), NOW.0 - 5000);
    sync.connected.insert(key(2), LONG_AGO);
    sync.opened(SessionId(1), key(2), true, &key(1), (NOW, NOW), &Unsent::default());
    let from = floors([4000, 6000, 5000, 5000, 5000].map(|ago| NOW.0 - ago));
    let since = Frame::Since { group: army(), from };
    assert_eq!(sync.frame(SessionId(1), &since.encode()), [SyncEffect::Close(SessionId(1))]);
}

#[test]
fn what_one_side_dropped_of_one_rank_is_still_compared_of_the_others() {
    let ranked_at = |rank, ago| ranked(rank, NOW.0 - ago, ago);
    let all = Rank::ALL.into_iter().flat_map(|rank| [80_000, 40_000].map(|ago| ranked_at(rank, ago)));
    let full = || node(all.clone());
    // Nothing is left of what is routine, and half of what is priority; the urgent has not come yet.
    let floors = floors([3000, 3000, 60_000, RETENTION_MS, RETENTION_MS].map(|ago| NOW.0 - ago));
    let small = || keeping(node(all.clone().filter(|name| name.rank() < Rank::Immediate)), floors);
    let lacking = [(Rank::Flash, 40_000), (Rank::Flash, 80_000), (Rank::Immediate, 40_000), (Rank::Immediate, 80_000)]
        .map(|(rank, ago)| ranked_at(rank, ago));
    assert_eq!(play(&mut small(), &mut full()).0, lacking, "the newest of the most urgent first");
    let (mut leader, mut follower) = (full(), small());
    assert!(play(&mut leader, &mut follower).0.is_empty());
    assert_eq!(follower.due, [key(1)], "it lacks what is urgent, and nothing else");
    let mut follower = keeping(full(), floors);
    assert_eq!(play(&mut full(), &mut follower), (vec![], 4), "one round trip more to learn of the floors");
    assert!(follower.due.is_empty());
}

#[test]
fn what_lies_beyond_a_floor_that_rises_meanwhile_is_asked_for_no_more() {
    let all: Vec<SyncId> = (0..1000).map(|n| name(NOW.0 - 100_000 + n, n)).collect();
    let (mut leader, mut follower) = (node([]), node(all.clone()));
    let (one, two) = (SessionId(1), SessionId(2));
    leader.connected.insert(key(2), LONG_AGO);
    follower.opened(two, key(1), false, &key(2), (NOW, NOW), &Unsent::default());
    let mut effects = leader.opened(one, key(2), true, &key(1), (NOW, NOW), &Unsent::default());
    let mut wanted = BTreeSet::new();
    while let Some(effect) = effects.pop() {
        let SyncEffect::Send(_, frame) = effect else { continue };
        for answer in follower.frame(two, &frame) {
            match answer {
                SyncEffect::Send(_, frame) => effects.extend(leader.frame(one, &frame)),
                SyncEffect::Load(_, _, names) => {
                    wanted.extend(names);
                    // The first answer fills the quota: no more than the newest hundred fit.
                    leader.set_floors(|_| Floors::at(all[900].time()));
                }
                _ => {}
            }
        }
    }
    // What was on its way is stored, and the rest is not asked for.
    assert_eq!(wanted.len(), MAX_WANTED * 4);
    for _ in 0..4 {
        leader.frame(one, &Frame::Records { group: army(), records: vec![vec![7]], last: true }.encode());
        effects.extend(leader.brought(one, 1, true));
    }
    assert_eq!(effects, [SyncEffect::Close(one)]);
}
