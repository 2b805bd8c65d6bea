//! A home whose store holds many records, by many authors, of every group: made by real engines, so that all of it is
//! signed, sealed and permitted.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::UNIX_EPOCH;

use muster::disk::Disk;
use muster::engine::policy::Permitted;
use muster::engine::store::Store;
use muster_roles::{GroupId, Role, Roster, Timestamp};
use tempfile::TempDir;

use crate::records::{Unit, group, identity};

/// Whose home it is: the commander reads every group.
pub(crate) const READER: &str = "Chief";

/// The troops, as a unit is told of them; each has a leader and soldiers, who all write.
const TROOPS: [(&str, &str); 3] = [("navy", "navy:n"), ("airforce", "airforce:a"), ("army", "army:r")];

/// Soldiers of each troop: with the leaders and the commander a hundred authors.
const SOLDIERS: usize = 32;

/// How long ago the unit was founded: less than a day, so that nobody's start ends an epoch.
const FOUNDED_AGE_MS: u64 = 12 * 60 * 60 * 1000;

/// How long ago the first record was written; they are spread over all the time since.
const FIRST_AGE_MS: u64 = 11 * 60 * 60 * 1000;

/// Records that are made before they are stored, in one commit: few commits, and little in memory.
const COMMIT_RECORDS: u64 = 16 * 1024;

/// One message of the store.
pub(crate) struct Said {
    pub(crate) time_ms: u64,
    pub(crate) group: &'static str,
    pub(crate) author: &'static str,
    pub(crate) text: String,
}

/// A home with a large store, in a folder of its own that is removed with it.
pub(crate) struct LargeHome {
    folder: TempDir,
}

impl LargeHome {
    /// Makes the home, and shows every message of its store to `see`, in the order of their times.
    pub(crate) fn make(count: u64, mut see: impl FnMut(&Said)) -> Self {
        let now_ms = u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        let authors = authors();
        let roster = Arc::new(found(&authors, Timestamp::from_ms(now_ms - FOUNDED_AGE_MS)));
        let home = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(home.path()).unwrap();
        muster_keys::create(&home.path().join("role.key"), &identity(READER), READER, None).unwrap();
        std::fs::write(home.path().join("roster.cbor"), roster.encode()).unwrap();
        let mut disk = Disk::open(&home.path().join("muster.redb")).unwrap();
        let mut crews = crews(&roster, &authors);
        let time = |n: u64| now_ms - FIRST_AGE_MS + n * FIRST_AGE_MS / count;
        for first in (0..count).step_by(usize::try_from(COMMIT_RECORDS).unwrap()) {
            let numbers = first..count.min(first + COMMIT_RECORDS);
            let said: Vec<Said> = numbers.map(|n| say(&authors, n, time(n))).collect();
            said.iter().for_each(&mut see);
            store(&mut disk, &write(&mut crews, &said));
        }
        // As a node has done that did not only now get its roster.
        disk.rejudge(&roster).unwrap();
        home
    }

    /// Returns the home's folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(READER)
    }

    /// Returns a folder for whatever else is to be removed with the home.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

/// Whoever writes.
struct Author {
    name: &'static str,
    role: Role,
    /// Where, in turns.
    to: Vec<&'static str>,
}

fn authors() -> Vec<Author> {
    let mut authors = vec![Author { name: READER, role: Role::Commander, to: vec!["heads"] }];
    for (troop, _) in TROOPS {
        let name = format!("{troop}-lead").leak();
        authors.push(Author { name, role: Role::Leader(group(troop)), to: vec!["heads", troop] });
        for number in 0..SOLDIERS {
            let name = format!("{troop}{number}").leak();
            authors.push(Author { name, role: Role::Soldier(group(troop)), to: vec![troop] });
        }
    }
    authors
}

fn found(authors: &[Author], now: Timestamp) -> Roster {
    let chief = identity(READER);
    let troops = TROOPS.map(|(_, troop)| troop.parse().unwrap());
    let unit = "1st Brigade".parse().unwrap();
    let documents = muster_roles::found(&unit, &READER.parse().unwrap(), &chief, &troops, now).unwrap();
    let mut roster = Roster::from_documents(documents.iter().map(Vec::as_slice), now).unwrap();
    for author in authors.iter().filter(|author| author.name != READER) {
        let (name, key) = (author.name.parse().unwrap(), identity(author.name).public());
        for document in muster_roles::add_member(&roster, &chief, name, author.role.clone(), key, now).unwrap() {
            roster.accept(&document, now).unwrap();
        }
    }
    roster
}

/// Shares the authors out among as many threads as there are cores, each with an engine of its own.
fn crews(roster: &Arc<Roster>, authors: &[Author]) -> Vec<BTreeMap<&'static str, Unit>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let of = |author: &Author| (author.name, Unit::of(roster.clone(), [(author.name, identity(author.name))]));
    (0..cores).map(|core| authors.iter().skip(core).step_by(cores).map(of).collect()).collect()
}

/// What is said as the n-th, and by whom.
fn say(authors: &[Author], n: u64, time_ms: u64) -> Said {
    let (turn, which) = (usize::try_from(n).unwrap() / authors.len(), usize::try_from(n).unwrap() % authors.len());
    let author = &authors[which];
    let text = format!("Report {n}: patrol two has passed the bridge. All is quiet, nothing to report from here.");
    Said { time_ms, group: author.to[turn % author.to.len()], author: author.name, text }
}

/// Has the authors write, on all cores.
fn write(crews: &mut [BTreeMap<&'static str, Unit>], said: &[Said]) -> Vec<Permitted> {
    let parts: Vec<Vec<Permitted>> = thread::scope(|scope| {
        let writing: Vec<_> = crews.iter_mut().map(|crew| scope.spawn(|| write_those_of(crew, said))).collect();
        writing.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let mut records = parts.concat();
    records.sort_by_key(|record| (record.frame().header().group.clone(), record.frame().header().time));
    records
}

fn write_those_of(crew: &mut BTreeMap<&'static str, Unit>, said: &[Said]) -> Vec<Permitted> {
    let mut records = Vec::new();
    for Said { time_ms, group, author, text } in said {
        if let Some(engine) = crew.get_mut(author) {
            records.push(engine.post(author, group, *time_ms, text));
        }
    }
    records
}

/// Stores records that others have too.
fn store(disk: &mut Disk, records: &[Permitted]) {
    disk.append(records).unwrap();
    for of_group in records.chunk_by(|one, next| one.frame().header().group == next.frame().header().group) {
        let group: GroupId = of_group[0].frame().header().group.clone();
        disk.sent(&group, &crate::records::names(of_group)).unwrap();
    }
}
