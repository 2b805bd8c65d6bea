//! The writing thread, and disks that fail.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use muster::disk::Disk;
use muster::disk::writer::{COMMIT_RECORDS, Job, Outcome, Writer};
use muster::engine::policy::Permitted;
use muster::engine::store::{Fate, Store};
use muster_roles::Timestamp;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use crate::records::{START_MS, Unit};
use crate::{Place, at, id, ids, ids_in, without_army1};

/// A disk in memory that can be full, and can be held up.
#[derive(Clone, Debug)]
struct TestDisk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: InMemoryBackend,
    /// Writes and growths that still succeed.
    room: AtomicUsize,
    hold: Mutex<Hold>,
    turned: Condvar,
}

#[derive(Debug, Default)]
struct Hold {
    /// While true, nothing gets past a sync.
    is_held: bool,
    /// Whether somebody waits at one.
    is_waiting: bool,
}

impl TestDisk {
    fn new() -> Self {
        Self(Arc::new(Inner {
            bytes: InMemoryBackend::new(),
            room: AtomicUsize::new(usize::MAX),
            hold: Mutex::default(),
            turned: Condvar::new(),
        }))
    }

    fn open(&self) -> Disk {
        Disk::with_backend(Path::new("memory"), self.clone()).unwrap()
    }

    fn set_room(&self, writes: usize) {
        self.0.room.store(writes, Ordering::SeqCst);
    }

    fn hold(&self) {
        self.0.hold.lock().unwrap().is_held = true;
    }

    fn let_go(&self) {
        self.0.hold.lock().unwrap().is_held = false;
        self.0.turned.notify_all();
    }

    /// Returns once somebody waits at a sync.
    fn wait_for_a_sync(&self) {
        drop(self.0.turned.wait_while(self.0.hold.lock().unwrap(), |hold| !hold.is_waiting).unwrap());
    }

    fn take_room(&self) -> io::Result<()> {
        let taken = self.0.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| match room {
            usize::MAX => Some(room),
            room => room.checked_sub(1),
        });
        taken.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
    }
}

impl StorageBackend for TestDisk {
    fn len(&self) -> io::Result<u64> {
        self.0.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.take_room()?;
        self.0.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut hold = self.0.hold.lock().unwrap();
        hold.is_waiting = hold.is_held;
        self.0.turned.notify_all();
        self.0.turned.wait_while(hold, |hold| hold.is_held).unwrap().is_waiting = false;
        self.0.bytes.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.take_room()?;
        self.0.bytes.write(offset, data)
    }
}

fn committed(outcome: Option<Outcome>) -> Vec<(Permitted, Fate)> {
    match outcome {
        Some(Outcome::Committed(records)) => records,
        other => panic!("{other:?}"),
    }
}

fn failed(outcome: Option<Outcome>) -> Vec<Permitted> {
    match outcome {
        Some(Outcome::Failed(records)) => records,
        other => panic!("{other:?}"),
    }
}

/// Has the thread take a job and hang in its commit.
fn hang_in_a_commit(storage: &TestDisk, writer: &Writer, record: &Permitted) {
    storage.hold();
    writer.jobs.blocking_send(Job::Append(vec![record.clone()])).unwrap();
    storage.wait_for_a_sync();
}

#[test]
fn what_waits_while_a_commit_runs_goes_into_the_next_one() {
    let storage = TestDisk::new();
    let mut writer = Writer::start(storage.open()).unwrap();
    let talk = Unit::found().army_talk(6);
    hang_in_a_commit(&storage, &writer, &talk[0]);
    for record in &talk[1..] {
        writer.jobs.blocking_send(Job::Append(vec![record.clone()])).unwrap();
    }
    storage.let_go();
    let first = committed(writer.outcomes.blocking_recv());
    let second = committed(writer.outcomes.blocking_recv());
    assert_eq!((first.len(), second.len()), (1, 5));
    let in_order: Vec<_> = second.iter().map(|(record, fate)| (id(record), *fate)).collect();
    let expected: Vec<_> = talk[1..].iter().map(|record| (id(record), Fate::New)).collect();
    assert_eq!(in_order, expected);
}

