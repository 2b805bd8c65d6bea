//! What sessions have brought is checked on all cores, beside the loop, and on one thread more than there are cores: so none
//! stands still until the loop has seen that a check is done.
//!
//! Were all that waits checked at once, all would be done at once: nothing would be left to check while it is stored. And
//! were checking not to give way, what brings more to check, and what stores it, would wait for a core.

use std::collections::VecDeque;
use std::thread;

use muster_roles::{GroupId, UnitId};
use tokio::sync::oneshot;

use super::{Done, Driver, RunError};
use crate::engine::io::{Input, SyncInput};
use crate::engine::sync::SessionId;
use crate::engine::verify::check_records;
use crate::yielding::give_way;

/// Records that a session has brought in one frame.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) session: SessionId,
    /// The group they are said to belong to.
    pub(super) group: GroupId,
    pub(super) records: Vec<Vec<u8>>,
    /// Whether they end an answer.
    pub(super) last: bool,
}

impl Batch {
    fn check(self, unit: UnitId) -> Input {
        let Self { session, group, records, last } = self;
        let (records, forged) = check_records(&records, unit);
        Input::Sync(SyncInput::Verified { session, group, records, forged, last })
    }
}

/// What is still to be checked: no more than a session may have under way.
#[derive(Debug)]
pub(super) struct Checking {
    waiting: VecDeque<Batch>,
    under_way: usize,
    /// How many are checked at once.
    threads: usize,
}

impl Default for Checking {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { waiting: VecDeque::new(), under_way: 0, threads: cores + 1 }
    }
}

impl Driver {
    /// Checks records when there is a thread for it, those first that came first.
    pub(super) fn check_later(&mut self, batch: Batch) {
        self.checking.waiting.push_back(batch);
        self.check_on();
    }

    fn check_on(&mut self) {
        while self.checking.under_way < self.checking.threads
            && let Some(batch) = self.checking.waiting.pop_front()
        {
            let unit = self.state.roster().unit();
            let (tell, checked) = oneshot::channel();
            let check = move || {
                give_way();
                // Nobody waits for it any more when the node stops.
                drop(tell.send(batch.check(unit)));
            };
            // A thread of its own, as none that has given way can be used for anything else.
            if let Err(error) = thread::Builder::new().name("muster-checker".to_owned()).spawn(check) {
                tracing::error!(%error, "no thread to check records on");
            }
            self.checking.under_way += 1;
            self.work.spawn(async { Done::Checked(checked.await.ok()) });
        }
    }

    /// Takes in what has been checked, and lets the next have its thread. What could not be checked has not come; its session does
    /// not get on, and ends by that.
    pub(super) async fn on_checked(&mut self, checked: Option<Input>) -> Result<(), RunError> {
        self.checking.under_way -= 1;
        self.check_on();
        match checked {
            Some(checked) => self.feed(checked).await,
            None => Ok(()),
        }
    }
}
