//! The streams of synchronisation: opening, accepting, and frames in both directions.
//!
//! They have a task and two bounded channels of their own: a session that the store holds up waits by itself, and
//! gossip goes on.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams};
use muster_keys::PublicKey;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::allowance::Allowance;
use super::intake::{Intake, Paced};
use super::peer::{Named, peer_id, role_key};
use crate::engine::io::SyncInput;
use crate::engine::sync::{MAX_FRAME_LEN, MAX_SESSIONS, SessionId};

/// The protocol's name; a change of what is said gets a new number.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/muster/sync/2");

/// How long opening a stream may take.
const OPEN_LIMIT: Duration = Duration::from_secs(5);

/// How long a frame may take to come, or to be taken.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// Commands waiting for the task: the driver waits when they do.
const COMMAND_QUEUE_LEN: usize = 64;

/// Reports waiting for the driver: a few frames of every session; a session waits when they do.
const REPORT_QUEUE_LEN: usize = 32;

/// Frames of one session waiting to be sent, 6 MiB at most: four answers of the largest records, and some.
const FRAME_QUEUE_LEN: usize = 192;

/// Streams at a time, with some over for those that are being turned away.
const MAX_STREAMS: usize = 2 * MAX_SESSIONS;

/// Streams of one member at a time: one that it leads and one that is led here, and as many that are being turned away.
const MAX_STREAMS_PER_PEER: usize = 4;

/// Bytes of what one member asks in the sessions that it leads, together: two MiB a second. The names of as many records as its
/// connection brings in that time take no more, and rounds made to be costly take less than a tenth of a core.
const ASKED: Allowance = Allowance { burst: 512 * 1024, each: Duration::from_nanos(1_000_000_000 / (2 * 1024 * 1024)) };

/// What the driver wants of synchronisation's streams.
#[derive(Debug)]
pub enum SyncCommand {
    /// Open a stream to a connected member; answered by [`SyncInput::Opened`] or [`SyncInput::NotOpened`].
    Open(PublicKey),
    /// Send a frame.
    Send(SessionId, Vec<u8>),
    /// Send what waits, then close the stream.
    Close(SessionId),
}

/// The driver's ends of the channels.
#[derive(Debug)]
pub struct SyncStreams {
    /// What is to be done.
    pub commands: mpsc::Sender<SyncCommand>,
    /// What happened.
    pub reports: mpsc::Receiver<SyncInput>,
}

/// Starts the task; it ends when the driver drops its ends.
pub(super) fn start(mut control: Control) -> io::Result<SyncStreams> {
    let incoming = control.accept(PROTOCOL).map_err(|error| io::Error::other(error.to_string()))?;
    let (command_tx, commands) = mpsc::channel(COMMAND_QUEUE_LEN);
    let (reports, report_rx) = mpsc::channel(REPORT_QUEUE_LEN);
    let task =
        Streams { control, reports, queues: HashMap::new(), running: JoinSet::new(), members: HashMap::new(), next: 0 };
    tokio::spawn(task.run(commands, incoming));
    Ok(SyncStreams { commands: command_tx, reports: report_rx })
}

struct Streams {
    control: Control,
    reports: mpsc::Sender<SyncInput>,
    queues: HashMap<SessionId, mpsc::Sender<Vec<u8>>>,
    running: JoinSet<(SessionId, PublicKey)>,
    /// Of the members that have any.
    members: HashMap<PublicKey, Member>,
    next: u64,
}

/// What a member has of the streams.
struct Member {
    streams: usize,
    asked: Intake,
}

