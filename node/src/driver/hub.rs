//! Everybody who listens to the node: each has its own bounded queue, so that a slow one never holds the node up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::control::{Event, EventId, Listening, Refusal, RefusalKind, Told};

/// Screens and programs that may listen at once: a person's own few, and a monitor or two.
pub(super) const MAX_LISTENERS: usize = 32;

/// Events that may wait for one listener. They are shared by all, so that a full queue is 32 KiB and no more.
const QUEUE_LEN: usize = 4096;

/// Events that a listener which comes back can have again: some minutes of a busy unit, a few MiB at the very most.
const RECENT_LEN: usize = 1024;

/// Addresses told to who comes later; a device has a handful.
const MAX_ADDRESSES: usize = 64;

/// A listener whose queue has been full for so long has hung: it is let go of, and can come back.
const STUCK_LIMIT: Duration = Duration::from_secs(60);

/// All listeners, and what one that comes now must know.
#[derive(Debug)]
pub(super) struct Hub {
    last: EventId,
    listeners: Vec<Listener>,
    recent: VecDeque<Arc<Told>>,
    profile: Option<Arc<Told>>,
    listening: Vec<Arc<Told>>,
    presence: Option<Arc<Told>>,
}

#[derive(Debug)]
struct Listener {
    queue: mpsc::Sender<Arc<Told>>,
    missed: u64,
    /// Since when its queue has been full.
    stuck: Option<Instant>,
}

impl Hub {
    /// Begins a run that nobody listens to yet; the number tells it from others.
    pub(super) fn new(run: u32) -> Self {
        Self {
            last: EventId { run, number: 0 },
            listeners: Vec::new(),
            recent: VecDeque::new(),
            profile: None,
            listening: Vec::new(),
            presence: None,
        }
    }

    /// Tells everybody; never waits.
    pub(super) fn tell(&mut self, event: Event, now: Instant) {
        self.last.number += 1;
        let told = Arc::new(Told::new(self.last, event));
        match &told.event {
            Event::Profile(_) => self.profile = Some(told.clone()),
            Event::Presence { .. } => self.presence = Some(told.clone()),
            Event::Listening { .. } if self.listening.len() < MAX_ADDRESSES => self.listening.push(told.clone()),
            _ => {}
        }
        if self.recent.len() >= RECENT_LEN {
            self.recent.pop_front();
        }
        self.recent.push_back(told.clone());
        let last = self.last;
        self.listeners.retain_mut(|listener| listener.tell(&told, last, now));
    }

    /// Takes in a listener; one that has heard this run before gets what it has missed, as far as that is kept.
    pub(super) fn listen(&mut self, after: Option<EventId>) -> Result<Listening, Refusal> {
        self.listeners.retain(|listener| !listener.queue.is_closed());
        if self.listeners.len() >= MAX_LISTENERS {
            let error = format_args!("{MAX_LISTENERS} screens and programs listen to this node already");
            return Err(Refusal::new(RefusalKind::Busy, error).with_hint("close one of them"));
        }
        let (queue, events) = mpsc::channel(QUEUE_LEN);
        let after = after.filter(|after| after.run == self.last.run && after.number <= self.last.number);
        let now = match after {
            Some(after) => self.since(after),
            None => self.profile.iter().chain(&self.listening).chain(&self.presence).cloned().collect(),
        };
        self.listeners.push(Listener { queue, missed: 0, stuck: None });
        Ok(Listening { head: self.last, now, events })
    }

    /// Returns what has been told since an event, with a marker before it where some of that is not kept.
    fn since(&self, after: EventId) -> Vec<Arc<Told>> {
        let kept: Vec<Arc<Told>> = self.recent.iter().filter(|told| told.id > after).cloned().collect();
        let told = self.last.number - after.number;
        let missed = told.saturating_sub(kept.len() as u64);
        let marker = (missed > 0).then(|| Arc::new(Told::new(after, Event::Missed { count: missed })));
        marker.into_iter().chain(kept).collect()
    }

    /// Tells those who have missed something so, once they can take it, and lets go of those who have hung.
    pub(super) fn tick(&mut self, now: Instant) {
        let last = self.last;
        self.listeners.retain_mut(|listener| {
            let hangs = listener.stuck.is_some_and(|since| now.saturating_duration_since(since) >= STUCK_LIMIT);
            !listener.queue.is_closed() && !hangs && (listener.catch_up(last, now) || listener.stuck.is_some())
        });
    }

    /// Returns how many listen.
    pub(super) fn len(&self) -> usize {
        self.listeners.iter().filter(|listener| !listener.queue.is_closed()).count()
    }
}

