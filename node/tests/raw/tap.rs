//! An ear on a connection, between its encryption and what is said over it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt};
use futures::{AsyncRead, AsyncWrite};
use libp2p::PeerId;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};

/// What has been heard.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// Tells whether these bytes were among it.
    pub(crate) fn contains(&self, part: &[u8]) -> bool {
        self.0.lock().unwrap().windows(part.len()).any(|window| window == part)
    }

    /// Tells how many bytes it was.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// A security upgrade whose decrypted streams are listened to.
#[derive(Clone)]
pub(crate) struct Tapped<U> {
    inner: U,
    heard: Heard,
}

impl<U> Tapped<U> {
    pub(crate) fn new(inner: U, heard: Heard) -> Self {
        Self { inner, heard }
    }
}

impl<U: UpgradeInfo> UpgradeInfo for Tapped<U> {
    type Info = U::Info;
    type InfoIter = U::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.inner.protocol_info()
    }
}

impl<C, T, U> InboundConnectionUpgrade<C> for Tapped<U>
where
    U: InboundConnectionUpgrade<C, Output = (PeerId, T)>,
    U::Future: Send + 'static,
{
    type Output = (PeerId, Ear<T>);
    type Error = U::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, socket: C, info: Self::Info) -> Self::Future {
        let heard = self.heard;
        let upgrade = self.inner.upgrade_inbound(socket, info);
        async move { upgrade.await.map(|(peer, stream)| (peer, Ear { stream, heard })) }.boxed()
    }
}

impl<C, T, U> OutboundConnectionUpgrade<C> for Tapped<U>
where
    U: OutboundConnectionUpgrade<C, Output = (PeerId, T)>,
    U::Future: Send + 'static,
{
    type Output = (PeerId, Ear<T>);
    type Error = U::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, socket: C, info: Self::Info) -> Self::Future {
        let heard = self.heard;
        let upgrade = self.inner.upgrade_outbound(socket, info);
        async move { upgrade.await.map(|(peer, stream)| (peer, Ear { stream, heard })) }.boxed()
    }
}

/// A stream that is listened to.
pub(crate) struct Ear<T> {
    stream: T,
    heard: Heard,
}

impl<T: AsyncRead + Unpin> AsyncRead for Ear<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Ok(len)) = read {
            self.heard.0.lock().unwrap().extend(&buffer[..len]);
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Ear<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
