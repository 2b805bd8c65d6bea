//! A plain client of the control socket: a connection that stays, and one request after the other over it.

use std::io;
use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// A connection to a node's control socket.
pub(crate) struct Control {
    stream: BufReader<UnixStream>,
}

impl Control {
    /// Connects.
    pub(crate) async fn connect(socket: &Path) -> io::Result<Self> {
        Ok(Self { stream: BufReader::new(UnixStream::connect(socket).await?) })
    }

    /// Asks for something, and returns the status and what came back.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<(u16, Value)> {
        let len = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: m\r\ncontent-type: application/json\r\ncontent-length: {len}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        let (mut status, mut len, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().map_err(io::Error::other)?;
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                len = value.trim().parse().map_err(io::Error::other)?;
            } else if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body).await?;
        Ok((status, serde_json::from_slice(&body)?))
    }

    /// Listens to the node's events; hands on what stands in each line of data until the connection ends.
    pub(crate) async fn listen(mut self, mut on_data: impl FnMut(&str)) -> io::Result<()> {
        self.stream.get_mut().write_all(b"GET /v1/events HTTP/1.1\r\nhost: m\r\n\r\n").await?;
        let mut line = String::new();
        while self.stream.read_line(&mut line).await? > 0 {
            if let Some(data) = line.strip_prefix("data: ") {
                on_data(data);
            }
            line.clear();
        }
        Ok(())
    }
}
