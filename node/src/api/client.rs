//! The other side of the control socket: what commands and attached screens ask a running node by.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, TE};
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;

use super::events::LAST_EVENT_ID;
use super::routes::{UNREADABLE, WRITTEN};
use super::socket::connect;
use crate::control::{Answer, Event, EventId, Export, Format, Refusal, RefusalKind, Request};

/// The longest answer that is read, in bytes: a page of the longest messages.
const MAX_ANSWER_LEN: usize = 32 * 1024 * 1024;

/// The longest event that is read, in bytes: late messages of every group at once.
const MAX_EVENT_LEN: usize = 32 * 1024 * 1024;

/// How long a node may take to answer, beside what it was asked to wait.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Why a running node could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No node runs on this home.
    #[error("no node runs on this home")]
    NotRunning,
    /// The node belongs to somebody else.
    #[error("the node on this home belongs to another user")]
    NotMine,
    /// The node has refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The node did not answer in time.
    #[error("the node does not answer")]
    Silent,
    /// What came back is none of the node's answers.
    #[error("the node's answer is not understood: is it of the same version?")]
    Garbled(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection failed.
    #[error("the connection to the node broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ClientError {
    /// Returns what can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotRunning => Some("start one with `muster start`".to_owned()),
            Self::NotMine => Some("run the command as that user".to_owned()),
            Self::Refused(refusal) => refusal.hint.clone(),
            Self::Silent => Some("see what it does in its log, or stop it and start it again".to_owned()),
            Self::Garbled(_) | Self::Broken(_) => None,
        }
    }

    fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Broken(error.into())
    }

    fn garbled(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Garbled(error.into())
    }
}

/// A way to the node that runs on a home.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

/// What an export has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Messages written.
    pub written: u64,
    /// Records left out.
    pub unreadable: u64,
}