#[test]
fn a_commit_has_its_bound() {
    let storage = TestDisk::new();
    let mut writer = Writer::start(storage.open()).unwrap();
    let talk = Unit::found().army_talk(COMMIT_RECORDS as u64 + 200);
    hang_in_a_commit(&storage, &writer, &talk[0]);
    for batch in talk[1..].chunks(100) {
        writer.jobs.blocking_send(Job::Append(batch.to_vec())).unwrap();
    }
    storage.let_go();
    let mut lens = Vec::new();
    while lens.iter().sum::<usize>() < talk.len() {
        lens.push(committed(writer.outcomes.blocking_recv()).len());
    }
    assert!(lens.iter().all(|len| *len < COMMIT_RECORDS + 100), "a batch that fits goes in whole: {lens:?}");
}

#[tokio::test]
async fn finishing_stores_all_that_was_asked_for() {
    let place = Place::new();
    let talk = Unit::found().army_talk(300);
    let writer = Writer::start(place.open()).unwrap();
    let jobs = writer.jobs.clone();
    let records = talk.clone();
    let asking = tokio::spawn(async move {
        for record in records {
            jobs.send(Job::Append(vec![record])).await.unwrap();
        }
    });
    writer.finish().await;
    asking.await.unwrap();
    assert_eq!(ids_in(&place.open(), "army"), ids(&talk));
}

#[tokio::test]
async fn the_thread_prunes_and_rejudges() {
    let mut unit = Unit::found();
    let old = unit.post("Army1", "army", START_MS, "too old");
    let kept = unit.post("Army1", "army", START_MS + 10, "kept");
    let denied = unit.post("Army1", "army", START_MS + 20, "forbidden since");
    let place = Place::new();
    let writer = Writer::start(place.open()).unwrap();
    let roster = Arc::new(without_army1(&unit.roster, at(START_MS + 15)));
    for job in
        [Job::Append(vec![old, kept.clone(), denied]), Job::Prune { before: at(START_MS + 5) }, Job::Rejudge(roster)]
    {
        writer.jobs.send(job).await.unwrap();
    }
    writer.finish().await;
    assert_eq!(ids_in(&place.open(), "army"), [id(&kept)]);
}

#[test]
fn a_full_disk_fails_what_comes_and_keeps_what_is_there() {
    let storage = TestDisk::new();
    let mut writer = Writer::start(storage.open()).unwrap();
    let talk = Unit::found().army_talk(3);
    let mut append = |range: std::ops::Range<usize>| {
        writer.jobs.blocking_send(Job::Append(talk[range].to_vec())).unwrap();
        writer.outcomes.blocking_recv()
    };
    assert_eq!(committed(append(0..1)).len(), 1);
    storage.set_room(0);
    assert_eq!(ids(&failed(append(1..2))), ids(&talk[1..2]));
    storage.set_room(usize::MAX);
    assert_eq!(ids(&failed(append(2..3))), ids(&talk[2..]), "a store that failed once is not trusted again");
    writer.jobs.blocking_send(Job::Prune { before: Timestamp::from_ms(0) }).unwrap();
    assert_eq!(failed(writer.outcomes.blocking_recv()).len(), 0);
    drop(writer.jobs);
    assert!(writer.outcomes.blocking_recv().is_none());
    assert_eq!(ids_in(&storage.open(), "army"), ids(&talk[..1]));
}

#[test]
fn wherever_a_commit_fails_it_is_there_whole_or_not_at_all() {
    let talk = Unit::found().army_talk(40);
    let (first, second) = talk.split_at(20);
    for room in 0.. {
        let storage = TestDisk::new();
        let mut disk = storage.open();
        disk.append(first).unwrap();
        storage.set_room(room);
        let appended = disk.append(second).is_ok();
        drop(disk);
        storage.set_room(usize::MAX);
        let found = ids_in(&storage.open(), "army");
        // A commit whose last step failed may have reached the disk; half of it never has.
        assert!(found == ids(&talk) || (!appended && found == ids(first)), "{} records, room {room}", found.len());
        if appended {
            assert!(room > 2, "some attempts must have failed: {room}");
            return;
        }
    }
}
