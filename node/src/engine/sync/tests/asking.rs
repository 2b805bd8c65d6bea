//! What the side that leads asks for, and what it takes in answer.

use super::*;

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
fn a_side_that_answers_without_an_end_is_cut_off() {
    let (mut here, mut there) = (node([]), node([name(NOW.0 - 10_000_000, 1)]));
    let now = (NOW, NOW);
    here.connected.insert(key(2), LONG_AGO);
    let asked = here.opened(SessionId(1), key(2), true, &key(1), now, &Unsent::default());
    there.opened(SessionId(2), key(1), false, &key(2), now, &Unsent::default());
    let [SyncEffect::Send(_, question)] = &asked[..] else { panic!("{asked:?}") };
    let compared = there.frame(SessionId(2), question);
    let [SyncEffect::Send(_, answer)] = &compared[..] else { panic!("{compared:?}") };
    assert!(matches!(&here.frame(SessionId(1), answer)[..], [SyncEffect::Send(..)]), "it is asked for");
    let flood = Frame::Records { group: army(), records: vec![vec![7; 300]], last: false }.encode();
    let taken =
        (0..10_000).take_while(|_| here.peer(SessionId(1)).is_some() && !here.frame(SessionId(1), &flood).is_empty());
    assert!(taken.count() < 600, "frames that wait are bounded");
    assert_eq!(here.peer(SessionId(1)), None, "the session has ended");
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
