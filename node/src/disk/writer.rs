//! The one thread that writes: what arrives while a commit runs goes into the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use muster_roles::{GroupId, Roster, Timestamp};
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::engine::floors::Floors;
use crate::engine::policy::Permitted;
use crate::engine::store::{Fate, Shed, Store};
use crate::engine::sync::SyncId;
use crate::engine::wire::{Rank, RecordId};
use crate::yielding::give_way;

use super::{Disk, DiskError, Mark};

/// Jobs that may wait while a commit runs; when so many do, whoever asks waits too.
pub const JOB_QUEUE_LEN: usize = 256;

/// Outcomes that may lie untaken before the thread waits. There is one a commit, and a commit takes many jobs, so that
/// a full queue of jobs never makes this many while whoever asks is held up by it.
pub const OUTCOME_QUEUE_LEN: usize = 256;

/// A commit takes no further batch once it has this many records: more gains no speed, and every one of them waits
/// until all are written.
pub const COMMIT_RECORDS: usize = 1024;

/// The disk has a rest of this after a commit, where nobody waits for the next one: others' records that come meanwhile are taken
/// together, for one at a time the commits of a busy node cost more than all that is in them. This member's own begin no rest;
/// those that come during one are stored at its end, and more of them share a signature then.
const REST: Duration = Duration::from_millis(10);

/// So many records at once are worth a commit of their own: what a session brings, which asks for more when they are stored.
const WORTH_A_COMMIT: usize = 64;

/// What the writer is asked to do.
#[derive(Debug)]
pub enum Job {
    /// Store these records in one commit.
    Append(Vec<Permitted>),
    /// Note that others have these records; answered only if it fails.
    Sent {
        /// Their group.
        group: GroupId,
        /// Their times and ids.
        records: Vec<(Timestamp, RecordId)>,
    },
    /// Note the last message seen of these groups; answered only if it fails.
    Mark(BTreeMap<GroupId, Mark>),
    /// Drop every record older than this; answered only if it fails.
    Prune {
        /// The oldest time to keep.
        before: Timestamp,
    },
    /// Drop the least urgent and oldest of what is carried for others; answered only if there was any to drop, or it fails.
    Shed(Shed),
    /// Take out what this roster does not permit; always answered.
    Rejudge(Arc<Roster>),
}

/// What became of jobs.
#[derive(Debug)]
pub enum Outcome {
    /// These are on disk: the records of one or several batches in their order, each with what became of it.
    Committed(Vec<(Permitted, Fate)>),
    /// What is carried for others and older than this is not in the store any more.
    Shed {
        /// The oldest times that are kept of it.
        before: Floors,
    },
    /// These are not in the store any more.
    Withdrawn(Vec<(GroupId, BTreeSet<SyncId>)>),
    /// These are not on disk, nor is any later one going to be; empty where something other than storing failed.
    Failed(Vec<Permitted>),
}

/// The way to the writing thread and back.
#[derive(Debug)]
pub struct Writer {
    /// Takes jobs.
    pub jobs: Jobs,
    /// Gives what became of them, in their order; nothing more comes where the thread has died.
    pub outcomes: Receiver<Outcome>,
}

/// Takes jobs, and makes whoever sends wait while [`JOB_QUEUE_LEN`] of them do.
#[derive(Clone, Debug)]
pub struct Jobs {
    queue: Sender<Job>,
    /// Who carries them out.
    thread: Thread,
}

impl Jobs {
    /// Asks for something.
    ///
    /// # Errors
    /// Gives the job back where the thread has died.
    pub async fn send(&self, job: Job) -> Result<(), SendError<Job>> {
        let is_much = is_much(&job);
        self.queue.send(job).await?;
        self.wake(is_much);
        Ok(())
    }

    /// Asks for something, outside of any runtime.
    ///
    /// # Errors
    /// Gives the job back where the thread has died.
    pub fn blocking_send(&self, job: Job) -> Result<(), SendError<Job>> {
        let is_much = is_much(&job);
        self.queue.blocking_send(job)?;
        self.wake(is_much);
        Ok(())
    }

