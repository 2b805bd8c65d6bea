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
    here.ask_anew();
    assert_eq!(play(&mut here, &mut there).0.len(), 2);
}

#[test]
fn what_is_withdrawn_while_the_names_are_still_being_read_is_not_offered_unless_it_comes_again() {
    let (gone, back, stays) = (name(NOW.0 - 10_000, 1), name(NOW.0 - 10_000, 2), name(NOW.0 - 10_000, 3));
    let mut here = Sync::default();
    assert_eq!(here.carry([army()]), [SyncEffect::Index(army())]);
    here.withdraw(&army(), &[gone, back].into());
    here.stored(&army(), [back]);
    here.indexed(&army(), vec![gone, back, stays]);
    assert_eq!(play(&mut node([]), &mut here).0, [stays, back]);
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
fn keeping_since(sync: Sync, ms: u64) -> Sync {
    keeping(sync, Floors::at(Timestamp::from_ms(ms)))
}

/// The same node, which keeps no more than this.
fn keeping(mut sync: Sync, floors: Floors) -> Sync {
    sync.set_floors(|_| floors);
    sync.dropped(&floors, |_| false);
    sync
}

/// Floors at these times, the lowest rank's first.
fn floors(ms: [u64; 5]) -> Floors {
    let mut floors = Floors::NONE;
    Rank::ALL.into_iter().zip(ms).for_each(|(rank, ms)| floors.set(rank, Timestamp::from_ms(ms)));
    floors
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
fn carriers_in_step_settle_three_groups_with_one_round_trip_of_two_kib() {
    let groups = ["navy", "airforce", "army"].map(|group| group.parse::<GroupId>().unwrap());
    let floors = floors([5000, 40_000, 80_000, 85_000, 90_000].map(|ago| NOW.0 - ago));
    let carrier = |other| {
        let mut sync = Sync::default();
        sync.carry(groups.clone());
        for group in &groups {
            let ranks = Rank::ALL.iter().cycle();
            let names = (0..10_000).zip(ranks).map(|(n, rank)| ranked(*rank, NOW.0 - 100_000 + n * 9, n));
            sync.indexed(group, names.collect());
        }
        sync.connected.insert(other, LONG_AGO);
        keeping(sync, floors)
    };
    let (mut leader, mut follower) = (carrier(key(2)), carrier(key(1)));
    let (mut frames, mut bytes) = (0, 0);
    let mut sent = |effects: Vec<SyncEffect>| -> Vec<Vec<u8>> {
        let frame = |effect| if let SyncEffect::Send(_, frame) = effect { Some(frame) } else { None };
        let sent: Vec<Vec<u8>> = effects.into_iter().filter_map(frame).collect();
        frames += sent.len();
        bytes += sent.iter().map(Vec::len).sum::<usize>();
        sent
    };
    follower.opened(SessionId(2), key(1), false, &key(2), (NOW, NOW), &Unsent::default());
    let asked = sent(leader.opened(SessionId(1), key(2), true, &key(1), (NOW, NOW), &Unsent::default()));
    let answered: Vec<Vec<u8>> = asked.iter().flat_map(|frame| sent(follower.frame(SessionId(2), frame))).collect();
    let ended: Vec<SyncEffect> = answered.iter().flat_map(|frame| leader.frame(SessionId(1), frame)).collect();
    assert_eq!(ended, [SyncEffect::Close(SessionId(1))]);
    assert_eq!(frames, 6);
    assert!(bytes <= 2048, "{bytes} bytes");
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
        let again = sync.tick(UnixMillis(NOW.0 + REPAIR_MS), 0);
        assert_eq!(sync.later.len() + sync.due.len() + again.len(), usize::from(me > peer), "only one tries again");
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

fn later(ms: u64) -> UnixMillis {
    UnixMillis(NOW.0 + ms)
}

/// A node that leads a session with the second member, and to which the third is due.
fn leading_while_another_waits() -> Sync {
    let mut sync = node([]);
    let me = key(1);
    for peer in [key(2), key(3)] {
        sync.connected.insert(peer, LONG_AGO);
    }
    assert_eq!(sync.wish(key(2)), [SyncEffect::Open(key(2))]);
    sync.opened(SessionId(1), key(2), true, &me, (NOW, NOW), &Unsent::default());
    assert!(sync.wish(key(3)).is_empty(), "one at a time");
    sync
}

/// Lets a session with the second member, to which the third is due, come to nothing; returns what follows.
fn stall(sync: &mut Sync, nth: u64) -> Vec<SyncEffect> {
    let began = later(nth * 10 * STALL_MS);
    sync.opened(SessionId(nth), key(2), true, &key(1), (began, NOW), &Unsent::default());
    assert!(sync.tick(UnixMillis(began.0 + STALL_MS - 1), 0).is_empty());
    sync.tick(UnixMillis(began.0 + STALL_MS), 0)
}

#[test]
fn a_member_that_does_not_answer_loses_its_session_to_another_and_is_asked_again_once() {
    let mut sync = leading_while_another_waits();
    sync.next_round = Some(later(STALL_MS + ROUND_MIN_MS));
    let ended = sync.tick(later(STALL_MS), 0);
    assert_eq!(ended, [SyncEffect::Close(SessionId(1)), SyncEffect::Open(key(3))]);
    sync.not_opened(&key(3), later(STALL_MS));
    sync.connected.remove(&key(3));
    sync.later.remove(&key(3));
    assert_eq!(sync.tick(later(STALL_MS + REPAIR_MS), 0), [SyncEffect::Open(key(2))], "links break");
    let ended = stall(&mut sync, 2);
    assert_eq!(ended, [SyncEffect::Close(SessionId(2))]);
    assert!(sync.wish(key(2)).is_empty() && !sync.due.contains(&key(2)), "it is not asked again so soon");
}

#[test]
fn a_member_whose_answer_comes_in_the_end_is_compared_with_as_ever() {
    let mut sync = leading_while_another_waits();
    sync.close(SessionId(1));
    sync.opening = None;
    stall(&mut sync, 2);
    let id = SessionId(3);
    let began = later(100 * STALL_MS);
    sync.opened(id, key(2), true, &key(1), (began, NOW), &Unsent::default());
    let answer = Frame::Compared { group: army(), round: Vec::new() };
    assert!(sync.frame(id, &answer.encode()).contains(&SyncEffect::Close(id)), "they are in step");
    stall(&mut sync, 200);
    assert!(!sync.patience.is_paused(&key(2)));
}

#[test]
fn a_session_that_breaks_with_nothing_said_time_and_again_is_not_led_again_at_once() {
    let mut sync = leading_while_another_waits();
    sync.closed(SessionId(1), later(MUTE_MS));
    sync.opening = None;
    sync.tick(later(MUTE_MS + REPAIR_MS), 0);
    assert!(sync.opening == Some(key(2)) || sync.due.contains(&key(2)), "once is nothing");
    sync.opening = None;
    sync.due.clear();
    let again = later(20 * MUTE_MS);
    sync.opened(SessionId(2), key(2), true, &key(1), (again, NOW), &Unsent::default());
    sync.closed(SessionId(2), UnixMillis(again.0 + MUTE_MS));
    sync.tick(UnixMillis(again.0 + MUTE_MS + REPAIR_MS), 0);
    assert!(sync.patience.is_paused(&key(2)) && !sync.due.contains(&key(2)) && sync.opening != Some(key(2)));
}

#[test]
fn answers_that_bring_nothing_keep_no_session_alive() {
    let mut sync = leading_while_another_waits();
    let id = SessionId(1);
    // It claims to hold what nobody has, and answers with nothing, again and again.
    let fake: Vec<SyncId> = (0..10).map(|n| name(NOW.0 - 60_000, n)).collect();
    let mut follower = node(fake);
    follower.connected.insert(key(1), LONG_AGO);
    follower.opened(SessionId(9), key(1), false, &key(2), (NOW, NOW), &Unsent::default());
    let opening = Session::lead(&sync.indexes, window(NOW, false), &Unsent::default());
    let Step::Send(frame) = &opening.compare_all(&sync.indexes).unwrap()[0] else { panic!("no comparing") };
    let answers = follower.frame(SessionId(9), &frame.encode());
    let wants = answers.iter().flat_map(|effect| match effect {
        SyncEffect::Send(_, bytes) => sync.frame(id, bytes),
        _ => Vec::new(),
    });
    assert_eq!(wants.count(), 1, "what it claims to hold is asked for");
    assert!(sync.tick(later(1000), 0).is_empty());
    let empty = Frame::Records { group: army(), records: Vec::new(), last: false };
    let mut ended = Vec::new();
    for second in 2..60 {
        let checked = sync.frame(id, &empty.encode());
        assert!(matches!(checked[..], [SyncEffect::Verify { .. }]), "second {second}: {checked:?}");
        sync.brought(id, 0, false);
        ended.extend(sync.tick(later(second * 1000), 0));
        if !ended.is_empty() {
            break;
        }
    }
    assert_eq!(ended, [SyncEffect::Close(id), SyncEffect::Open(key(3))]);
}

#[test]
fn a_session_that_goes_on_and_on_gives_way_to_others_after_its_turn() {
    let mut sync = leading_while_another_waits();
    let second = |n: u64| later(n * 1000);
    for n in 1..TURN_MS / 1000 {
        sync.sessions.get_mut(&SessionId(1)).unwrap().is_moving = true;
        assert!(sync.tick(second(n), 0).is_empty(), "second {n}");
    }
    sync.sessions.get_mut(&SessionId(1)).unwrap().is_moving = true;
    let ended = sync.tick(later(TURN_MS), 0);
    assert_eq!(ended, [SyncEffect::Close(SessionId(1)), SyncEffect::Open(key(3))]);
    assert!(sync.due.contains(&key(2)), "and goes on when the others have been asked");
}

#[test]
fn sessions_that_members_lead_for_ever_keep_nobody_out() {
    let mut sync = node([]);
    for n in 0..MAX_SESSIONS as u64 {
        sync.opened(SessionId(n), key(10 + n as u8), false, &key(1), (later(n), NOW), &Unsent::default());
    }
    let come =
        |sync: &mut Sync, now| sync.opened(SessionId(99), key(2), false, &key(1), (now, NOW), &Unsent::default());
    assert_eq!(come(&mut sync, later(TURN_MS - 1)), [SyncEffect::Close(SessionId(99))]);
    assert_eq!(come(&mut sync, later(TURN_MS)), [SyncEffect::Close(SessionId(0))]);
    assert_eq!(sync.sessions.len(), MAX_SESSIONS);
    assert!(sync.sessions.contains_key(&SessionId(99)));
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