impl Listener {
    /// Queues an event, or counts it as missed; tells whether the listener is still there.
    fn tell(&mut self, told: &Arc<Told>, last: EventId, now: Instant) -> bool {
        if !self.catch_up(last, now) {
            self.missed += 1;
            return !self.queue.is_closed();
        }
        match self.queue.try_send(told.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.missed += 1;
                self.stuck.get_or_insert(now);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Says what has been missed, if anything; tells whether the next event may follow.
    fn catch_up(&mut self, last: EventId, now: Instant) -> bool {
        if self.missed > 0 {
            let marker = Told::new(last, Event::Missed { count: self.missed });
            if self.queue.try_send(Arc::new(marker)).is_err() {
                self.stuck.get_or_insert(now);
                return false;
            }
            self.missed = 0;
        }
        self.stuck = None;
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn presence(connected: usize) -> Event {
        Event::Presence { connected }
    }

    fn connected(told: &Told) -> usize {
        match told.event {
            Event::Presence { connected } => connected,
            ref other => panic!("not a presence: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_listener_that_does_not_read_costs_a_bounded_queue_and_is_told_what_it_missed() {
        let (mut hub, now) = (Hub::new(1), Instant::now());
        let mut slow = hub.listen(None).unwrap();
        let mut quick = hub.listen(None).unwrap();
        for number in 0..QUEUE_LEN + 11 {
            hub.tell(presence(number), now);
            assert_eq!(connected(&quick.events.try_recv().unwrap()), number);
        }
        assert_eq!(connected(&slow.events.recv().await.unwrap()), 0);
        hub.tick(now);
        for number in 1..QUEUE_LEN {
            assert_eq!(connected(&slow.events.recv().await.unwrap()), number);
        }
        assert_eq!(slow.events.recv().await.unwrap().event, Event::Missed { count: 11 });
        hub.tell(presence(7), now);
        assert_eq!(connected(&slow.events.recv().await.unwrap()), 7);
    }

    #[tokio::test]
    async fn a_listener_that_hangs_is_let_go_of_and_hears_the_end_of_it() {
        let (mut hub, start) = (Hub::new(1), Instant::now());
        let mut hung = hub.listen(None).unwrap();
        for number in 0..=QUEUE_LEN {
            hub.tell(presence(number), start);
        }
        hub.tick(start + STUCK_LIMIT / 2);
        assert_eq!(hub.len(), 1);
        hub.tick(start + STUCK_LIMIT);
        assert_eq!(hub.len(), 0);
        let mut heard = 0;
        while hung.events.recv().await.is_some() {
            heard += 1;
        }
        assert_eq!(heard, QUEUE_LEN);
    }

    #[test]
    fn who_comes_later_hears_how_things_are_by_the_events_that_made_them_so() {
        let (mut hub, now) = (Hub::new(1), Instant::now());
        for number in 0..3 {
            hub.tell(presence(number), now);
        }
        hub.tell(Event::Listening { address: "a".to_owned() }, now);
        let [first, second] = [hub.listen(None).unwrap(), hub.listen(None).unwrap()];
        assert_eq!(first.now.iter().map(|told| told.id.number).collect::<Vec<_>>(), [4, 3]);
        assert_eq!(first.now[0].json(), second.now[0].json());
        assert_eq!(first.head.number, 4);
    }

    #[test]
    fn who_comes_back_gets_what_it_has_missed_and_is_told_what_is_gone() {
        let (mut hub, now) = (Hub::new(1), Instant::now());
        for number in 1..=RECENT_LEN + 5 {
            hub.tell(presence(number), now);
        }
        let last = hub.last;
        let back = hub.listen(Some(EventId { number: last.number - 2, ..last })).unwrap();
        assert_eq!(back.now.iter().map(|told| connected(told)).collect::<Vec<_>>(), [RECENT_LEN + 4, RECENT_LEN + 5]);
        let long_gone = hub.listen(Some(EventId { number: 2, ..last })).unwrap();
        assert_eq!(long_gone.now[0].event, Event::Missed { count: 3 });
        assert_eq!(long_gone.now.len(), 1 + RECENT_LEN);
        for stranger in [EventId { run: 2, number: 1 }, EventId { number: last.number + 1, ..last }] {
            let anew = hub.listen(Some(stranger)).unwrap();
            assert_eq!(anew.now.len(), 1, "another run's number means nothing here");
        }
    }

    #[test]
    fn listeners_are_bounded_and_one_that_goes_makes_room() {
        let mut hub = Hub::new(1);
        let mut there: Vec<Listening> = (0..MAX_LISTENERS).map(|_| hub.listen(None).unwrap()).collect();
        assert_eq!(hub.listen(None).unwrap_err().kind, RefusalKind::Busy);
        there.pop();
        assert!(hub.listen(None).is_ok());
    }
}