    /// Ends the disk's rest where what has just been asked for is worth a commit.
    fn wake(&self, is_much: bool) {
        if is_much {
            self.thread.unpark();
        }
    }
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub fn start(disk: Disk) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel(JOB_QUEUE_LEN);
        let (answers, outcomes) = mpsc::channel(OUTCOME_QUEUE_LEN);
        let writing = Writing { work: Work::new(disk), waiting, answers, rested: Instant::now() };
        let thread = thread::Builder::new().name("muster-writer".to_owned()).spawn(move || writing.run())?;
        Ok(Self { jobs: Jobs { queue, thread: thread.thread().clone() }, outcomes })
    }

    /// Lets nothing more in and waits until all that was asked for is done and the thread has let go of the store.
    ///
    /// Outcomes that have not been taken are lost, what they tell of is not.
    pub async fn finish(mut self) {
        drop(self.jobs);
        while self.outcomes.recv().await.is_some() {}
    }
}

/// The thread's own side. The fields are dropped in this order: when the answers end, the store has been let go of.
struct Writing {
    work: Work,
    waiting: Receiver<Job>,
    answers: Sender<Outcome>,
    /// When the disk has had its rest.
    rested: Instant,
}

impl Writing {
    fn run(mut self) {
        give_way();
        while let Some(job) = self.waiting.blocking_recv() {
            let mut next = Some(job);
            while let Some(job) = next {
                let mut rest = may_wait(&job).then_some(self.rested);
                let (outcome, behind) = self.work.carry_out(job, || next_within(&mut rest, &mut self.waiting));
                self.rested = Instant::now() + REST;
                if let Some(outcome) = outcome {
                    // Nobody listens any more when the node stops; what was asked for is done all the same.
                    drop(self.answers.blocking_send(outcome));
                }
                next = behind;
            }
        }
    }
}

/// Takes the next job out of the queue, and waits for it while the disk rests; the rest ends when one comes that is worth a commit.
fn next_within(rest: &mut Option<Instant>, waiting: &mut Receiver<Job>) -> Option<Job> {
    let next = waiting.try_recv().ok().or_else(|| {
        // Woken for nothing it commits a little early, which does no harm.
        thread::park_timeout(rest.take()?.checked_duration_since(Instant::now())?);
        waiting.try_recv().ok()
    });
    if next.as_ref().is_some_and(is_much) {
        *rest = None;
    }
    next
}

/// Tells whether a job is worth a commit of its own.
fn is_much(job: &Job) -> bool {
    matches!(job, Job::Append(records) if records.len() >= WORTH_A_COMMIT)
}

/// Tells whether a job is to wait until the disk has rested: a few of others' records.
fn may_wait(job: &Job) -> bool {
    matches!(job, Job::Append(records) if !is_much(job) && !records.iter().any(Permitted::is_own))
}

/// The work itself, one job after the other: the thread does it when it can, a simulation when it says.
#[derive(Debug)]
pub struct Work {
    disk: Disk,
    /// Set by the first failure: redb takes nothing more until the file is opened anew.
    failed: bool,
}

impl Work {
    /// Begins on an open store.
    #[must_use]
    pub fn new(disk: Disk) -> Self {
        Self { disk, failed: false }
    }

    /// Returns the store.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Carries out a job, and with records to store those of the jobs behind it, which `next` takes out of the queue.
    ///
    /// Returns what became of it, and a job that came out of the queue and is still to be done.
    pub fn carry_out(&mut self, job: Job, next: impl FnMut() -> Option<Job>) -> (Option<Outcome>, Option<Job>) {
        let outcome = match job {
            Job::Append(mut records) => {
                let behind = gather(&mut records, next);
                return (Some(self.append(records)), behind);
            }
            Job::Sent { group, records } => self.silently(|disk| disk.sent(&group, &records)),
            Job::Mark(seen) => self.silently(|disk| disk.mark(&seen)),
            Job::Prune { before } => self.silently(|disk| {
                let records = disk.prune(before)?;
                tracing::debug!(records, "pruned the store");
                Ok(())
            }),
            Job::Shed(shed) => match self.attempt(|disk| disk.shed(&shed)) {
                Some(Some(before)) => {
                    tracing::info!(before_ms = ?Rank::ALL.map(|rank| before.of(rank).ms()), "dropped the least urgent and oldest of what is carried for others");
                    Some(Outcome::Shed { before })
                }
                Some(None) => None,
                None => Some(Outcome::Failed(Vec::new())),
            },
            Job::Rejudge(roster) => {
                let withdrawn = self.attempt(|disk| disk.rejudge(&roster));
                Some(withdrawn.map_or_else(|| Outcome::Failed(Vec::new()), Outcome::Withdrawn))
            }
        };
        (outcome, None)
    }

