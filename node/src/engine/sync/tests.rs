#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod asking;
mod floors;
mod properties;

use muster_keys::Identity;

use super::schedule::{MEETING_MS, REPAIR_MS, ROUND_MIN_MS, STALL_MS, TURN_MS};
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
    for (node, other) in [(&mut *leader, b), (&mut *follower, a)] {
        node.connected.entry(other).or_insert(LONG_AGO);
    }
    let now = (NOW, NOW);
    let to_follower = leader.opened(SessionId(1), b, true, &a, now, &Unsent::default());
    let to_leader = follower.opened(SessionId(2), a, false, &b, now, &Unsent::default());
    talk((leader, to_follower), (follower, to_leader))
}

/// Carries on a session, from what either side wants done, until both are at rest.
fn talk(
    (leader, to_follower): (&mut Sync, Vec<SyncEffect>),
    (follower, to_leader): (&mut Sync, Vec<SyncEffect>),
) -> (Vec<SyncId>, usize) {
    let (one, two) = (SessionId(1), SessionId(2));
    let (mut to_follower, mut to_leader) = (VecDeque::from(to_follower), VecDeque::from(to_leader));
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
fn a_side_that_lacks_something_is_told_and_then_leads() {
    let (mut full, mut empty) = (node([name(NOW.0 - 10_000, 1)]), node([]));
    let (wanted, _) = play(&mut full, &mut empty);
    assert!(wanted.is_empty(), "the leader lacks nothing");
    assert_eq!(empty.due, [key(1)]);
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
fn a_question_about_a_group_whose_names_are_still_being_read_is_answered_with_all_of_them() {
    let all: Vec<SyncId> = (0..300).map(|n| name(NOW.0 - 10_000_000 + n * 1000, n)).collect();
    let (mut here, mut there) = (node([]), Sync::default());
    assert_eq!(there.carry([army()]), [SyncEffect::Index(army())]);
    there.stored(&army(), [all[7]]);
    assert_eq!(play(&mut here, &mut there), (Vec::new(), 1), "a question and no answer");
    let answers = there.indexed(&army(), all.clone());
    let (wanted, _) = talk((&mut here, Vec::new()), (&mut there, answers));
    assert_eq!(wanted.len(), all.len());
}

#[test]
fn a_question_that_waits_for_names_is_answered_if_the_group_is_given_up_and_dropped_if_its_session_ends() {
    let question = |id| {
        let mut sync = Sync::default();
        assert_eq!(sync.carry([army()]), [SyncEffect::Index(army())]);
        sync.opened(SessionId(1), key(1), false, &key(2), (NOW, NOW), &Unsent::default());
        let asked = Frame::Compare {
            group: army(),
            from: Floors::at(Timestamp::from_ms(0)),
            to: Timestamp::from_ms(NOW.0),
            round: vec![],
        };
        assert_eq!(sync.frame(SessionId(id), &asked.encode()), []);
        sync
    };
    let not_carried = Frame::Compared { group: army(), round: Vec::new() };
    assert_eq!(question(1).carry([]), [SyncEffect::Send(SessionId(1), not_carried.encode())]);
    let mut ended = question(1);
    ended.closed(SessionId(1), NOW);
    assert_eq!(ended.carry([]), []);
    assert_eq!(question(2).carry([]), [], "there is no such session");
}
