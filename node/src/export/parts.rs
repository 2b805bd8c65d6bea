//! Records in parts, opened and put into lines on all cores, and handed back in their order.
//!
//! Reading records from the store and writing lines takes little beside opening them. So one thread reads and writes, and
//! the others open; each has a queue of its own, and the parts go round, which keeps them in order without anything that
//! sorts them.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use super::error::ExportError;
use super::merge::Merged;
use crate::disk::{DiskError, Raw};

/// Bytes of records in a part: enough that handing it over costs nothing beside it.
const PART_LEN: usize = 64 * 1024;

/// Parts that may wait for a thread, be worked on by it, or wait to be written: it has something to do while others are
/// written, and memory does not grow.
const PARTS_A_THREAD: usize = 3;

/// More threads open records no faster than one reads them.
const MAX_THREADS: usize = 8;

/// Records that stand one after the other, each with the place of its group among those that are written out.
pub(super) type Part = Vec<(usize, Raw)>;

/// Has `open` make something of every part of `records`, on all cores, and `take` take it, in the order of the records.
///
/// # Errors
/// The store's, that of the system where it gives no thread, or the first that `take` returns.
pub(super) fn for_each<T: Send>(
    mut records: Merged,
    open: impl Fn(&Part) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let Some(first) = part(&mut records)? else { return Ok(()) };
    let Some(second) = part(&mut records)? else { return take(open(&first)) };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let workers = (0..threads).map(|_| Worker::start(scope, &open)).collect::<io::Result<Vec<_>>>();
        let workers = workers.map_err(ExportError::Thread)?;
        let (mut given, mut taken) = (workers.iter().cycle(), workers.iter().cycle());
        let mut under_way = 0;
        let mut parts =
            [Ok(first), Ok(second)].into_iter().chain(std::iter::from_fn(|| part(&mut records).transpose()));
        loop {
            let next = parts.next().transpose()?;
            if next.is_none() || under_way == PARTS_A_THREAD * threads {
                let Some(worker) = taken.next().filter(|_| under_way > 0) else { return Ok(()) };
                under_way -= 1;
                take(worker.take()?)?;
            }
            if let (Some(part), Some(worker)) = (next, given.next()) {
                under_way += 1;
                worker.give(part)?;
            }
        }
    })
}

/// Reads the next part.
fn part(records: &mut Merged) -> Result<Option<Part>, DiskError> {
    let (mut part, mut len) = (Part::new(), 0);
    while len < PART_LEN {
        let Some(record) = records.next().transpose()? else { break };
        len += record.1.len();
        part.push(record);
    }
    Ok(Some(part).filter(|part| !part.is_empty()))
}

/// A thread that opens parts, one after the other; it ends when this is dropped.
struct Worker<T> {
    parts: SyncSender<Part>,
    opened: Receiver<T>,
}

impl<T: Send> Worker<T> {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>, open: &'scope (impl Fn(&Part) -> T + Sync)) -> io::Result<Self>
    where
        T: 'scope,
    {
        let ((parts, waiting), (done, opened)) = (sync_channel(PARTS_A_THREAD), sync_channel(PARTS_A_THREAD));
        thread::Builder::new().name("muster-export".to_owned()).spawn_scoped(scope, move || {
            // Whoever reads and writes may have given up.
            while let Ok(part) = waiting.recv() {
                if done.send(open(&part)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { parts, opened })
    }

    fn give(&self, part: Part) -> Result<(), ExportError> {
        self.parts.send(part).map_err(|_| broken())
    }

    fn take(&self) -> Result<T, ExportError> {
        self.opened.recv().map_err(|_| broken())
    }
}

fn broken() -> ExportError {
    ExportError::Thread(io::Error::other("a thread has ended before its work was done"))
}
