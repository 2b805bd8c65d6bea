//! What comes in over one connection: so many bytes and so many streams a second, whatever the other end sends.
//!
//! What is beyond that is left where it is, in the system's buffers or with its sender, and costs nothing until it is read.
//! Over TCP bytes are counted below encryption, where everything that comes is among them, also what belongs to no stream.
//! QUIC reads its packets itself; there they are counted as its streams are read, and what it takes in besides is bounded by
//! its windows.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use tokio::time::{Sleep, sleep};

use super::allowance::{Allowance, Meter};

/// Bytes of one connection in a second: 50,000 records, more than most devices check in that time, and a fifth of a core if it
/// is all rubbish.
const BYTES_PER_S: u32 = 16 * 1024 * 1024;

/// The bytes of one connection. What may come at once is small, for who connects anew has it anew.
const BYTES: Allowance =
    Allowance { burst: 512 * 1024, each: Duration::from_nanos(1_000_000_000 / BYTES_PER_S as u64) };

/// The streams that the other end of one connection opens: a member that has much to tell opens a few in a second, and each
/// costs some tenths of a millisecond.
const STREAMS: Allowance = Allowance { burst: 64, each: Duration::from_millis(10) };

/// When an allowance is used up it is looked at again after this: by then more bytes have come back than a read takes.
const PAUSE: Duration = Duration::from_millis(5);

/// How much is taken of an allowance that several may share.
#[derive(Debug)]
pub(super) struct Intake {
    allowance: Allowance,
    used: Arc<Mutex<Meter>>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Intake {
    /// All of an allowance.
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { allowance, used: Arc::default(), pause: None }
    }

    /// Returns another that takes of the same.
    pub(super) fn shared(&self) -> Self {
        Self { allowance: self.allowance, used: Arc::clone(&self.used), pause: None }
    }

    /// Waits until something may be taken.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            if self.used().is_some(self.allowance, Instant::now()) {
                return Poll::Ready(());
            }
            self.pause = Some(Box::pin(sleep(PAUSE)));
        }
    }

    fn spend(&self, count: usize) {
        self.used().spend(u32::try_from(count).unwrap_or(u32::MAX), self.allowance, Instant::now());
    }

    fn used(&self) -> MutexGuard<'_, Meter> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, or a stream of one, that is read no faster than its bytes come back.
#[derive(Debug)]
pub(super) struct Paced<S> {
    io: S,
    /// Nothing where its bytes are counted below.
    bytes: Option<Intake>,
}

impl<S> Paced<S> {
    /// Paces a connection that nothing paces below.
    pub(super) fn new(io: S) -> Self {
        Self::by(io, Some(Intake::new(BYTES)))
    }

