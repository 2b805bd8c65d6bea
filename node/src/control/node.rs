//! The way to a node in this process: one bounded channel, by which every screen and every connection asks.

use std::sync::{Arc, OnceLock};

use muster_roles::GroupId;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::{Answer, Event, Export, Refusal, Request};

/// Calls that may wait for the node: what every screen can have under way; beyond it whoever calls waits.
pub const CALL_QUEUE_LEN: usize = 256;

/// Pieces of an export on their way: a writer that is faster than its reader waits.
pub const EXPORT_QUEUE_LEN: usize = 4;

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// One thing wanted of a node, and where the answer goes.
#[derive(Debug)]
pub enum Call {
    /// Carry out a request.
    Ask {
        /// What is asked.
        request: Request,
        /// Where the answer goes.
        reply: Reply<Answer>,
    },
    /// Tell what happens from now on.
    Listen {
        /// The last event that the listener has had of this node, if it comes back.
        after: Option<EventId>,
        /// Where the answer goes.
        reply: Reply<Listening>,
    },
    /// Write messages out, piece by piece.
    Export {
        /// Which, and in what form.
        export: Export,
        /// Where the answer goes: the groups that are written out, and the pieces to come.
        reply: Reply<Exporting>,
    },
}

/// What is heard of a node.
#[derive(Debug)]
pub struct Listening {
    /// Where the node stands: events that come later than this are in [`Listening::events`].
    pub head: EventId,
    /// How things are, told by the events that made them so.
    pub now: Vec<Arc<Told>>,
    /// What happens; ends with the node, or when this listener was too slow for too long.
    pub events: mpsc::Receiver<Arc<Told>>,
}

/// An export that is being written.
#[derive(Debug)]
pub struct Exporting {
    /// The groups it is of.
    pub groups: Vec<GroupId>,
    /// What is written; it is whole only if [`Piece::End`] comes.
    pub pieces: mpsc::Receiver<Piece>,
}

/// A piece of an export.
#[derive(Debug)]
pub enum Piece {
    /// Bytes of it.
    Bytes(Vec<u8>),
    /// All is written.
    End {
        /// Messages written.
        written: u64,
        /// Records left out, because the member may not or cannot read them.
        unreadable: u64,
    },
    /// It breaks off.
    Failed(Refusal),
}

/// Names an event for as long as the node runs: the run, and the event's number in it.
///
/// As text it is 8 hexadecimal digits, `-` and the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EventId {
    /// Drawn when the node starts.
    pub run: u32,
    /// Counts from 1.
    pub number: u64,
}

/// Why a text names no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 8 hexadecimal digits, `-` and a number")]
pub struct EventIdError;

/// An event that has been told, and its name.
#[derive(Debug)]
pub struct Told {
    /// The event's name.
    pub id: EventId,
    /// The event.
    pub event: Event,
    json: OnceLock<String>,
}

impl Told {
    /// Names an event.
    #[must_use]
    pub fn new(id: EventId, event: Event) -> Self {
        Self { id, event, json: OnceLock::new() }
    }

    /// Returns the event as one JSON object in one line, made once for all that want it.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| line(&self.id.to_string(), &self.event))
    }
}

/// An event as one line of JSON: a message has its own id in it, anything else gets this one.
#[must_use]
pub fn line(id: &str, event: &Event) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        #[serde(flatten)]
        event: &'a Event,
    }
    let id = (!matches!(event, Event::Message(_))).then_some(id);
    serde_json::to_string(&Line { id, event }).unwrap_or_else(|error| {
        tracing::error!(%error, "an event has no JSON");
        String::new()
    })
}

/// A node in this process; clones lead to the same one.
#[derive(Clone, Debug)]
pub struct Node {
    calls: mpsc::Sender<Call>,
}

impl Node {
    /// Makes a node's two ends: the one to call, and the one that the node takes the calls from.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Call>) {
        let (calls, taken) = mpsc::channel(CALL_QUEUE_LEN);
        (Self { calls }, taken)
    }

    /// Asks for something and waits for the answer.
    ///
    /// # Errors
    /// The node's refusal, or that it is ending.
    pub async fn ask(&self, request: Request) -> Result<Answer, Refusal> {
        self.begin(request).await?.await.unwrap_or_else(|_| Err(Refusal::ending()))
    }

    /// Asks for something, and returns where the answer will come.
    ///
    /// # Errors
    /// That the node is ending.
    pub async fn begin(&self, request: Request) -> Result<oneshot::Receiver<Result<Answer, Refusal>>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call::Ask { request, reply }).await.map_err(|_| Refusal::ending())?;
        Ok(answer)
    }

    /// Waits until the node takes no more calls.
    pub async fn ended(&self) {
        self.calls.closed().await;
    }

    /// Listens to what happens.
    ///
    /// # Errors
    /// The node's refusal, where too many listen, or that it is ending.
    pub async fn listen(&self, after: Option<EventId>) -> Result<Listening, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call::Listen { after, reply }).await.map_err(|_| Refusal::ending())?;
        answer.await.unwrap_or_else(|_| Err(Refusal::ending()))
    }

    /// Has messages written out.
    ///
    /// # Errors
    /// The node's refusal, or that it is ending.
    pub async fn export(&self, export: Export) -> Result<Exporting, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call::Export { export, reply }).await.map_err(|_| Refusal::ending())?;
        answer.await.unwrap_or_else(|_| Err(Refusal::ending()))
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}-{}", self.run, self.number)
    }
}

impl std::str::FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (run, number) = text.split_once('-').ok_or(EventIdError)?;
        let run = u32::from_str_radix(run, 16).map_err(|_| EventIdError)?;
        let id = Self { run, number: number.parse().map_err(|_| EventIdError)? };
        // There is one way only to write it: no sign, no missing digit.
        if id.to_string() == text { Ok(id) } else { Err(EventIdError) }
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for EventId {
    type Error = EventIdError;

    fn try_from(text: String) -> Result<Self, EventIdError> {
        text.parse()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_read_as_it_is_written_and_no_other_way() {
        let id = EventId { run: 0x00c0_ffee, number: 42 };
        assert_eq!(id.to_string(), "00c0ffee-42");
        assert_eq!("00c0ffee-42".parse(), Ok(id));
        for text in ["", "-", "c0ffee-42", "00c0ffee-+42", "00C0FFEE-42", "00c0ffee-042", "00c0ffee"] {
            assert_eq!(text.parse::<EventId>(), Err(EventIdError), "{text}");
        }
    }

    #[test]
    fn a_line_has_one_id_and_a_message_keeps_its_own() {
        let id = EventId { run: 1, number: 2 };
        let line = Told::new(id, Event::Presence { connected: 3 }).json().to_owned();
        assert_eq!(line, r#"{"id":"00000001-2","event":"presence","connected":3}"#);
        let message = crate::control::Message::sample(5, "army", "Army1", "hello");
        let line = Told::new(id, Event::Message(message.clone())).json().to_owned();
        assert_eq!(line.matches("\"id\":").count(), 1, "{line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), Event::Message(message));
    }
}
