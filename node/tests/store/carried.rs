//! What is carried for others has a bound on disk, and the store knows what each group takes without counting.

use muster::disk::writer::{Job, Outcome, Writer};
use muster::engine::policy::Permitted;
use muster::engine::store::{Shed, Store};
use muster_roles::Timestamp;

use crate::records::{START_MS, Unit, group};
use crate::{Place, at, id, ids, ids_in};

/// The army and the navy talk in turn, a millisecond apart.
fn talk(count: u64) -> Vec<Permitted> {
    let mut unit = Unit::found();
    let say = |n| if n % 2 == 0 { ("Army1", "army") } else { ("Navy1", "navy") };
    (0..count).map(|n| unit.post(say(n).0, say(n).1, START_MS + n, "a word")).collect()
}

fn bytes(records: &[Permitted]) -> u64 {
    records.iter().map(|record| record.frame().bytes().len() as u64).sum()
}

/// A bound for a member of the navy.
fn shed(to_bytes: u64) -> Shed {
    Shed { own: [group("navy")].into(), above_bytes: to_bytes, to_bytes }
}

fn ids_of(records: &[Permitted], of: &str) -> Vec<muster::engine::wire::RecordId> {
    records.iter().filter(|record| record.frame().header().group == group(of)).map(id).collect()
}

#[test]
fn the_oldest_of_what_is_not_ones_own_goes_and_the_floor_outlives_a_start() {
    let talk = talk(40);
    let place = Place::holding(&talk);
    let mut disk = place.open();
    let army: Vec<Permitted> = talk.iter().step_by(2).cloned().collect();
    let room = bytes(&army[15..]);
    assert_eq!((disk.floor().unwrap(), disk.size(&group("army")).unwrap()), (Timestamp::ZERO, bytes(&army)));
    let before = disk.shed(&shed(room)).unwrap().unwrap();
    assert!(before > at(START_MS + 28) && before <= at(START_MS + 30), "{} ms", before.ms() - START_MS);
    assert_eq!(disk.shed(&shed(room)).unwrap(), None, "there is room now");
    drop(disk);
    let disk = place.open();
    assert_eq!((disk.floor().unwrap(), disk.size(&group("army")).unwrap()), (before, room));
    assert_eq!((ids_in(&disk, "army"), ids_in(&disk, "navy")), (ids(&army[15..]), ids_of(&talk, "navy")));
}

#[test]
fn a_floor_never_sinks() {
    let talk = talk(20);
    let place = Place::holding(&talk[10..]);
    let mut disk = place.open();
    let high = disk.shed(&shed(0)).unwrap().unwrap();
    disk.append(&talk[..10]).unwrap();
    assert!(disk.shed(&shed(0)).unwrap().unwrap() < high);
    assert_eq!(disk.floor().unwrap(), high);
}

#[test]
fn the_thread_sheds_and_tells_when_it_did() {
    let talk = talk(20);
    let place = Place::holding(&talk);
    let mut writer = Writer::start(place.open()).unwrap();
    for bytes in [u64::MAX, 0] {
        writer.jobs.blocking_send(Job::Shed(shed(bytes))).unwrap();
    }
    let outcome = writer.outcomes.blocking_recv();
    assert!(matches!(outcome, Some(Outcome::Shed { before }) if before > at(START_MS + 18)), "{outcome:?}");
    drop(writer.jobs);
    assert!(writer.outcomes.blocking_recv().is_none(), "only once");
    assert_eq!(ids_in(&place.open(), "army"), []);
}
