//! The store on disk: what it keeps, what it refuses to open, and what a failing disk leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod carried;
mod damage;
#[allow(dead_code, unreachable_pub, reason = "the simulator uses all of it")]
mod memory;
#[path = "../records/mod.rs"]
mod records;
mod writer;

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use muster::disk::Disk;
use muster::engine::draft::Draft;
use muster::engine::policy::Permitted;
use muster::engine::store::{Fate, Shed, Store, Stored};
use muster::engine::view::Reader;
use muster::engine::wire::RecordId;
use muster_roles::{GroupId, Precedence, Roster, Timestamp};
use tempfile::TempDir;

use crate::memory::MemStore;
use crate::records::{START_MS, Unit, group, identity};

const END_OF_TIME: Timestamp = Timestamp::from_u64(u64::MAX);

/// A folder with a store in it.
struct Place {
    _folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.redb");
        Self { _folder: folder, path }
    }

    fn open(&self) -> Disk {
        Disk::open(&self.path).unwrap()
    }

    /// A store with these records, closed.
    fn holding(records: &[Permitted]) -> Self {
        let place = Self::new();
        place.open().append(records).unwrap();
        place
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn id(record: &Permitted) -> RecordId {
    record.frame().id()
}

fn ids(records: &[Permitted]) -> Vec<RecordId> {
    records.iter().map(id).collect()
}

/// Everything a store says of a group, in its order: time, id, bytes, when received.
type Seen = (Timestamp, RecordId, Vec<u8>, u64);

fn seen(stored: &Stored) -> Seen {
    let frame = stored.frame();
    (frame.header().time, frame.id(), frame.bytes().to_vec(), stored.received_ms())
}

fn scan<S: Store>(store: &S, of: &GroupId, from: Timestamp, to: Timestamp) -> Result<Vec<Seen>, S::Error> {
    let mut found = Vec::new();
    store.scan(of, from, to, &mut |stored| {
        found.push(seen(&stored));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn ids_in(disk: &Disk, of: &str) -> Vec<RecordId> {
    scan(disk, &group(of), Timestamp::ZERO, END_OF_TIME).unwrap().into_iter().map(|(_, id, ..)| id).collect()
}

#[test]
fn a_record_is_new_once() {
    let place = Place::new();
    let mut disk = place.open();
    let talk = Unit::found().army_talk(2);
    let twice = [talk[0].clone(), talk[1].clone(), talk[0].clone()];
    assert_eq!(disk.append(&twice).unwrap(), [Fate::New, Fate::New, Fate::Known]);
    assert_eq!(disk.append(&talk).unwrap(), [Fate::Known, Fate::Known]);
    assert_eq!(ids_in(&disk, "army"), ids(&talk));
}

#[test]
fn what_was_appended_is_there_after_reopening_byte_for_byte() {
    let talk = Unit::found().army_talk(3);
    let place = Place::holding(&talk);
    let found = scan(&place.open(), &group("army"), Timestamp::ZERO, END_OF_TIME).unwrap();
    let appended: Vec<Seen> = talk.iter().map(|record| seen(&Stored::from(record))).collect();
    assert_eq!(found, appended);
}

#[test]
fn a_scan_gives_its_span_and_stops_when_told() {
    let talk = Unit::found().army_talk(5);
    let place = Place::holding(&talk);
    let disk = place.open();
    let span = |from, to| scan(&disk, &group("army"), from, to).unwrap().len();
    assert_eq!(span(at(START_MS + 1), at(START_MS + 3)), 2, "the first time is in it and the last is not");
    assert_eq!(span(at(START_MS + 3), at(START_MS + 1)), 0, "a span that ends before it begins is empty");
    let mut visited = 0;
    disk.scan(&group("army"), Timestamp::ZERO, END_OF_TIME, &mut |_| {
        visited += 1;
        if visited == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(visited, 2);
}

#[test]
fn the_latest_come_oldest_first() {
    let talk = Unit::found().army_talk(5);
    let place = Place::holding(&talk);
    let disk = place.open();
    let latest = |count| disk.latest(&group("army"), count).unwrap().iter().map(|stored| stored.frame().id()).collect();
    let newest_two: Vec<RecordId> = latest(2);
    assert_eq!(newest_two, ids(&talk[3..]));
    let all: Vec<RecordId> = latest(50);
    assert_eq!(all, ids(&talk));
}

#[test]
fn the_store_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::holding(&[]);
    assert_eq!(fs::metadata(&place.path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// What the tests do to two stores alike.
fn play(rng: &mut fastrand::Rng, unit: &mut Unit, stores: (&mut Disk, &mut MemStore), steps: u64) {
    const SAY: [(&str, &str); 4] = [("Chief", "heads"), ("Army1", "heads"), ("Army1", "army"), ("Navy1", "navy")];
    let (disk, memory) = stores;
    let mut said: Vec<Permitted> = Vec::new();
    for step in 0..steps {
        let ms = START_MS + step * 10;
        match rng.u8(0..13) {
            0..6 => {
                let mut batch: Vec<Permitted> = (0..rng.u64(0..5))
                    .map(|n| {
                        let (name, to) = SAY[rng.usize(0..SAY.len())];
                        // Whoever speaks may use these, a soldier too.
                        let precedence = Precedence::ALL[rng.usize(0..3)];
                        unit.say(name, to, ms + n, Draft::text("a word").with_precedence(precedence))
                    })
                    .collect();
                batch.extend(said.get(rng.usize(0..=said.len())).cloned());
                rng.shuffle(&mut batch);
                assert_eq!(disk.append(&batch).unwrap(), memory.append(&batch).unwrap());
                said.extend(batch);
            }
            6..8 => {
                if let Some(record) = said.get(rng.usize(0..=said.len())) {
                    let header = record.frame().header();
                    let gone = [(header.time, id(record))];
                    disk.remove(&header.group, &gone).unwrap();
                    memory.remove(&header.group, &gone).unwrap();
                }
            }
            10 => {
                let most = rng.usize(0..30);
                let of_disk: Vec<Seen> = disk.waiting(most).unwrap().iter().map(seen).collect();
                let of_memory: Vec<Seen> = memory.waiting(most).unwrap().iter().map(seen).collect();
                assert_eq!(of_disk, of_memory);
                if let Some((time, id, ..)) = of_disk.get(rng.usize(0..=of_disk.len())) {
                    let of = group(SAY[rng.usize(0..SAY.len())].1);
                    disk.sent(&of, &[(*time, *id)]).unwrap();
                    memory.sent(&of, &[(*time, *id)]).unwrap();
                }
            }
            11..13 => {
                let own = SAY.iter().map(|(_, to)| group(to)).filter(|_| rng.bool()).collect();
                let to_bytes = rng.u64(0..20_000);
                let shed = Shed { own, above_bytes: to_bytes + rng.u64(0..2000), to_bytes };
                assert_eq!(disk.shed(&shed).unwrap(), memory.shed(&shed).unwrap());
            }
            8 => {
                let before = at(ms.saturating_sub(rng.u64(0..400)));
                assert_eq!(disk.prune(before).unwrap(), memory.prune(before).unwrap());
            }
            _ => {
                let of = group(SAY[rng.usize(0..SAY.len())].1);
                let count = rng.usize(0..20);
                let of_disk: Vec<Seen> = disk.latest(&of, count).unwrap().iter().map(seen).collect();
                let of_memory: Vec<Seen> = memory.latest(&of, count).unwrap().iter().map(seen).collect();
                assert_eq!(of_disk, of_memory);
            }
        }
    }
}

#[test]
fn the_disk_does_what_a_store_in_memory_does() {
    for seed in 0..8 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let place = Place::new();
        let (mut disk, mut memory) = (place.open(), MemStore::default());
        play(&mut rng, &mut Unit::found(), (&mut disk, &mut memory), 60);
        drop(disk);
        let disk = place.open();
        assert_eq!(disk.newest().unwrap(), memory.newest().unwrap(), "seed {seed}");
        let waiting = |stored: Vec<Stored>| stored.iter().map(seen).collect::<Vec<Seen>>();
        assert_eq!(
            waiting(disk.waiting(usize::MAX).unwrap()),
            waiting(memory.waiting(usize::MAX).unwrap()),
            "seed {seed}"
        );
        for of in ["heads", "army", "navy"].map(group) {
            assert_eq!(disk.size(&of).unwrap(), memory.size(&of), "seed {seed}, {of}");
            let everything = |store| scan(store, &of, Timestamp::ZERO, END_OF_TIME).unwrap();
            assert_eq!(everything(&disk), scan(&memory, &of, Timestamp::ZERO, END_OF_TIME).unwrap(), "seed {seed}");
            for author in ["Chief", "Army1", "Navy1"].map(|name| identity(name).public()) {
                let highest = disk.last_seq(&of, &author).unwrap();
                assert_eq!(highest, memory.last_seq(&of, &author).unwrap(), "seed {seed}, {of}");
            }
        }
    }
}

#[test]
fn a_count_outlives_the_records_that_were_counted() {
    let talk = Unit::found().army_talk(3);
    let place = Place::holding(&talk);
    assert_eq!(place.open().prune(at(START_MS + 1000)).unwrap(), 3);
    let disk = place.open();
    assert_eq!(ids_in(&disk, "army"), []);
    assert_eq!(disk.last_seq(&group("army"), &identity("Army1").public()).unwrap(), Some(3));
    assert_eq!(disk.newest().unwrap(), Timestamp::ZERO);
}

#[test]
fn ones_own_records_wait_until_they_are_sent() {
    let talk = Unit::found().army_talk(3);
    let place = Place::holding(&talk);
    let waiting =
        |disk: &Disk| disk.waiting(usize::MAX).unwrap().iter().map(|stored| stored.frame().id()).collect::<Vec<_>>();
    assert_eq!(waiting(&place.open()), ids(&talk));
    place.open().sent(&group("army"), &[(talk[1].frame().header().time, id(&talk[1]))]).unwrap();
    assert_eq!(waiting(&place.open()), [id(&talk[0]), id(&talk[2])]);
    assert_eq!(place.open().append(&talk).unwrap(), [Fate::Known; 3]);
    assert_eq!(waiting(&place.open()), [id(&talk[0]), id(&talk[2])], "what is known does not wait anew");
    assert_eq!(place.open().prune(at(START_MS + 1)).unwrap(), 1);
    assert_eq!(waiting(&place.open()), [id(&talk[2])]);
}

#[test]
fn how_far_has_been_read_is_kept_group_by_group() {
    let mut unit = Unit::found();
    let talk = unit.army_talk(2);
    let place = Place::holding(&talk);
    let mark = |record: &Permitted| (record.frame().header().time, id(record));
    assert!(place.open().marks().unwrap().is_empty());
    place.open().mark(&[(group("army"), mark(&talk[0])), (group("heads"), mark(&talk[0]))].into()).unwrap();
    place.open().mark(&[(group("army"), mark(&talk[1]))].into()).unwrap();
    let expected = [(group("army"), mark(&talk[1])), (group("heads"), mark(&talk[0]))];
    assert_eq!(place.open().marks().unwrap(), expected.into());
}

#[test]
fn pruning_drops_what_is_older_in_every_group() {
    let mut unit = Unit::found();
    let old = [unit.post("Army1", "army", START_MS, "old"), unit.post("Navy1", "navy", START_MS, "old")];
    let kept = [unit.post("Army1", "army", START_MS + 5, "kept"), unit.post("Navy1", "navy", START_MS + 6, "kept")];
    let place = Place::holding(&[old, kept.clone()].concat());
    let mut disk = place.open();
    assert_eq!(disk.prune(at(START_MS + 5)).unwrap(), 2, "what is exactly so old is kept");
    assert_eq!((ids_in(&disk, "army"), ids_in(&disk, "navy")), (vec![id(&kept[0])], vec![id(&kept[1])]));
}

/// The roster after the chief has removed Army1 at a time.
fn without_army1(roster: &Roster, since: Timestamp) -> Roster {
    let mut roster = roster.clone();
    for document in muster_roles::remove_member(&roster, &identity("Chief"), "Army1", since).unwrap() {
        roster.accept(&document, since).unwrap();
    }
    roster
}

#[test]
fn a_roster_that_comes_late_takes_out_what_it_forbids_and_nothing_else() {
    let mut unit = Unit::found();
    let before = unit.post("Army1", "army", START_MS, "still a member");
    let after = unit.post("Army1", "army", START_MS + 1000, "not any more");
    let other = unit.post("Army3", "army", START_MS + 1000, "still here");
    let place = Place::holding(&[before.clone(), after, other.clone()]);
    let mut disk = place.open();
    assert!(disk.rejudge(&unit.roster).unwrap().is_empty());
    let withdrawn = disk.rejudge(&without_army1(&unit.roster, at(START_MS + 500))).unwrap();
    assert_eq!(withdrawn.iter().map(|(_, names)| names.len()).sum::<usize>(), 1);
    assert_eq!(ids_in(&disk, "army"), [id(&before), id(&other)]);
}

#[test]
fn what_a_removed_member_said_is_marked_where_it_came_after_the_removal() {
    let mut unit = Unit::found();
    let said = unit.post("Army1", "army", START_MS, "still a member");
    let roster = without_army1(&unit.roster, at(START_MS + 500));
    let (keyring, me) = (roster.open_keys(&identity("Army3")), identity("Army3").public());
    let reader = Reader { roster: &roster, keyring: &keyring, me: &me };
    let came = |ms: u64| reader.row(&Stored::from_store(said.frame().bytes(), ms).unwrap()).unwrap();
    assert!(!came(START_MS + 10).is_from_removed());
    assert!(came(START_MS + 600).is_from_removed());
    let before = Reader { roster: &unit.roster, ..reader };
    assert!(!before.row(&Stored::from_store(said.frame().bytes(), START_MS + 600).unwrap()).unwrap().is_from_removed());
}
