//! The loop both screens share: what is typed goes to the node, what the node tells goes to the screen.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::chat::{Chat, Output};
use super::printed::{Line, Look};
use super::{Event, Request};

/// How long a leaving screen waits for the node to end: longer than the node gives its store and its network.
const LEAVE_LIMIT: Duration = Duration::from_secs(40);

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
    /// Ctrl-C on an empty line.
    Interrupted,
    /// The prompt is wanted, after everything before this has been dealt with; dropped once nothing more is taken.
    Prompt(oneshot::Sender<String>),
}

/// The channels of one screen.
#[derive(Debug)]
pub(super) struct Ports {
    /// To the node.
    pub(super) requests: mpsc::Sender<Request>,
    /// From the node.
    pub(super) events: mpsc::Receiver<Event>,
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
    asks: VecDeque<Request>,
    prints: VecDeque<String>,
    leaving: Option<Instant>,
}

impl Session {
    pub(super) fn new(look: Look, stay: bool) -> Self {
        let (asks, prints) = (VecDeque::new(), VecDeque::new());
        Self { look, stay, is_seen: true, chat: Chat::default(), asks, prints, leaving: None }
    }

    /// Runs until the node says that it has closed, or does not say so in time after the screen has left.
    pub(super) async fn run(mut self, ports: Ports) {
        let Ports { requests, mut events, entries, lines } = ports;
        let mut entries = Some(entries);
        loop {
            let takes_entries = self.chat.is_ready() && self.asks.is_empty();
            tokio::select! {
                slot = requests.reserve(), if !self.asks.is_empty() => match (slot, self.asks.pop_front()) {
                    (Ok(slot), Some(ask)) => slot.send(ask),
                    _ => self.asks.clear(),
                },
                slot = lines.reserve(), if !self.prints.is_empty() => {
                    if let (Ok(slot), Some(line)) = (slot, self.prints.pop_front()) {
                        slot.send(line);
                    }
                }
                () = lines.closed(), if self.is_seen => self.on_unseen(),
                event = events.recv(), if self.prints.is_empty() => match event {
                    Some(Event::Closed) | None => break,
                    Some(event) => self.on_event(event),
                },
                entry = next(&mut entries), if takes_entries => match entry {
                    Some(entry) => self.on_entry(entry),
                    None => {
                        entries = None;
                        self.on_end();
                    }
                },
                () = until(self.leaving) => break,
            }
            if self.leaving.is_some() {
                // Whoever waits to hand something in learns that nobody takes it.
                entries = None;
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        let outputs = self.chat.on_event(event);
        self.carry_out(outputs);
    }

    fn on_entry(&mut self, entry: Entry) {
        match entry {
            Entry::Line(line) => {
                let outputs = self.chat.on_line(&line);
                self.carry_out(outputs);
            }
            Entry::Unusable(reason) => self.print(&Line::Answer(format!("refused: {reason}"))),
            Entry::Interrupted => self.print(&Line::Answer("Ctrl-C once more leaves; so does :quit".to_owned())),
            Entry::Prompt(wanted) => {
                // Fails only where nobody waits for it any more.
                let _unwanted = wanted.send(self.chat.prompt());
            }
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
                Output::Ask(Request::Leave { patient }) => self.leave(patient),
                Output::Ask(request) => self.asks.push_back(request),
                Output::Print(line) => self.print(&line),
            }
        }
    }

    fn leave(&mut self, patient: bool) {
        if self.leaving.is_none() {
            self.leaving = Some(Instant::now() + LEAVE_LIMIT);
            self.asks.push_back(Request::Leave { patient });
        }
    }

    fn print(&mut self, line: &Line) {
        if self.is_seen {
            self.prints.extend(line.render(self.look));
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

/// Waits for the end of a leaving screen's patience.
async fn until(leaving: Option<Instant>) {
    match leaving {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