impl Client {
    /// Names the socket; whether a node listens there shows when it is asked.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Asks for something, and waits for the answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ask(&self, request: &Request) -> Result<Answer, ClientError> {
        let get = |target: &str| Asked::get(target.to_owned());
        let answer = match request {
            Request::Post { wait_ms, .. } => {
                let body = serde_json::to_value(request).map_err(ClientError::garbled)?;
                let asked = Asked::post("/v1/post", &body).waiting(Duration::from_millis(*wait_ms));
                Answer::Posted(self.json(asked).await?)
            }
            Request::Page { group, before, limit } => {
                let before = before.map_or_else(String::new, |before| format!("&before={before}"));
                Answer::Page(self.json(get(&format!("/v1/messages?group={group}&limit={limit}{before}"))).await?)
            }
            Request::Read { group, upto } => {
                self.json::<Nothing>(Asked::post("/v1/read", &json!({ "group": group, "upto": upto }))).await?;
                Answer::Done
            }
            Request::Who { group, id } => {
                Answer::Matrix(self.json(get(&format!("/v1/who?group={group}&id={id}"))).await?)
            }
            Request::Orders => {
                #[derive(Deserialize)]
                struct Orders {
                    orders: Vec<crate::control::Order>,
                }
                let Orders { orders } = self.json(get("/v1/orders")).await?;
                Answer::Orders { orders }
            }
            Request::Groups => {
                #[derive(Deserialize)]
                struct Groups {
                    groups: Vec<crate::control::GroupState>,
                }
                let Groups { groups } = self.json(get("/v1/groups")).await?;
                Answer::Groups { groups }
            }
            Request::Members => {
                #[derive(Deserialize)]
                struct Members {
                    members: Vec<crate::control::Member>,
                }
                let Members { members } = self.json(get("/v1/members")).await?;
                Answer::Members { members }
            }
            Request::Peers => {
                #[derive(Deserialize)]
                struct Peers {
                    peers: Vec<crate::control::Peer>,
                }
                let Peers { peers } = self.json(get("/v1/peers")).await?;
                Answer::Peers { peers }
            }
            Request::Status => Answer::Status(self.json(get("/v1/status")).await?),
            Request::Change(change) => {
                let body = serde_json::to_value(change).map_err(ClientError::garbled)?;
                Answer::Changed(self.json(Asked::post("/v1/roster", &body)).await?)
            }
            Request::JoinRequests => {
                #[derive(Deserialize)]
                struct Requests {
                    requests: Vec<crate::control::JoinRequest>,
                }
                let Requests { requests } = self.json(get("/v1/requests")).await?;
                Answer::JoinRequests { requests }
            }
            Request::Shutdown { patient } => {
                self.json::<Nothing>(Asked::post("/v1/shutdown", &json!({ "patient": patient }))).await?;
                Answer::Done
            }
            Request::Wipe => {
                self.json::<Nothing>(Asked::post("/v1/wipe", &json!({ "wipe": true }))).await?;
                Answer::Done
            }
            Request::Leave { .. } => Answer::Done,
            Request::Export { .. } => {
                let refusal = Refusal::new(RefusalKind::Invalid, "a node is not asked for files by its socket");
                return Err(ClientError::Refused(refusal));
            }
        };
        Ok(answer)
    }

    /// Listens to what happens, from an event on that was heard before, or from now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn hear(&self, after: Option<EventId>) -> Result<Hearing, ClientError> {
        let mut asked = Asked::get("/v1/events".to_owned());
        asked.after = after;
        let response = self.send(asked).await?;
        Ok(Hearing { body: response.into_body(), unread: VecDeque::new(), searched: 0 })
    }

    /// Has messages written to `out`.
    ///
    /// # Errors
    /// [`ClientError`]; also where it broke off, after part of them may have been written.
    pub async fn export(&self, export: &Export, out: &mut impl Write) -> Result<Exported, ClientError> {
        let Export { group, since_ms, format, zone } = export;
        let format = match format {
            Format::Text => "text",
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
        };
        let mut target = format!("/v1/export?format={format}");
        let escaped = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
        target.extend(group.iter().map(|group| format!("&group={}", escaped(group))));
        target.extend(since_ms.iter().map(|since| format!("&since_ms={since}")));
        target.extend(zone.iter().map(|zone| format!("&zone={}", escaped(zone))));
        let mut body = self.send(Asked::get(target)).await?.into_body();
        let mut exported = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(ClientError::broken)?;
            if let Some(bytes) = frame.data_ref() {
                out.write_all(bytes).map_err(|error| ClientError::Broken(Box::new(error)))?;
            } else if let Some(trailers) = frame.trailers_ref() {
                let count = |name| trailers.get(name)?.to_str().ok()?.parse::<u64>().ok();
                exported = count(WRITTEN).zip(count(UNREADABLE));
            }
        }
        out.flush().map_err(|error| ClientError::Broken(Box::new(error)))?;
        let cut = || ClientError::broken(io::Error::from(io::ErrorKind::UnexpectedEof));
        let (written, unreadable) = exported.ok_or_else(cut)?;
        Ok(Exported { written, unreadable })
    }

    async fn json<T: DeserializeOwned>(&self, asked: Asked) -> Result<T, ClientError> {
        let limit = ANSWER_LIMIT + asked.wait;
        let answered = async {
            let response = self.send(asked).await?;
            let bytes = whole(response.into_body()).await?;
            serde_json::from_slice(&bytes).map_err(ClientError::garbled)
        };
        timeout(limit, answered).await.map_err(|_| ClientError::Silent)?
    }

    /// Sends a request on a connection of its own, and returns what is no refusal.
    async fn send(&self, asked: Asked) -> Result<Response<Incoming>, ClientError> {
        let stream = connect(&self.path).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning,
            io::ErrorKind::PermissionDenied => ClientError::NotMine,
            _ => ClientError::Broken(Box::new(error)),
        })?;
        let (mut sender, connection) =
            http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(ClientError::broken)?;
        // Ends with the answer; what fails on it fails the answer too.
        tokio::spawn(connection);
        let response = sender.send_request(asked.build()?).await.map_err(ClientError::broken)?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let bytes = whole(response.into_body()).await?;
        let refusal: Refusal = serde_json::from_slice(&bytes).map_err(ClientError::garbled)?;
        Err(ClientError::Refused(refusal))
    }
}

