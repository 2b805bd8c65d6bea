//! The hello protocol on a stream: bounded messages, one request and one response a stream.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::{self, ProtocolSupport};

use crate::engine::hello::{DecodeError, MAX_REQUEST_LEN, MAX_RESPONSE_LEN, Request, Response};

/// The protocol's name; a change of what is said gets a new number.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/muster/hello/1");

/// The longest a request may take with its response: the largest one passes at 2 Mbit/s.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Requests under way on one connection, in both directions together: a hello and a fetch each, and as many again.
const MAX_STREAMS: usize = 8;

/// The behaviour that carries hellos.
pub(crate) type Behaviour = request_response::Behaviour<Codec>;

/// Makes the behaviour.
pub(crate) fn behaviour() -> Behaviour {
    let config =
        request_response::Config::default().with_request_timeout(TIMEOUT).with_max_concurrent_streams(MAX_STREAMS);
    request_response::Behaviour::new([(PROTOCOL, ProtocolSupport::Full)], config)
}

/// Reads and writes the messages; each ends where its writer closes the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Codec;

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Request;
    type Response = Response;

    async fn read_request<T>(&mut self, _: &StreamProtocol, stream: &mut T) -> io::Result<Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        Request::decode(&read(stream, MAX_REQUEST_LEN).await?).map_err(invalid)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, stream: &mut T) -> io::Result<Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        Response::decode(&read(stream, MAX_RESPONSE_LEN).await?).map_err(invalid)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, stream: &mut T, request: Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        stream.write_all(&request.encode()).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, stream: &mut T, response: Response) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        stream.write_all(&response.encode()).await
    }
}

/// Reads to the end of the stream, one byte beyond the limit at most.
async fn read<T: AsyncRead + Unpin + Send>(stream: &mut T, max: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    stream.take(limit).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn invalid(error: DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