    fn append(&mut self, records: Vec<Permitted>) -> Outcome {
        match self.attempt(|disk| disk.append(&records)) {
            Some(fates) => Outcome::Committed(records.into_iter().zip(fates).collect()),
            None => Outcome::Failed(records),
        }
    }

    /// Does something that is answered only if it fails.
    fn silently(&mut self, act: impl FnOnce(&mut Disk) -> Result<(), DiskError>) -> Option<Outcome> {
        self.attempt(act).is_none().then(|| Outcome::Failed(Vec::new()))
    }

    /// Does something to the store unless it has failed before; `None` where it has, or does now.
    fn attempt<T>(&mut self, act: impl FnOnce(&mut Disk) -> Result<T, DiskError>) -> Option<T> {
        if self.failed {
            return None;
        }
        act(&mut self.disk)
            .inspect_err(|error| {
                let error: &dyn std::error::Error = error;
                tracing::error!(error, "the store takes no more writes");
                self.failed = true;
            })
            .ok()
    }
}

/// Adds the batches that wait to `records`, up to a commit's worth; returns the job that ended the search.
fn gather(records: &mut Vec<Permitted>, mut next: impl FnMut() -> Option<Job>) -> Option<Job> {
    while records.len() < COMMIT_RECORDS {
        match next()? {
            Job::Append(batch) => records.extend(batch),
            other => return Some(other),
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use muster_keys::Identity;
    use muster_roles::{Precedence, Timestamp, found};

    use super::*;
    use crate::engine::verify::{Unsigned, Verified};
    use crate::engine::wire::{Header, Kind};

    /// So many records of a commander, signed one by one.
    fn records(count: usize) -> Vec<Permitted> {
        let (chief, now) = (Identity::from_seed(&[1; 32]), Timestamp::from_ms(1_800_000_000_000));
        let (name, troops) = ("1st Brigade".parse().unwrap(), ["army:r".parse().unwrap()]);
        let documents = found(&name, &"Chief".parse().unwrap(), &chief, &troops, now).unwrap();
        let roster = Roster::from_documents(documents.iter().map(Vec::as_slice), now).unwrap();
        let cited = roster.versions_for(&GroupId::heads());
        let header = Header {
            unit: roster.unit(),
            kind: Kind::Text,
            precedence: Precedence::Routine,
            group: GroupId::heads(),
            author: chief.public(),
            seq: 1,
            time: now,
            charter_version: cited.charter_version,
            sheet_version: cited.sheet_version,
            epoch: cited.epoch,
        };
        let signed = Verified::sign(&chief, &[Unsigned::new(&header, &[0; 24], &[0; 80])]).unwrap().remove(0);
        vec![Permitted::judge(signed, &roster, now.ms()).unwrap(); count]
    }

    #[test]
    fn a_few_records_of_others_wait_for_the_disk_and_nothing_else_does() {
        assert!(may_wait(&Job::Append(records(1))));
        assert!(may_wait(&Job::Append(records(WORTH_A_COMMIT - 1))));
        assert!(!may_wait(&Job::Append(records(WORTH_A_COMMIT))), "a session asks for more when these are stored");
        let own = records(1).into_iter().map(Permitted::into_own).collect();
        assert!(!may_wait(&Job::Append(own)), "somebody waits for the answer");
        assert!(!may_wait(&Job::Prune { before: Timestamp::ZERO }));
    }

    #[test]
    fn the_rest_lasts_until_something_comes_that_is_worth_a_commit() {
        let (jobs, mut waiting) = mpsc::channel(JOB_QUEUE_LEN);
        let long = Instant::now() + Duration::from_secs(600);
        let mut rest = Some(long);
        jobs.blocking_send(Job::Append(records(1))).unwrap();
        assert!(next_within(&mut rest, &mut waiting).is_some());
        assert_eq!(rest, Some(long), "a few more of others' records change nothing");
        let jobs = Jobs { queue: jobs, thread: thread::current() };
        let sending = thread::spawn(move || jobs.blocking_send(Job::Append(records(WORTH_A_COMMIT))));
        assert!(next_within(&mut rest, &mut waiting).is_some(), "it is woken");
        assert_eq!(rest, None);
        sending.join().unwrap().unwrap();
        assert!(next_within(&mut rest, &mut waiting).is_none(), "and waits no more");
    }
}
