//! What is to be done about once a second is done when the process is awake anyway, by all who have such work at once.
//!
//! A timer of its own for each would wake a device at rest as many times. Gossipsub wakes it once a second for its heartbeat:
//! whoever is awake then finds that a tick is due, and the others are told.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

/// From one tick to the next: somewhat less than a heartbeat takes, so that each heartbeat brings one.
const SPACING: Duration = Duration::from_millis(900);

/// A tick comes after this where nothing wakes the process before.
const LATEST: Duration = Duration::from_secs(5);

/// The ticks of a process, for one who has something to do at each.
#[derive(Debug)]
pub struct Ticks {
    due: Arc<Mutex<Instant>>,
    told: watch::Sender<()>,
    heard: watch::Receiver<()>,
    latest: Pin<Box<Sleep>>,
}

impl Ticks {
    /// Begins; the first tick comes after the usual time. Must be called within a tokio runtime.
    pub(crate) fn new() -> Self {
        let (told, heard) = watch::channel(());
        let due = Arc::new(Mutex::new(Instant::now() + SPACING));
        Self { due, told, heard, latest: Box::pin(sleep(LATEST)) }
    }

    /// The same ticks, for another.
    pub(crate) fn shared(&self) -> Self {
        let (due, told) = (Arc::clone(&self.due), self.told.clone());
        Self { due, heard: told.subscribe(), told, latest: Box::pin(sleep(LATEST)) }
    }

    /// Waits for the next tick. Whoever waits has it begin, for all, by being polled when it is due. Can be dropped at any point.
    pub(crate) async fn next(&mut self) {
        let Self { due, told, heard, latest } = self;
        let awake = poll_fn(|_| if begins(due, Instant::now()) { Poll::Ready(()) } else { Poll::Pending });
        tokio::select! {
            biased;
            () = awake => {
                told.send_replace(());
                heard.mark_unchanged();
            }
            // The other end is in the same hands.
            _told = heard.changed() => {}
            () = latest.as_mut() => {}
        }
        latest.as_mut().reset(Instant::now() + LATEST);
    }
}

/// Tells whether a tick begins now.
fn begins(due: &Mutex<Instant>, now: Instant) -> bool {
    let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
    let begins = now >= *due;
    if begins {
        *due = now + SPACING;
    }
    begins
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn comes(ticks: &mut Ticks) -> bool {
        ticks.next().now_or_never().is_some()
    }

    #[tokio::test]
    async fn who_is_awake_when_a_tick_is_due_has_it_begin_for_all() {
        let mut first = Ticks::new();
        let mut second = first.shared();
        assert!(!comes(&mut first) && !comes(&mut second));
        sleep(SPACING).await;
        assert!(comes(&mut first));
        assert!(!comes(&mut first), "once");
        assert!(comes(&mut second), "told by the first");
        assert!(!comes(&mut second), "once");
    }

    #[tokio::test]
    async fn where_nothing_wakes_the_process_a_tick_comes_all_the_same() {
        let (mut ticks, began) = (Ticks::new(), Instant::now());
        ticks.next().await;
        assert!(began.elapsed() >= LATEST);
        assert!(!comes(&mut ticks), "once");
    }
}
