//! Which screen a person or a script gets, of a node in this process or of one that is attached to.

use std::io;

use tokio::sync::mpsc;

use crate::control::{Ask, Event, SCREEN_QUEUE_LEN, Told, line};
use crate::ui::{self, Tells};

/// How whoever is there sits at the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Screen {
    /// The chat at a terminal, with a bell for what is urgent.
    Full { bell: bool },
    /// Plain lines; `stay` past the end of input.
    Plain { stay: bool },
    /// JSON, an object a line; `stay` past the end of input.
    Json { stay: bool },
}

/// What a screen is told: an event, and the line of JSON that it stands in.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    event: Event,
    json: String,
}

impl Screen {
    /// Picks a screen by what was asked for and what standard input and output are; a full one has its bell.
    pub(super) fn choose(plain: bool, json: bool, stay: bool) -> Self {
        match (json, plain || stay || !ui::suits_full_screen()) {
            (true, _) => Self::Json { stay },
            (false, true) => Self::Plain { stay },
            (false, false) => Self::Full { bell: true },
        }
    }

    /// The same screen without a bell.
    pub(super) const fn silent(self) -> Self {
        match self {
            Self::Full { .. } => Self::Full { bell: false },
            other => other,
        }
    }

    /// Tells whether a person sits there, or a script, that takes its leave.
    pub(super) const fn stays(self) -> bool {
        matches!(self, Self::Plain { stay: true } | Self::Json { stay: true })
    }

    /// Shows the screen until whoever is there leaves or the node has ended.
    pub(super) async fn show(self, asks: mpsc::Sender<Ask>, shown: mpsc::Receiver<Shown>) -> io::Result<()> {
        match self {
            Self::Full { bell } => ui::run_full(asks, events_of(shown), bell).await,
            Self::Plain { stay } => ui::run_plain(asks, events_of(shown), stay).await,
            Self::Json { stay } => ui::run_json(asks, shown, stay).await,
        }
    }
}

/// Leaves the JSON out.
fn events_of(mut shown: mpsc::Receiver<Shown>) -> mpsc::Receiver<Event> {
    let (told, events) = mpsc::channel(SCREEN_QUEUE_LEN);
    tokio::spawn(async move {
        while let Some(Shown { event, .. }) = shown.recv().await {
            if told.send(event).await.is_err() {
                return;
            }
        }
    });
    events
}

impl Shown {
    /// What the node tells everybody.
    pub(super) fn told(told: &Told) -> Self {
        Self { event: told.event.clone(), json: told.json().to_owned() }
    }

    /// What was heard of a node elsewhere.
    pub(super) fn heard(event: Event, json: String) -> Self {
        Self { event, json }
    }

    /// What the node answers this very screen.
    pub(super) fn answered(event: Event) -> Self {
        let to = match &event {
            Event::Answered { to, .. } | Event::Refused { to, .. } => to.0,
            _ => 0,
        };
        Self { json: line(&format!("answer-{to}"), &event), event }
    }
}

impl Tells for Shown {
    fn event(self) -> Event {
        self.event
    }

    fn json(&mut self) -> Option<String> {
        Some(std::mem::take(&mut self.json))
    }
}
