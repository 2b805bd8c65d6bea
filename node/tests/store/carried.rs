//! What is carried for others has a bound on disk, and the store knows what each group takes without counting.

use muster::disk::writer::{Job, Outcome, Writer};
use muster::engine::draft::Draft;
use muster::engine::floors::Floors;
use muster::engine::policy::Permitted;
use muster::engine::store::{Shed, Store};
use muster::engine::wire::Rank;
use muster_roles::{Precedence, Timestamp};
use redb::{Database, TableDefinition};

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
    assert_eq!((disk.floors().unwrap(), disk.size(&group("army")).unwrap()), (Floors::NONE, bytes(&army)));
    let before = disk.shed(&shed(room)).unwrap().unwrap();
    let routine = before.of(Rank::Routine);
    assert!(routine > at(START_MS + 28) && routine <= at(START_MS + 30), "{} ms", routine.ms() - START_MS);
    assert_eq!(before.of(Rank::Priority), Timestamp::ZERO, "none of that had to go");
    assert_eq!(disk.shed(&shed(room)).unwrap(), None, "there is room now");
    drop(disk);
    let disk = place.open();
    assert_eq!((disk.floors().unwrap(), disk.size(&group("army")).unwrap()), (before, room));
    assert_eq!((ids_in(&disk, "army"), ids_in(&disk, "navy")), (ids(&army[15..]), ids_of(&talk, "navy")));
}

#[test]
fn a_floor_never_sinks() {
    let talk = talk(20);
    let place = Place::holding(&talk[10..]);
    let mut disk = place.open();
    let high = disk.shed(&shed(0)).unwrap().unwrap();
    disk.append(&talk[..10]).unwrap();
    assert!(disk.shed(&shed(0)).unwrap().unwrap().of(Rank::Routine) < high.of(Rank::Routine));
    assert_eq!(disk.floors().unwrap(), high);
}

/// The army says something of each precedence in turn, the most urgent first, a millisecond apart.
fn urgent_talk(count: u64) -> Vec<Permitted> {
    let mut unit = Unit::found();
    let precedence = |n| Precedence::ALL[3 - n as usize % 4];
    let draft = |n| Draft::text("a word").with_precedence(precedence(n));
    (0..count).map(|n| unit.say("Army1", "army", START_MS + n, draft(n))).collect()
}

/// Those of a rank.
fn of_rank(records: &[Permitted], rank: Rank) -> Vec<Permitted> {
    records.iter().filter(|record| record.frame().header().rank() == rank).cloned().collect()
}

#[test]
fn the_least_urgent_goes_first_and_within_a_rank_the_oldest() {
    let talk = urgent_talk(40);
    let [routine, priority, immediate, flash] =
        [Rank::Routine, Rank::Priority, Rank::Immediate, Rank::Flash].map(|rank| of_rank(&talk, rank));
    let place = Place::holding(&talk);
    let mut disk = place.open();
    let mut left = |to_bytes| {
        let before = disk.shed(&shed(to_bytes)).unwrap().unwrap();
        (ids_in(&disk, "army").len(), before, disk.size(&group("army")).unwrap())
    };
    let urgent = bytes(&priority) + bytes(&immediate) + bytes(&flash);
    let (count, before, size) = left(urgent + bytes(&routine[7..]));
    assert_eq!((count, size), (33, urgent + bytes(&routine[7..])));
    assert_eq!(before.of(Rank::Routine), routine[6].frame().header().time.next());
    assert_eq!(before.of(Rank::Priority), Timestamp::ZERO);
    let (count, before, size) = left(bytes(&flash) + bytes(&immediate[9..]));
    assert_eq!((count, size), (11, bytes(&flash) + bytes(&immediate[9..])));
    for (rank, gone) in [(Rank::Routine, &routine[9]), (Rank::Priority, &priority[9]), (Rank::Immediate, &immediate[8])]
    {
        assert_eq!(before.of(rank), gone.frame().header().time.next(), "{rank:?}");
    }
    assert_eq!(before.of(Rank::Flash), Timestamp::ZERO);
    let floors = disk.floors().unwrap();
    assert_eq!(floors, before);
    let mut expected = ids(&flash);
    expected.push(id(&immediate[9]));
    let mut found = ids_in(&disk, "army");
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn what_was_on_its_way_while_older_records_went_makes_room_next() {
    let talk = urgent_talk(40);
    let place = Place::holding(&talk[20..]);
    let mut disk = place.open();
    let room = |from: usize| bytes(&talk[from..]);
    disk.shed(&shed(room(20) - bytes(&of_rank(&talk[20..], Rank::Routine)))).unwrap().unwrap();
    // These are below the floor by now.
    disk.append(&talk[..20]).unwrap();
    disk.shed(&shed(room(0) - bytes(&of_rank(&talk, Rank::Routine)))).unwrap().unwrap();
    let left: Vec<Permitted> =
        talk.iter().filter(|record| record.frame().header().rank() > Rank::Routine).cloned().collect();
    assert_eq!(ids_in(&disk, "army"), ids(&left));
}

#[test]
fn a_group_that_is_not_ones_own_any_more_makes_room_like_the_others() {
    let talk = talk(40);
    let place = Place::holding(&talk);
    let mut disk = place.open();
    disk.shed(&shed(0)).unwrap().unwrap();
    assert_eq!(ids_in(&disk, "army"), []);
    assert_eq!(ids_in(&disk, "navy").len(), 20);
    disk.shed(&Shed { own: [group("army")].into(), ..shed(0) }).unwrap().unwrap();
    assert_eq!(ids_in(&disk, "navy"), []);
}

#[test]
fn a_floor_that_an_older_muster_kept_holds_for_every_rank() {
    let talk = urgent_talk(8);
    let place = Place::holding(&talk);
    let floor = at(START_MS - 1000);
    let database = Database::open(&place.path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).unwrap().insert("floor", floor.to_u64()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let mut disk = place.open();
    assert_eq!(disk.floors().unwrap(), Floors::at(floor));
    let before = disk.shed(&shed(0)).unwrap().unwrap();
    disk.append(&talk[..1]).unwrap();
    let mut expected = before;
    expected.set(Rank::Receipt, floor);
    assert_eq!(disk.floors().unwrap(), expected, "none of the receipts had to go");
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
    assert!(
        matches!(outcome, Some(Outcome::Shed { before }) if before.of(Rank::Routine) > at(START_MS + 18)),
        "{outcome:?}"
    );
    drop(writer.jobs);
    assert!(writer.outcomes.blocking_recv().is_none(), "only once");
    assert_eq!(ids_in(&place.open(), "army"), []);
}