impl Streams {
    async fn run(mut self, mut commands: mpsc::Receiver<SyncCommand>, mut incoming: IncomingStreams) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                Some((peer, stream)) = incoming.next() => self.on_incoming(peer, stream),
                Some(ended) = self.running.join_next() => {
                    if let Ok((session, member)) = ended {
                        self.queues.remove(&session);
                        self.ended(&member);
                    }
                }
            }
        }
    }

    fn on_command(&mut self, command: SyncCommand) {
        match command {
            SyncCommand::Open(member) => self.open(member),
            SyncCommand::Send(session, frame) => {
                let Some(queue) = self.queues.get(&session) else { return };
                if queue.try_send(frame).is_err() {
                    tracing::debug!(?session, "sync session does not take its frames");
                    self.queues.remove(&session);
                }
            }
            SyncCommand::Close(session) => {
                self.queues.remove(&session);
            }
        }
    }

    fn open(&mut self, member: PublicKey) {
        let (session, frames, _) = self.session(member);
        let (mut control, reports) = (self.control.clone(), self.reports.clone());
        self.running.spawn(async move {
            let opened = match peer_id(&member) {
                Some(peer) => timeout(OPEN_LIMIT, control.open_stream(peer, PROTOCOL)).await.ok().and_then(Result::ok),
                None => None,
            };
            match opened {
                Some(stream) => talk(session, member, None, stream, frames, reports).await,
                // The driver is gone where this cannot be told.
                None => drop(reports.send(SyncInput::NotOpened(member)).await),
            }
            (session, member)
        });
    }

    fn on_incoming(&mut self, peer: PeerId, stream: Stream) {
        let Some(member) = role_key(&peer) else { return };
        let of_peer = self.members.get(&member).map_or(0, |member| member.streams);
        if self.running.len() >= MAX_STREAMS || of_peer >= MAX_STREAMS_PER_PEER {
            tracing::debug!(peer = %Named(&peer), "too many sync streams");
            return;
        }
        let (session, frames, asked) = self.session(member);
        let reports = self.reports.clone();
        self.running.spawn(async move {
            talk(session, member, Some(asked), stream, frames, reports).await;
            (session, member)
        });
    }

    fn session(&mut self, member: PublicKey) -> (SessionId, mpsc::Receiver<Vec<u8>>, Intake) {
        let new = || Member { streams: 0, asked: Intake::new(ASKED) };
        let member = self.members.entry(member).or_insert_with(new);
        member.streams += 1;
        let asked = member.asked.shared();
        self.next += 1;
        let session = SessionId(self.next);
        let (queue, frames) = mpsc::channel(FRAME_QUEUE_LEN);
        self.queues.insert(session, queue);
        (session, frames, asked)
    }

    fn ended(&mut self, key: &PublicKey) {
        if let Some(member) = self.members.get_mut(key) {
            member.streams = member.streams.saturating_sub(1);
            if member.streams == 0 {
                self.members.remove(key);
            }
        }
    }
}

/// Carries one session's frames until either side ends it, or nothing moves for [`IDLE_LIMIT`]; `asked` paces what a member
/// asks that leads it.
async fn talk(
    session: SessionId,
    peer: PublicKey,
    asked: Option<Intake>,
    stream: Stream,
    frames: mpsc::Receiver<Vec<u8>>,
    reports: mpsc::Sender<SyncInput>,
) {
    let leading = asked.is_none();
    if reports.send(SyncInput::Opened { session, peer, leading }).await.is_err() {
        return;
    }
    let (reader, writer) = stream.split();
    let ended = tokio::select! {
        ended = receive(session, Paced::by(reader, asked), &reports) => ended,
        ended = send(writer, frames) => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "sync stream broke");
    }
    // The driver is gone where this cannot be told.
    drop(reports.send(SyncInput::Closed(session)).await);
}

/// Hands frames to the driver as they come, until the other side closes.
async fn receive(
    session: SessionId,
    mut reader: impl AsyncRead + Unpin,
    reports: &mpsc::Sender<SyncInput>,
) -> io::Result<()> {
    loop {
        let Some(bytes) = timeout(IDLE_LIMIT, read_frame(&mut reader)).await?? else { return Ok(()) };
        if reports.send(SyncInput::Frame { session, bytes }).await.is_err() {
            return Ok(());
        }
    }
}

/// Reads a frame behind its length; nothing at the end of the stream.
async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut len = [0; 4];
    match reader.read_exact(&mut len).await {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
    if len > MAX_FRAME_LEN {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {len} bytes")));
    }
    let mut bytes = vec![0; len];
    reader.read_exact(&mut bytes).await?;
    Ok(Some(bytes))
}

/// Sends frames as they are given, until no more will be; then closes.
async fn send(mut writer: impl AsyncWrite + Unpin, mut frames: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(frame) = frames.recv().await {
        let len = u32::try_from(frame.len()).map_err(io::Error::other)?;
        let written = async {
            writer.write_all(&len.to_be_bytes()).await?;
            writer.write_all(&frame).await?;
            writer.flush().await
        };
        timeout(IDLE_LIMIT, written).await??;
    }
    timeout(IDLE_LIMIT, writer.close()).await?
}
