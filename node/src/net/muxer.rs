//! Yamux, with a bound on what one connection may leave unread.
//!
//! It is the library's own: what is different from libp2p's way to use it is that bound, which cannot be set there, and that no
//! stream is turned away, for there are never more than yamux lets be open.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use yamux::{Config, Connection, ConnectionError, Mode, Stream};

/// Streams at a time on one connection; a member's takes four, and the rest is room for hellos and fetches. An end that
/// opens more is told to go.
pub(super) const MAX_STREAMS: usize = 32;

/// What a stream may always leave unread.
const STREAM_WINDOW: usize = 256 * 1024;

/// How much more streams of one connection may leave unread. A stream's window grows while half of it is read within two round
/// trips, and the other end can make those as long as it likes. This is what a connection's bytes need over a path of 100 ms.
const WINDOW_GROWTH: usize = 2 * 1024 * 1024;

/// What all streams of one connection may leave unread.
const CONNECTION_WINDOW: usize = MAX_STREAMS * STREAM_WINDOW + WINDOW_GROWTH;

/// Yamux, for both ends of a connection.
#[derive(Clone, Debug)]
pub(super) struct Yamux(Config);

impl Yamux {
    pub(super) fn new() -> Self {
        let mut config = Config::default();
        config.set_max_num_streams(MAX_STREAMS);
        config.set_max_connection_receive_window(Some(CONNECTION_WINDOW));
        Self(config)
    }
}

impl UpgradeInfo for Yamux {
    type Info = &'static str;
    type InfoIter = [Self::Info; 1];

    fn protocol_info(&self) -> Self::InfoIter {
        ["/yamux/1.0.0"]
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Output>>;

    fn upgrade_inbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(socket, self.0, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Output>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(socket, self.0, Mode::Client)))
    }
}

/// A connection that carries streams.
#[derive(Debug)]
pub(super) struct Muxer<C> {
    connection: Connection<C>,
    /// Streams that the other end has opened and nobody has taken yet, [`MAX_STREAMS`] at most.
    opened: VecDeque<Stream>,
    /// Who waits for one.
    taker: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn new(socket: C, config: Config, mode: Mode) -> Self {
        Self { connection: Connection::new(socket, config, mode), opened: VecDeque::new(), taker: None }
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let opened = self.opened.pop_front();
        if opened.is_none() {
            self.taker = Some(cx.waker().clone());
        }
        opened.map_or(Poll::Pending, |stream| Poll::Ready(Ok(stream)))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        self.connection.poll_new_outbound(cx).map_err(broken)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_close(cx).map_err(broken)
    }

    /// Carries everything that goes over the connection; it tells of nothing but its end.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        match self.connection.poll_next_inbound(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(stream))) => {
                self.opened.push_back(stream);
                if let Some(taker) = self.taker.take() {
                    taker.wake();
                }
                // There may be more, but others should have their turn.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(broken(error))),
            Poll::Ready(None) => Poll::Ready(Err(broken(ConnectionError::Closed))),
        }
    }
}

fn broken(error: ConnectionError) -> io::Error {
    match error {
        ConnectionError::Io(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{sleep, timeout};

    use super::*;

    /// Longer than any test takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    const DATA: u8 = 0;
    const WINDOW_UPDATE: u8 = 1;
    const PING: u8 = 2;
    const GO_AWAY: u8 = 3;
    const SYN: u8 = 1;
    const ACK: u8 = 2;

    /// A frame's header, as Hashicorp's specification of yamux has it; `last` is a length, a credit, or what a ping says.
    fn header(kind: u8, flags: u8, stream: u32, last: u32) -> [u8; 12] {
        let mut header = [0, kind, 0, flags, 0, 0, 0, 0, 0, 0, 0, 0];
        header[4..8].copy_from_slice(&stream.to_be_bytes());
        header[8..].copy_from_slice(&last.to_be_bytes());
        header
    }

    /// Returns the other end of a connection whose streams are all taken and read as fast as they come.
    async fn read_by_a_node() -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let socket = libp2p::tcp::tokio::TcpStream(listener.accept().await.unwrap().0);
        let mut muxer = Yamux::new().upgrade_inbound(socket, "/yamux/1.0.0").await.unwrap();
        tokio::spawn(async move {
            let (mut streams, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
            let ends = poll_fn(|cx| {
                while let Poll::Ready(stream) = Pin::new(&mut muxer).poll_inbound(cx) {
                    streams.push(stream.unwrap());
                }
                for stream in &mut streams {
                    while matches!(Pin::new(&mut *stream).poll_read(cx, &mut buf), Poll::Ready(Ok(1..))) {}
                }
                Pin::new(&mut muxer).poll(cx)
            });
            drop(ends.await);
        });
        other
    }

    #[tokio::test]
    async fn the_other_end_may_leave_so_much_unread_however_slow_it_is_to_answer_pings() {
        const TOTAL: usize = 20 * WINDOW_GROWTH;
        let mut other = read_by_a_node().await;
        other.write_all(&header(WINDOW_UPDATE, SYN, 1, 0)).await.unwrap();
        let (mut credit, mut most, mut sent) = (STREAM_WINDOW, STREAM_WINDOW, 0);
        let bytes = vec![0; STREAM_WINDOW];
        let talk = async {
            while sent < TOTAL {
                if let Some(data) = bytes.get(..credit.min(bytes.len())).filter(|data| !data.is_empty()) {
                    other.write_all(&header(DATA, 0, 1, data.len() as u32)).await.unwrap();
                    other.write_all(data).await.unwrap();
                    (credit, sent) = (credit - data.len(), sent + data.len());
                    continue;
                }
                let mut frame = [0; 12];
                other.read_exact(&mut frame).await.unwrap();
                let last = u32::from_be_bytes(*frame.last_chunk().unwrap());
                match frame[1] {
                    WINDOW_UPDATE => credit += last as usize,
                    PING => {
                        sleep(Duration::from_millis(500)).await;
                        other.write_all(&header(PING, ACK, 0, last)).await.unwrap();
                    }
                    kind => panic!("a frame of kind {kind}"),
                }
                most = most.max(credit);
            }
        };
        timeout(PATIENCE, talk).await.unwrap();
        assert!((STREAM_WINDOW + 1..=STREAM_WINDOW + WINDOW_GROWTH).contains(&most), "{most}");
    }

    #[tokio::test]
    async fn an_end_that_opens_too_many_streams_is_told_to_go() {
        let mut other = read_by_a_node().await;
        for nth in 0..=MAX_STREAMS as u32 {
            other.write_all(&header(WINDOW_UPDATE, SYN, 1 + 2 * nth, 0)).await.unwrap();
        }
        let told = async {
            let mut frame = [0; 12];
            while frame[1] != GO_AWAY {
                other.read_exact(&mut frame).await.unwrap();
            }
        };
        timeout(PATIENCE, told).await.unwrap();
    }
}
