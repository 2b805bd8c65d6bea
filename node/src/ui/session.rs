//! The loop of a plain screen: what is typed goes to the node, what the node tells goes to the screen.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::chat::{Chat, Output};
use super::printed::{Line, Look};
use super::wording;
use crate::control::{Ask, Event, Request};

/// How long a leaving screen waits for the node to end: longer than the node gives its store and its network.
pub(super) const LEAVE_LIMIT: Duration = Duration::from_secs(40);

/// How long leaving may take in silence: a person who waits longer wants to know what for.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_millis(500);

/// Lines on their way to the screen's output side: a history fits; beyond it the node keeps back what it has to tell.
pub(super) const LINE_QUEUE_LEN: usize = 64;

/// Entries on their way from the screen's input side: what is typed waits at its source.
pub(super) const ENTRY_QUEUE_LEN: usize = 1;

/// What a screen's input side hands in.
#[derive(Debug)]
pub(super) enum Entry {
    /// A line.
    Line(String),
    /// Input that is no line, and why.
    Unusable(String),
}

/// What a node tells a screen: an event, and for scripts how it stands in JSON.
pub trait Tells {
    /// Returns the event.
    fn event(self) -> Event;

    /// Returns it as one JSON object in one line, where that is what is shown.
    fn json(&mut self) -> Option<String>;
}

impl Tells for Event {
    fn event(self) -> Event {
        self
    }

    fn json(&mut self) -> Option<String> {
        None
    }
}

/// The channels of one screen.
#[derive(Debug)]
pub(super) struct Ports<E> {
    /// To the node.
    pub(super) asks: mpsc::Sender<Ask>,
    /// From the node.
    pub(super) events: mpsc::Receiver<E>,
    /// From the screen's input side; closed at the end of input.
    pub(super) entries: mpsc::Receiver<Entry>,
    /// To the screen's output side; a closed one means that nobody looks any more.
    pub(super) lines: mpsc::Sender<String>,
}

/// One screen's conversation with the node.
pub(super) struct Session {
    look: Look,
    /// Whether the node runs on without a person: past the end of input, and unseen.
    stay: bool,
    is_seen: bool,
    chat: Chat,
    asks: VecDeque<Ask>,
    prints: VecDeque<String>,
    /// Notes that it has written in JSON.
    notes: u64,
    /// When a screen that has left gives the node up.
    leaving: Option<Instant>,
    /// When a screen that has left says what it waits for.
    explain_at: Option<Instant>,
}

impl Session {
    pub(super) fn new(look: Look, stay: bool) -> Self {
        let (asks, prints) = (VecDeque::new(), VecDeque::new());
        let (notes, leaving, explain_at) = (0, None, None);
        Self { look, stay, is_seen: true, chat: Chat::new(!stay), asks, prints, notes, leaving, explain_at }
    }

    /// Runs until the node says that it has closed, or does not say so in time after the screen has left.
    pub(super) async fn run<E: Tells>(mut self, ports: Ports<E>) {
        let Ports { asks, mut events, entries, lines } = ports;
        let mut entries = Some(entries);
        loop {
            let takes_entries = self.leaving.is_some() || (self.chat.is_ready() && self.asks.is_empty());
            tokio::select! {
                slot = asks.reserve(), if !self.asks.is_empty() => match (slot, self.asks.pop_front()) {
                    (Ok(slot), Some(ask)) => slot.send(ask),
                    _ => self.asks.clear(),
                },
                slot = lines.reserve(), if !self.prints.is_empty() => {
                    if let (Ok(slot), Some(line)) = (slot, self.prints.pop_front()) {
                        slot.send(line);
                    }
                }
                () = lines.closed(), if self.is_seen => self.on_unseen(),
                told = events.recv(), if self.prints.is_empty() => match told {
                    Some(told) => {
                        if self.on_told(told) {
                            break;
                        }
                    }
                    None => break,
                },
                entry = next(&mut entries), if takes_entries => match entry {
                    Some(entry) => self.on_entry(entry),
                    None => {
                        entries = None;
                        self.on_end();
                    }
                },
                () = until(self.explain_at) => self.explain(),
                () = until(self.leaving) => break,
            }
            if let (Some(_), Some(entries)) = (self.leaving, &mut entries) {
                // Whoever hands something in from now on learns that nobody takes it; what is on its way is dropped.
                entries.close();
            }
        }
        if let Some(mut entries) = entries {
            entries.close();
            while entries.recv().await.is_some() {}
        }
    }

