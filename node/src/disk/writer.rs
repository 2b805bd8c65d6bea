//! The one thread that writes: what arrives while a commit runs goes into the next one.

use std::io;
use std::thread::{self, JoinHandle};

use muster_roles::{GroupId, Timestamp};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::engine::policy::Permitted;
use crate::engine::store::{Fate, Store};
use crate::engine::wire::RecordId;

use super::{Disk, DiskError};

/// Requests that may wait while a commit runs; when so many do, whoever asks waits too.
pub const QUEUE_LEN: usize = 256;

/// A commit takes no further batch once it has this many records: more gains no speed, and every one of them waits
/// until all are written.
pub const COMMIT_RECORDS: usize = 1024;

/// What the writer is asked to do.
#[derive(Debug)]
pub enum Request {
    /// Store these records in one commit; answered by [`Outcome::Committed`] or [`Outcome::Failed`].
    Append(Vec<Permitted>),
    /// Take these records out of the store; answered only if it fails.
    Remove {
        /// Their group.
        group: GroupId,
        /// Their times and ids.
        ids: Vec<(Timestamp, RecordId)>,
    },
    /// Drop every record older than this; answered only if it fails.
    Prune {
        /// The oldest time to keep.
        before: Timestamp,
    },
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// A batch is on disk: each record with what became of it, in the batch's order.
    Committed(Vec<(Permitted, Fate)>),
    /// A batch is not on disk, nor is any later one going to be; empty where it was a removal or pruning that failed.
    Failed(Vec<Permitted>),
}

/// The way to the writing thread.
#[derive(Debug)]
pub struct Writer {
    requests: Sender<Request>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread; outcomes come in the order of the requests.
    ///
    /// Outcomes must be taken while requests are made: the thread waits when [`QUEUE_LEN`] outcomes are left lying,
    /// and then so does whoever sends.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub fn start(disk: Disk) -> io::Result<(Self, Receiver<Outcome>)> {
        let (requests, waiting) = mpsc::channel(QUEUE_LEN);
        let (outcomes, results) = mpsc::channel(QUEUE_LEN);
        let writing = Writing {
            disk,
            waiting,
            outcomes,
            failed: false,
        };
        let thread = thread::Builder::new()
            .name("muster-writer".to_owned())
            .spawn(move || writing.run())?;
        Ok((Self { requests, thread }, results))
    }

    /// Returns where requests go.
    #[must_use]
    pub fn requests(&self) -> &Sender<Request> {
        &self.requests
    }

    /// Lets nothing more in; the thread ends once everything asked for is done and told.
    ///
    /// Take the remaining outcomes, or drop their receiver, before joining the thread.
    #[must_use]
    pub fn close(self) -> JoinHandle<()> {
        self.thread
    }
}

/// The thread's own side.
struct Writing {
    disk: Disk,
    waiting: Receiver<Request>,
    outcomes: Sender<Outcome>,
    /// Set by the first failure: redb takes nothing more until the file is opened anew.
    failed: bool,
}

impl Writing {
    fn run(mut self) {
        while let Some(request) = self.waiting.blocking_recv() {
            let mut next = Some(request);
            while let Some(request) = next {
                next = self.carry_out(request);
            }
        }
    }

    /// Carries out a request; returns one that came out of the queue behind it and is still to be done.
    fn carry_out(&mut self, request: Request) -> Option<Request> {
        match request {
            Request::Append(batch) => {
                let (batches, next) = self.gather(batch);
                self.append(batches);
                return next;
            }
            Request::Remove { group, ids } => {
                let removed = self.attempt(|disk| disk.remove(&group, &ids));
                self.answer_failure(removed.is_none());
            }
            Request::Prune { before } => {
                let pruned = self.attempt(|disk| disk.prune(before));
                self.answer_failure(pruned.is_none());
                tracing::debug!(records = pruned, "pruned the store");
            }
        }
        None
    }

    /// Collects the batches that wait behind `first` for one commit, and whatever else ended the search.
    fn gather(&mut self, first: Vec<Permitted>) -> (Vec<Vec<Permitted>>, Option<Request>) {
        let mut count = first.len();
        let mut batches = vec![first];
        while count < COMMIT_RECORDS {
            match self.waiting.try_recv() {
                Ok(Request::Append(batch)) => {
                    count += batch.len();
                    batches.push(batch);
                }
                Ok(other) => return (batches, Some(other)),
                Err(_) => break,
            }
        }
        (batches, None)
    }

    /// Stores batches in one commit and answers each by itself.
    fn append(&mut self, batches: Vec<Vec<Permitted>>) {
        let lens: Vec<usize> = batches.iter().map(Vec::len).collect();
        let records: Vec<Permitted> = batches.into_iter().flatten().collect();
        match self.attempt(|disk| disk.append(&records)) {
            Some(fates) => {
                let mut stored = records.into_iter().zip(fates);
                for len in lens {
                    self.answer(Outcome::Committed(stored.by_ref().take(len).collect()));
                }
            }
            None => {
                let mut records = records.into_iter();
                for len in lens {
                    self.answer(Outcome::Failed(records.by_ref().take(len).collect()));
                }
            }
        }
    }

    /// Does something to the store unless it has failed before; `None` where it has, or does now.
    fn attempt<T>(&mut self, act: impl FnOnce(&mut Disk) -> Result<T, DiskError>) -> Option<T> {
        if self.failed {
            return None;
        }
        act(&mut self.disk)
            .inspect_err(|error| {
                tracing::error!(%error, "the store takes no more writes");
                self.failed = true;
            })
            .ok()
    }

    fn answer_failure(&self, failed: bool) {
        if failed {
            self.answer(Outcome::Failed(Vec::new()));
        }
    }

    fn answer(&self, outcome: Outcome) {
        // Nobody listens any more when the node stops; what is asked for is stored all the same.
        drop(self.outcomes.blocking_send(outcome));
    }
}
