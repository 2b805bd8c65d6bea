//! What can be asked over the socket, and where.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::{CONTENT_TYPE, TRAILER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use muster_roles::GroupId;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::events::events;
use super::reply::{Answered, Refused};
use super::{MAX_BODY_LEN, MAX_CHANGE_LEN};
use crate::control::{
    Change, Export, Exporting, Format, Manner, MessageId, Node, PAGE_LEN, Piece, Position, Refusal, RefusalKind,
    Request,
};

/// The trailer that counts what an export has written.
pub(super) const WRITTEN: &str = "muster-written";

/// The trailer that counts what an export has left out.
pub(super) const UNREADABLE: &str = "muster-unreadable";

type Outcome = Result<Answered, Refused>;

/// Everything that can be asked of a node.
pub(super) fn routes(node: Node) -> Router {
    Router::new()
        .route("/v1/status", get(|node: State<Node>| ask(node, Request::Status)))
        .route("/v1/peers", get(|node: State<Node>| ask(node, Request::Peers)))
        .route("/v1/groups", get(|node: State<Node>| ask(node, Request::Groups)))
        .route("/v1/members", get(|node: State<Node>| ask(node, Request::Members)))
        .route("/v1/requests", get(|node: State<Node>| ask(node, Request::JoinRequests)))
        .route("/v1/orders", get(|node: State<Node>| ask(node, Request::Orders)))
        .route("/v1/who", get(who))
        .route("/v1/messages", get(messages))
        .route("/v1/post", post(post_message))
        .route("/v1/read", post(read))
        .route("/v1/roster", post(change).layer(DefaultBodyLimit::max(MAX_CHANGE_LEN)))
        .route("/v1/shutdown", post(shutdown))
        .route("/v1/wipe", post(wipe))
        .route("/v1/export", get(export))
        .route("/v1/events", get(events))
        .fallback(|| async { Refused::from(Refusal::new(RefusalKind::Unknown, "there is no such thing to ask for")) })
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, Refused::invalid("this is asked for by another method")).into_response()
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_LEN))
        .with_state(node)
}

async fn ask(State(node): State<Node>, request: Request) -> Outcome {
    Ok(Answered(node.ask(request).await?))
}

#[derive(Deserialize)]
struct PageOf {
    group: GroupId,
    before: Option<Position>,
    limit: Option<usize>,
}

async fn messages(node: State<Node>, query: Result<Query<PageOf>, QueryRejection>) -> Outcome {
    let PageOf { group, before, limit } = asked_in(query)?;
    ask(node, Request::Page { group, before, limit: limit.unwrap_or(PAGE_LEN) }).await
}

#[derive(Deserialize)]
struct Post {
    group: GroupId,
    text: String,
    #[serde(flatten)]
    manner: Manner,
    #[serde(default)]
    wait_ms: u64,
}

#[derive(Deserialize)]
struct WhoHas {
    group: GroupId,
    id: MessageId,
}

async fn who(node: State<Node>, query: Result<Query<WhoHas>, QueryRejection>) -> Outcome {
    let WhoHas { group, id } = asked_in(query)?;
    ask(node, Request::Who { group, id }).await
}

async fn post_message(node: State<Node>, body: Result<Bytes, BytesRejection>) -> Outcome {
    let Post { group, text, manner, wait_ms } = json(body)?;
    ask(node, Request::Post { group, text, manner, wait_ms }).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    group: GroupId,
    upto: Position,
}

async fn read(node: State<Node>, body: Result<Bytes, BytesRejection>) -> Outcome {
    let Read { group, upto } = json(body)?;
    ask(node, Request::Read { group, upto }).await
}

async fn change(node: State<Node>, body: Result<Bytes, BytesRejection>) -> Outcome {
    let change: Change = json(body)?;
    ask(node, Request::Change(change)).await
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shutdown {
    #[serde(default)]
    patient: bool,
}

async fn shutdown(node: State<Node>, body: Result<Bytes, BytesRejection>) -> Outcome {
    let is_empty = body.as_ref().is_ok_and(Bytes::is_empty);
    let Shutdown { patient } = if is_empty { Shutdown::default() } else { json(body)? };
    ask(node, Request::Shutdown { patient }).await
}

/// What has to be said in so many words, so that no request gone astray destroys a home.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wipe {
    wipe: bool,
}

async fn wipe(node: State<Node>, body: Result<Bytes, BytesRejection>) -> Outcome {
    match json(body)? {
        Wipe { wipe: true } => ask(node, Request::Wipe).await,
        Wipe { wipe: false } => Err(Refusal::new(RefusalKind::Invalid, "nothing is wiped").into()),
    }
}

async fn export(
    State(node): State<Node>,
    query: Result<Query<Export>, QueryRejection>,
) -> Result<Response<Body>, Refused> {
    let asked = asked_in(query)?;
    let kind = match asked.format {
        Format::Text => "text/plain; charset=utf-8",
        Format::Jsonl => "application/x-ndjson",
        Format::Csv => "text/csv; charset=utf-8",
    };
    let Exporting { pieces, .. } = node.export(asked).await?;
    let frames = stream::unfold(pieces, |mut pieces| async move {
        let frame = match pieces.recv().await {
            Some(Piece::Bytes(bytes)) => Ok(Frame::data(Bytes::from(bytes))),
            Some(Piece::End { written, unreadable }) => Ok(Frame::trailers(counts(written, unreadable))),
            Some(Piece::Failed(refusal)) => Err(refusal),
            None => return None,
        };
        Some((frame, pieces))
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(TRAILER, HeaderValue::from_static("muster-written, muster-unreadable"));
    Ok(response)
}

fn counts(written: u64, unreadable: u64) -> HeaderMap {
    let count = |name, count: u64| (HeaderName::from_static(name), HeaderValue::from(count));
    HeaderMap::from_iter([count(WRITTEN, written), count(UNREADABLE, unreadable)])
}

fn asked_in<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refused> {
    query.map(|Query(asked)| asked).map_err(|rejection| Refused::invalid(rejection.body_text()))
}

fn json<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Refused> {
    let bytes = body.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Refused(Refusal::new(RefusalKind::TooLarge, "the request is too long"))
        } else {
            Refused::invalid(rejection.body_text())
        }
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Refused::invalid(format_args!("the request is not understood: {error}")))
}