    /// Shows what the node tells; tells whether that is the end.
    fn on_told(&mut self, mut told: impl Tells) -> bool {
        self.prints.extend(told.json().filter(|_| self.is_seen));
        let event = told.event();
        let is_end = event == Event::Closed;
        for output in self.chat.on_event(event) {
            match output {
                // It has been told already, in JSON.
                Output::Print(_) if self.look == Look::Json => {}
                output => self.carry_out(vec![output]),
            }
        }
        is_end
    }

    fn on_entry(&mut self, entry: Entry) {
        match entry {
            _ if self.leaving.is_some() => {}
            Entry::Line(line) => {
                let outputs = self.chat.on_line(&line);
                self.carry_out(outputs);
            }
            Entry::Unusable(reason) => self.print(&Line::Told(format!("refused: {reason}"))),
        }
    }

    /// The input has ended: what was typed is still to be sent.
    fn on_end(&mut self) {
        if !self.stay {
            self.leave(true);
        }
    }

    /// Nobody looks any more: the person has gone, and only the store is still waited for.
    fn on_unseen(&mut self) {
        self.is_seen = false;
        self.prints.clear();
        if !self.stay {
            self.leave(false);
        }
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Ask(Ask { request: Request::Leave { patient }, .. }) => self.leave(patient),
                Output::Ask(ask @ Ask { request: Request::Shutdown { .. } | Request::Wipe, .. }) => self.leave_by(ask),
                Output::Ask(ask) => self.ask(ask),
                Output::Print(line) => self.print(&line),
            }
        }
    }

    fn ask(&mut self, ask: Ask) {
        if let Request::Read { group, .. } = &ask.request {
            // What has been read by now takes in what had been read before.
            self.asks.retain(|ask| !matches!(&ask.request, Request::Read { group: read, .. } if read == group));
        }
        self.asks.push_back(ask);
    }

    fn leave(&mut self, patient: bool) {
        let ask = self.chat.ask(Request::Leave { patient });
        self.leave_by(ask);
        if !patient {
            self.explain_at = None;
        }
    }

    /// Leaves by this request: nothing more is taken in.
    fn leave_by(&mut self, ask: Ask) {
        if self.leaving.is_none() {
            self.leaving = Some(Instant::now() + LEAVE_LIMIT);
            self.explain_at = Some(Instant::now() + SILENCE_LIMIT);
            self.asks.push_back(ask);
        }
    }

    fn explain(&mut self) {
        self.explain_at = None;
        self.print(&Line::Told(wording::LEAVING.to_owned()));
    }

    fn print(&mut self, line: &Line) {
        if !self.is_seen {
            return;
        }
        match (self.look, line) {
            (Look::Plain, line) => self.prints.push_back(line.to_string()),
            (Look::Json, Line::Told(text)) => {
                self.notes += 1;
                let note = serde_json::json!({ "id": format!("note-{}", self.notes), "event": "note", "text": text });
                self.prints.push_back(note.to_string());
            }
            // What the node has told is in JSON already.
            (Look::Json, Line::Message(_)) => {}
        }
    }
}

/// Waits for the next entry; for ever where there is no input any more.
async fn next(entries: &mut Option<mpsc::Receiver<Entry>>) -> Option<Entry> {
    match entries {
        Some(entries) => entries.recv().await,
        None => std::future::pending().await,
    }
}

