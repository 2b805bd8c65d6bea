//! TCP and QUIC as they are used here, and connections that close even if the other end does not listen any more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::Either;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent};
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, noise, quic, tcp};
use tokio::time::{Sleep, sleep};

use super::alive::{self, QUIET, SILENCE_LIMIT};
use super::intake::{Metered, Paced};
use super::muxer::{MAX_STREAMS, Yamux};

/// How long a handshake may take, from the first byte to a usable connection.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// How long a connection may take to close in good order; then it is dropped.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Bytes of one QUIC stream that may be under way; a response of the largest size takes a few rounds.
const QUIC_STREAM_WINDOW_LEN: u32 = 512 * 1024;

/// Bytes of one QUIC connection that may be under way.
const QUIC_CONNECTION_WINDOW_LEN: u32 = 2 * 1024 * 1024;

/// Makes the transport of a node with this key.
///
/// # Errors
///
/// When the key does not suit the Noise handshake.
pub(crate) fn transport(keypair: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .map(|connection, _| {
            if let Err(error) = alive::watch(&connection) {
                tracing::debug!(%error, "the system does not watch a connection");
            }
            Paced::new(connection)
        })
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(Yamux::new())
        .timeout(HANDSHAKE_LIMIT);
    let quic = quic::tokio::Transport::new(quic_config(keypair));
    let transport = tcp.or_transport(quic).map(|connection, _| match connection {
        Either::Left((peer, muxer)) => (peer, StreamMuxerBox::new(Closing::new(Metered::over_paced(muxer)))),
        Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(Closing::new(Metered::new(muxer)))),
    });
    Ok(transport.boxed())
}

fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = HANDSHAKE_LIMIT;
    config.max_idle_timeout = u32::try_from(SILENCE_LIMIT.as_millis()).unwrap_or(u32::MAX);
    config.keep_alive_interval = QUIET;
    config.max_concurrent_stream_limit = u32::try_from(MAX_STREAMS).unwrap_or(u32::MAX);
    config.max_stream_data = QUIC_STREAM_WINDOW_LEN;
    config.max_connection_data = QUIC_CONNECTION_WINDOW_LEN;
    config
}

/// A connection whose closing has an end: one that reads nothing could otherwise stay for ever.
struct Closing<M> {
    muxer: M,
    limit: Option<Pin<Box<Sleep>>>,
}

impl<M> Closing<M> {
    fn new(muxer: M) -> Self {
        Self { muxer, limit: None }
    }
}

impl<M> StreamMuxer for Closing<M>
where
    M: StreamMuxer + Unpin,
    M::Error: std::error::Error + Send + Sync + 'static,
{
    type Substream = M::Substream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
        Pin::new(&mut self.muxer).poll_inbound(cx).map_err(io::Error::other)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
        Pin::new(&mut self.muxer).poll_outbound(cx).map_err(io::Error::other)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(closed) = Pin::new(&mut self.muxer).poll_close(cx) {
            return Poll::Ready(closed.map_err(io::Error::other));
        }
        let limit = self.limit.get_or_insert_with(|| Box::pin(sleep(CLOSE_LIMIT)));
        limit.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.muxer).poll(cx).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A connection on which nothing ever happens.
    struct Stuck;

    impl StreamMuxer for Stuck {
        type Substream = futures::io::Cursor<Vec<u8>>;
        type Error = Infallible;

        fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Infallible>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_connection_that_does_not_close_in_good_order_ends_all_the_same() {
        let mut connection = Closing::new(Stuck);
        let close = std::future::poll_fn(|cx| Pin::new(&mut connection).poll_close(cx));
        let closed = tokio::time::timeout(4 * CLOSE_LIMIT, close).await;
        assert!(matches!(closed, Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut));
    }
}
