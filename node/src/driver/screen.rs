//! The way to a screen: what it cannot take at once waits here, so that a slow screen never holds the node up.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::control::Event;

/// Events that may wait for a slow screen; beyond it the oldest rows go, and the screen is told how many.
const BACKLOG_LEN: usize = 4096;

/// One screen and what waits for it.
pub(super) struct Screen {
    events: mpsc::Sender<Event>,
    backlog: VecDeque<Event>,
    missed: u64,
}

impl Screen {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, backlog: VecDeque::new(), missed: 0 }
    }

    /// Queues an event; never waits.
    pub(super) fn show(&mut self, event: Event) {
        if self.backlog.len() >= BACKLOG_LEN {
            self.backlog.pop_front();
            self.missed += 1;
        }
        self.backlog.push_back(event);
        self.push_on();
    }

    /// Hands over what the screen can take now.
    fn push_on(&mut self) {
        while !self.backlog.is_empty()
            && let Ok(slot) = self.events.try_reserve()
        {
            if self.missed > 0 {
                slot.send(Event::Missed { count: std::mem::take(&mut self.missed) });
            } else if let Some(event) = self.backlog.pop_front() {
                slot.send(event);
            }
        }
    }

    /// Waits until the screen can take more, then hands it over; never ends while nothing waits or the screen is gone.
    ///
    /// Cancel safe: an event leaves the backlog only once it has its place.
    pub(super) async fn drain(&mut self) {
        if self.backlog.is_empty() {
            return std::future::pending().await;
        }
        let room = self.events.reserve().await.map(drop);
        match room {
            Ok(()) => self.push_on(),
            Err(_closed) => {
                self.backlog.clear();
                std::future::pending::<()>().await;
            }
        }
    }

    /// Hands over everything that waits and the last event, for a screen that is still reading.
    pub(super) async fn close(mut self) {
        self.backlog.push_back(Event::Closed);
        for event in self.backlog {
            if self.events.send(event).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_screen_that_does_not_read_costs_a_bounded_backlog_and_is_told_what_it_missed() {
        let (tx, mut rx) = mpsc::channel(1);
        let mut screen = Screen::new(tx);
        for connected in 0..BACKLOG_LEN + 11 {
            screen.show(Event::Presence { connected });
        }
        assert_eq!(screen.backlog.len(), BACKLOG_LEN);
        assert!(matches!(rx.recv().await, Some(Event::Presence { connected: 0 })));
        screen.drain().await;
        assert!(matches!(rx.recv().await, Some(Event::Missed { count: 10 })));
        screen.drain().await;
        assert!(matches!(rx.recv().await, Some(Event::Presence { connected: 11 })));
    }

    #[tokio::test]
    async fn closing_hands_over_all_that_waits_first() {
        let (tx, mut rx) = mpsc::channel(1);
        let mut screen = Screen::new(tx);
        (0..3).for_each(|connected| screen.show(Event::Presence { connected }));
        let closing = tokio::spawn(screen.close());
        let mut seen = Vec::new();
        while let Some(event) = rx.recv().await {
            seen.push(matches!(event, Event::Closed));
        }
        closing.await.unwrap();
        assert_eq!(seen, [false, false, false, true]);
    }
}
