//! Events as they happen, as server-sent events (the `text/event-stream` of the HTML standard).

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{self, KeepAlive, Sse};
use futures::{StreamExt, stream};

use super::reply::Refused;
use crate::control::{EventId, Listening, Node, Told};

/// The header by which a listener that comes back says what it has had.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// How often a quiet stream says that it is alive: what lies between notices a dead connection too.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// `GET /v1/events`.
pub(super) async fn events(State(node): State<Node>, headers: HeaderMap) -> Result<impl IntoResponse, Refused> {
    let after = match headers.get(LAST_EVENT_ID) {
        None => None,
        Some(id) => Some(
            id.to_str()
                .ok()
                .and_then(|id| id.parse::<EventId>().ok())
                .ok_or_else(|| Refused::invalid("Last-Event-ID is no id of an event"))?,
        ),
    };
    let Listening { head, now, events } = node.listen(after).await?;
    // What tells how things are has happened earlier: who comes back wants what is later than all of it.
    let is_back = after.is_some_and(|after| after.run == head.run);
    let now = stream::iter(now).map(move |told| frame(if is_back { told.id } else { head }, &told));
    let later = stream::unfold(events, |mut events| async move {
        let told = events.recv().await?;
        Some((frame(told.id, &told), events))
    });
    let frames = now.chain(later).map(Ok::<_, Infallible>);
    Ok(Sse::new(frames).keep_alive(KeepAlive::new().interval(ALIVE_INTERVAL).text("alive")))
}

fn frame(id: EventId, told: &Told) -> sse::Event {
    sse::Event::default().id(id.to_string()).data(told.json())
}