    /// Paces by an allowance, if there is one.
    pub(super) fn by(io: S, bytes: Option<Intake>) -> Self {
        Self { io, bytes }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Some(bytes) = &mut self.bytes {
            ready!(bytes.poll(cx));
        }
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if let Some(bytes) = &self.bytes {
            bytes.spend(read);
        }
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

/// A connection of which no more is taken in than its allowances let.
#[derive(Debug)]
pub(super) struct Metered<M> {
    muxer: M,
    streams: Intake,
    /// Nothing where its bytes are counted below.
    bytes: Option<Intake>,
}

impl<M> Metered<M> {
    /// A connection over what is [`Paced`] already.
    pub(super) fn over_paced(muxer: M) -> Self {
        Self { muxer, streams: Intake::new(STREAMS), bytes: None }
    }

    /// A connection whose streams can be left unread one by one.
    pub(super) fn new(muxer: M) -> Self {
        Self { bytes: Some(Intake::new(BYTES)), ..Self::over_paced(muxer) }
    }

    fn paced<S>(&self, io: S) -> Paced<S> {
        Paced::by(io, self.bytes.as_ref().map(Intake::shared))
    }
}

impl<M> StreamMuxer for Metered<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin,
{
    type Substream = Paced<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Substream, Self::Error>> {
        ready!(self.streams.poll(cx));
        let stream = ready!(Pin::new(&mut self.muxer).poll_inbound(cx))?;
        self.streams.spend(1);
        Poll::Ready(Ok(self.paced(stream)))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = ready!(Pin::new(&mut self.muxer).poll_outbound(cx))?;
        Poll::Ready(Ok(self.paced(stream)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.muxer).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.muxer).poll(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::poll_fn;

    use futures::{AsyncReadExt, FutureExt};

    use super::*;

    /// A stream that says the same for ever and hears nothing.
    struct Endless;

    impl AsyncRead for Endless {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }
    }

    impl AsyncWrite for Endless {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A connection whose other end opens such streams without end.
    struct Flood;

    impl StreamMuxer for Flood {
        type Substream = Endless;
        type Error = std::convert::Infallible;

        fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Self::Substream, Self::Error>> {
            Poll::Ready(Ok(Endless))
        }

        fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Self::Substream, Self::Error>> {
            Poll::Ready(Ok(Endless))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
            Poll::Pending
        }
    }

    /// So much is read at a time.
    const CHUNK: usize = 64 * 1024;

    /// As long as it takes for a good part of every allowance to come back.
    const LENGTH: Duration = Duration::from_millis(300);

    /// Returns the most that may be taken within so long.
    fn most(allowance: Allowance, within: Duration) -> usize {
        allowance.burst as usize + (within.as_nanos() / allowance.each.as_nanos()) as usize
    }

    /// Reads some bytes of each of these, over and over; returns how many, and within what time.
    async fn read<S: AsyncRead + Unpin>(streams: &mut [S]) -> (usize, Duration) {
        let (mut buf, mut bytes, began) = (vec![0; CHUNK], 0, Instant::now());
        while began.elapsed() < LENGTH {
            for stream in &mut *streams {
                bytes += stream.read(&mut buf).await.unwrap();
            }
        }
        (bytes, began.elapsed())
    }

    #[tokio::test]
    async fn bytes_without_end_are_read_no_faster_than_they_may_be_and_go_on() {
        let mut stream = [Paced::new(Endless)];
        for _ in 0..2 {
            let (bytes, took) = read(&mut stream).await;
            assert!((1..=most(BYTES, took) + CHUNK).contains(&bytes), "{bytes} in {took:?}");
        }
    }

    #[tokio::test]
    async fn all_streams_of_a_connection_share_its_bytes() {
        let mut connection = Metered::new(Flood);
        let outbound = poll_fn(|cx| Pin::new(&mut connection).poll_outbound(cx)).await.unwrap();
        let inbound = poll_fn(|cx| Pin::new(&mut connection).poll_inbound(cx)).await.unwrap();
        let (bytes, took) = read(&mut [outbound, inbound]).await;
        assert!((1..=most(BYTES, took) + CHUNK).contains(&bytes), "{bytes} in {took:?}");
    }

    #[tokio::test]
    async fn bytes_that_are_counted_below_are_not_counted_once_more() {
        let mut connection = Metered::over_paced(Flood);
        let mut stream = poll_fn(|cx| Pin::new(&mut connection).poll_inbound(cx)).await.unwrap();
        let mut buf = vec![0; CHUNK];
        for _ in 0..4 * BYTES.burst as usize / CHUNK {
            assert!(stream.read(&mut buf).now_or_never().is_some());
        }
    }

    #[tokio::test]
    async fn streams_without_end_are_taken_no_faster_than_they_may_be_and_go_on() {
        let mut connection = Metered::over_paced(Flood);
        let (mut streams, began) = (0, Instant::now());
        while began.elapsed() < LENGTH {
            poll_fn(|cx| Pin::new(&mut connection).poll_inbound(cx)).await.unwrap();
            streams += 1;
        }
        let (least, most) = (STREAMS.burst as usize, most(STREAMS, began.elapsed()) + 1);
        assert!((least + 1..=most).contains(&streams), "{streams} of {most}");
        // Those that this end opens are its own affair.
        for _ in 0..2 * most {
            assert!(poll_fn(|cx| Pin::new(&mut connection).poll_outbound(cx)).now_or_never().is_some());
        }
    }
}
