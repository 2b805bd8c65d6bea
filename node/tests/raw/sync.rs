//! The frames of synchronisation by hand, each behind its length.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use muster::engine::sync::Frame;

/// Sends a frame.
pub(crate) async fn send(stream: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    send_bytes(stream, &frame.encode()).await
}

/// Sends bytes as if they were a frame.
pub(crate) async fn send_bytes(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(&(bytes.len() as u32).to_be_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Reads a frame; nothing where the stream has ended.
pub(crate) async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).await.ok()?;
    let mut bytes = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(Frame::decode(&bytes).expect("nodes send frames"))
}

/// Sends a length, and no frame behind it.
pub(crate) async fn send_length(stream: &mut (impl AsyncWrite + Unpin), len: u32) -> io::Result<()> {
    stream.write_all(&len.to_be_bytes()).await?;
    stream.flush().await
}
