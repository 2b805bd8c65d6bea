//! How a node ends: nothing more is taken in, and what has been is stored first.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::Driver;
use crate::control::Event;
use crate::net;

/// How long a patient person's messages may wait for somebody to take them before the node ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the store and the network may take to end before the node ends without them.
const ENDING_LIMIT: Duration = Duration::from_secs(10);

/// Why the loop goes on or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Nothing more is taken in; ends once all is stored, and sent too where that is waited for.
    Leaving {
        until: Instant,
        patient: bool,
    },
    /// It has taken too long.
    Over,
}

impl Phase {
    /// Waits for the end of a leaving node's time.
    pub(super) async fn over(self) {
        match self {
            Self::Running => std::future::pending().await,
            Self::Leaving { until, .. } => sleep_until(until).await,
            Self::Over => {}
        }
    }
}

/// How a node has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All that was taken in is on disk.
    Stored,
    /// Somebody who uses it wants its home destroyed: nothing was waited for.
    ToBeWiped,
}

impl Driver {
    pub(super) fn leave(&mut self, patient: bool) {
        let limit = if patient { PATIENCE } else { ENDING_LIMIT };
        self.phase = Phase::Leaving { until: Instant::now() + limit, patient };
    }

    /// Ends without waiting for anything: the home is to be destroyed.
    pub(super) fn leave_nothing(&mut self) {
        self.ended = Ended::ToBeWiped;
        self.phase = Phase::Over;
    }

    pub(super) fn has_left(&self) -> bool {
        match self.phase {
            Phase::Running => false,
            Phase::Over => true,
            Phase::Leaving { patient, .. } => {
                let stored = self.state.is_stored() && self.state.is_published();
                let done = if patient { self.state.is_settled() } else { stored };
                done && self.saves == 0
            }
        }
    }

    /// Ends what runs beside the loop: the store first, so that all that was taken in is on disk.
    pub(super) async fn end(mut self) {
        if self.ended == Ended::Stored {
            self.note_all().await;
            // Whatever still reads the store keeps it from being closed in good order.
            if timeout(ENDING_LIMIT, self.stop_reading()).await.is_err() {
                tracing::warn!("the store is still being read");
            }
        }
        let Self { writer, net, mut hub, posts, changes, .. } = self;
        if timeout(ENDING_LIMIT, writer.finish()).await.is_err() {
            tracing::error!("the store did not end in time");
        }
        posts.end();
        changes.end();
        let net_ended = async {
            let _task_gone = net.commands.send(net::Command::Shutdown).await;
            drop(net.events);
            let _aborted = net.task.await;
        };
        if timeout(ENDING_LIMIT, net_ended).await.is_err() {
            tracing::error!("the network side did not end in time");
        }
        hub.tell(Event::Closed, Instant::now());
    }

    async fn note_all(&mut self) {
        let effects = self.state.report_sent();
        let noted = match self.carry_out(effects).await {
            Ok(()) => self.note_seen().await,
            Err(error) => Err(error),
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "what has been sent and seen could not be noted");
        }
        self.places.save(Instant::now());
    }
}