/// An answer with nothing in it.
#[derive(Deserialize)]
struct Nothing {}

/// A request on its way.
struct Asked {
    method: Method,
    target: String,
    body: Bytes,
    wait: Duration,
    after: Option<EventId>,
}

impl Asked {
    fn get(target: String) -> Self {
        Self { method: Method::GET, target, body: Bytes::new(), wait: Duration::ZERO, after: None }
    }

    fn post(target: &str, body: &serde_json::Value) -> Self {
        let body = Bytes::from(body.to_string());
        Self { method: Method::POST, body, ..Self::get(target.to_owned()) }
    }

    fn waiting(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    fn build(self) -> Result<hyper::Request<Full<Bytes>>, ClientError> {
        let mut request = hyper::Request::builder().method(self.method).uri(self.target).header(HOST, "muster");
        request = request.header(CONTENT_TYPE, "application/json").header(TE, "trailers");
        if let Some(after) = self.after {
            request = request.header(LAST_EVENT_ID, after.to_string());
        }
        request.body(Full::new(self.body)).map_err(ClientError::garbled)
    }
}

async fn whole(body: Incoming) -> Result<Bytes, ClientError> {
    let collected = Limited::new(body, MAX_ANSWER_LEN).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { ClientError::Garbled(error) } else { ClientError::Broken(error) }
    })?;
    Ok(collected.to_bytes())
}

/// What is heard of a node, event by event.
#[derive(Debug)]
pub struct Hearing {
    body: Incoming,
    unread: VecDeque<u8>,
    /// How much of what is unread is known to hold no end of a line.
    searched: usize,
}

/// An event that has been heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What to come back with for all that is later.
    pub id: EventId,
    /// The event as it was sent, one JSON object in one line.
    pub json: String,
    /// The event.
    pub event: Event,
}

impl Hearing {
    /// Waits for the next event; `None` where the node has ended or let go of this listener.
    ///
    /// Cancel safe: what has been read of an event is kept.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn next(&mut self) -> Result<Option<Heard>, ClientError> {
        loop {
            if let Some(heard) = self.take()? {
                return Ok(Some(heard));
            }
            if self.unread.len() > MAX_EVENT_LEN {
                return Err(ClientError::garbled(io::Error::from(io::ErrorKind::FileTooLarge)));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(ClientError::broken(error)),
                Some(Ok(frame)) => self.unread.extend(frame.into_data().unwrap_or_default()),
            }
        }
    }

    /// Takes the next whole event out of what has been read; what is no event, such as a sign of life, is passed over.
    fn take(&mut self) -> Result<Option<Heard>, ClientError> {
        while let Some(frame) = self.take_frame() {
            let frame = String::from_utf8(frame).map_err(ClientError::garbled)?;
            let field = |name: &str| {
                frame
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim_start()))
            };
            if let Some(json) = field("data") {
                let event = serde_json::from_str(json).map_err(ClientError::garbled)?;
                let id = field("id").unwrap_or_default().parse().map_err(ClientError::garbled)?;
                return Ok(Some(Heard { id, json: json.to_owned(), event }));
            }
        }
        Ok(None)
    }

    /// Takes what stands before the next empty line.
    fn take_frame(&mut self) -> Option<Vec<u8>> {
        let bytes = self.unread.make_contiguous();
        let from = self.searched.saturating_sub(1);
        let found = bytes.get(from..)?.windows(2).position(|pair| pair == b"\n\n");
        let Some(end) = found.map(|at| from + at + 2) else {
            self.searched = bytes.len();
            return None;
        };
        self.searched = 0;
        Some(self.unread.drain(..end).collect())
    }
}