/// Waits until a time has come; for ever where there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;
    use crate::control::{Answer, Page};
    use crate::ui::sample::{message, soldier};

    /// The far ends of a session's channels.
    struct Ends {
        asks: mpsc::Receiver<Ask>,
        events: mpsc::Sender<Event>,
        entries: mpsc::Sender<Entry>,
        lines: mpsc::Receiver<String>,
        session: JoinHandle<()>,
    }

    /// A running session of Army3 that has been welcomed and has asked for its history.
    async fn session(stay: bool) -> Ends {
        let (asks_tx, asks) = mpsc::channel(1);
        let (events, events_rx) = mpsc::channel(1);
        let (entries, entries_rx) = mpsc::channel(1);
        let (lines_tx, lines) = mpsc::channel(1);
        let ports = Ports { asks: asks_tx, events: events_rx, entries: entries_rx, lines: lines_tx };
        let session = tokio::spawn(Session::new(Look::Plain, stay).run(ports));
        let mut ends = Ends { asks, events, entries, lines, session };
        ends.events.send(Event::Profile(soldier("army"))).await.unwrap();
        assert!(ends.lines.recv().await.unwrap().starts_with("-- Army3 of"));
        let asked = ends.asks.recv().await.unwrap();
        assert!(matches!(asked.request, Request::Page { .. }));
        let group = crate::ui::sample::group("army");
        let nothing = Page { group, messages: Vec::new(), older: None, seen: None };
        ends.events.send(Event::Answered { to: asked.id, answer: Answer::Page(nothing) }).await.unwrap();
        assert!(matches!(ends.asks.recv().await.unwrap().request, Request::Orders));
        ends
    }

    impl Ends {
        /// Takes the next request that is not about what has been read.
        async fn asked(&mut self) -> Option<Request> {
            asked(&mut self.asks).await
        }

        async fn say(&self, line: &str) {
            self.entries.send(Entry::Line(line.to_owned())).await.unwrap();
        }
    }

    async fn asked(asks: &mut mpsc::Receiver<Ask>) -> Option<Request> {
        loop {
            match asks.recv().await?.request {
                Request::Read { .. } => {}
                request => return Some(request),
            }
        }
    }

    #[tokio::test]
    async fn at_the_end_of_input_it_leaves_patiently_and_shows_what_still_comes() {
        let Ends { mut asks, events, entries, mut lines, session } = session(false).await;
        drop(entries);
        assert!(matches!(asked(&mut asks).await, Some(Request::Leave { patient: true })));
        events.send(Event::Message(message(1, "army", "Army1", "wait"))).await.unwrap();
        events.send(Event::Closed).await.unwrap();
        assert_eq!(lines.recv().await.unwrap(), "[army] Army1: wait");
        session.await.unwrap();
    }

    #[tokio::test]
    async fn a_headless_session_stays_past_the_end_of_input_and_unseen() {
        let Ends { mut asks, events, entries, lines, session } = session(true).await;
        drop((entries, lines));
        for number in 1..10 {
            events.send(Event::Message(message(number, "army", "Army1", "carry on"))).await.unwrap();
        }
        events.send(Event::Closed).await.unwrap();
        session.await.unwrap();
        assert!(asked(&mut asks).await.is_none());
    }

    #[tokio::test]
    async fn when_nobody_looks_any_more_it_leaves_without_patience() {
        let Ends { mut asks, events, entries: _entries, lines, session } = session(false).await;
        drop(lines);
        assert!(matches!(asked(&mut asks).await, Some(Request::Leave { patient: false })));
        events.send(Event::Closed).await.unwrap();
        session.await.unwrap();
    }

    #[tokio::test]
    async fn a_busy_node_still_gets_its_events_shown() {
        let mut ends = session(false).await;
        // One request fills the channel, the next waits in the session, the third with whoever types.
        for line in ["one", "two", "three"] {
            ends.say(line).await;
        }
        for number in 1..10 {
            ends.events.send(Event::Message(message(number, "army", "Army1", "go"))).await.unwrap();
            assert_eq!(ends.lines.recv().await.unwrap(), "[army] Army1: go");
        }
        let mut posted = Vec::new();
        while posted.len() < 3 {
            if let Some(Request::Post { text, .. }) = ends.asked().await {
                posted.push(text);
            }
        }
        assert_eq!(posted, ["one", "two", "three"]);
    }

    #[tokio::test]
    async fn whoever_types_after_leaving_learns_that_nothing_is_taken() {
        let mut ends = session(false).await;
        ends.say("logmeout").await;
        assert!(matches!(ends.asks.recv().await, Some(Ask { request: Request::Leave { patient: true }, .. })));
        ends.entries.closed().await;
    }

    #[tokio::test]
    async fn a_long_leave_says_what_it_waits_for() {
        let mut ends = session(false).await;
        ends.say("logmeout").await;
        assert!(ends.lines.recv().await.unwrap().starts_with("-- leaving: "));
    }

    #[tokio::test]
    async fn a_node_that_is_gone_ends_the_session() {
        let Ends { asks, events, entries: _entries, lines: _lines, session } = session(false).await;
        drop((asks, events));
        session.await.unwrap();
    }
}
