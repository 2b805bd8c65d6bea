//! A screen that is attached to a node in another process, over its control socket.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Zoned;
use muster_roles::GroupId;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::screen::Shown;
use crate::api::{Client, ClientError, Hearing};
use crate::control::{
    Answer, Ask, Event, EventId, Export, Format, MessageId, Refusal, RefusalKind, Request, SCREEN_QUEUE_LEN, answered,
};
use crate::engine::store::RETENTION_MS;
use crate::export::save_as;
use crate::new_file::{FileError, NewFile};

/// How long a screen that leaves waits for what it has posted to be shown: that is told a moment after it is stored.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(2);

/// How often a node that breaks off is tried again: one that is being killed may take a connection for a moment still.
const TRIES: u32 = 20;

/// The time between two tries.
const TRY_SPACING: Duration = Duration::from_millis(50);

/// How an attached screen ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Whoever sat there has left; the node runs on.
    Left,
    /// The node has ended.
    WithNode,
}

/// Joins a screen and a node elsewhere until either is gone.
///
/// # Errors
/// [`ClientError`] where the node cannot be heard any more though it has not ended.
pub(super) async fn attend(
    client: Client,
    mut hearing: Hearing,
    asks: mpsc::Receiver<Ask>,
    shown: mpsc::Sender<Shown>,
) -> Result<Ended, ClientError> {
    let (answer_tx, mut answers) = mpsc::channel(SCREEN_QUEUE_LEN);
    let (ending_tx, ending) = watch::channel(false);
    tokio::spawn(answer_all(client.clone(), asks, answer_tx, ending_tx));
    // A node may be gone before it has answered who ended it: for that screen it is what was asked for.
    let gone = |is_leaving: bool| if is_leaving || *ending.borrow() { Ended::Left } else { Ended::WithNode };
    let mut last: Option<EventId> = None;
    // What has been posted here and has not come back as an event.
    let mut posted = BTreeSet::<MessageId>::new();
    let mut leaving = None;
    while leaving.is_none_or(|_| !posted.is_empty()) {
        let next = tokio::select! {
            biased;
            answer = answers.recv(), if leaving.is_none() => match answer {
                Some(event) => {
                    if let Event::Answered { answer: Answer::Posted(post), .. } = &event {
                        posted.insert(post.id);
                    }
                    Shown::answered(event)
                }
                None => {
                    leaving = Some(Instant::now() + LAST_LINES_LIMIT);
                    continue;
                }
            },
            heard = hearing.next() => match heard {
                Ok(Some(heard)) => {
                    last = Some(heard.id);
                    if heard.event == Event::Closed {
                        return Ok(gone(leaving.is_some()));
                    }
                    if let Event::Message(message) = &heard.event {
                        posted.remove(&message.id);
                    }
                    Shown::heard(heard.event, heard.json)
                }
                // It let go of a screen that was too slow, or has been killed.
                Ok(None) | Err(ClientError::Broken(_)) => match hear_again(&client, last).await {
                    Ok(again) => {
                        hearing = again;
                        continue;
                    }
                    Err(ClientError::NotRunning) => return Ok(gone(leaving.is_some())),
                    Err(error) => return Err(error),
                },
                Err(error) => return Err(error),
            },
            () = until(leaving) => break,
        };
        if shown.send(next).await.is_err() {
            return Ok(Ended::Left);
        }
    }
    Ok(Ended::Left)
}

/// Listens anew; a connection that breaks off at once says nothing yet of whether the node has ended.
async fn hear_again(client: &Client, last: Option<EventId>) -> Result<Hearing, ClientError> {
    for _ in 1..TRIES {
        match client.hear(last).await {
            Err(ClientError::Broken(_)) => sleep(TRY_SPACING).await,
            heard => return heard,
        }
    }
    client.hear(last).await
}

/// Asks one after the other, so that what is posted keeps its order; ends when the screen leaves.
async fn answer_all(
    client: Client,
    mut asks: mpsc::Receiver<Ask>,
    answers: mpsc::Sender<Event>,
    ending: watch::Sender<bool>,
) {
    while let Some(Ask { id, request }) = asks.recv().await {
        let ends_node = matches!(request, Request::Shutdown { .. } | Request::Wipe);
        ending.send_replace(ends_node);
        let outcome = match &request {
            Request::Leave { .. } => return,
            Request::Export { group } => save(&client, group).await,
            request => {
                let asked = client.ask(request).await;
                if matches!(&asked, Err(ClientError::Refused(refusal)) if *refusal != Refusal::ending()) {
                    // It runs on: if it ends later, that is by itself.
                    ending.send_replace(false);
                }
                asked.map_err(refusal)
            }
        };
        // Who ends the node leaves by that.
        let is_last = ends_node && outcome.is_ok();
        if answers.send(answered(id, outcome)).await.is_err() || is_last {
            return;
        }
    }
}

fn refusal(error: ClientError) -> Refusal {
    match error {
        ClientError::Refused(refusal) => refusal,
        error => {
            let hint = error.hint();
            Refusal { hint, ..Refusal::new(RefusalKind::Failed, error) }
        }
    }
}

/// Writes the last week of a group to a text file where this screen was started.
async fn save(client: &Client, group: &GroupId) -> Result<Answer, Refusal> {
    let failed = |error: &dyn std::fmt::Display| Refusal::new(RefusalKind::Failed, format_args!("not saved: {error}"));
    let now = Zoned::now();
    let since_ms = u64::try_from(now.timestamp().as_millisecond()).unwrap_or(0).saturating_sub(RETENTION_MS);
    let zone = now.time_zone().iana_name().map(str::to_owned);
    let export = Export { group: Some(group.to_string()), since_ms: Some(since_ms), format: Format::Text, zone };
    let (path, mut file) = free_file(group, &now).map_err(|error| failed(&error))?;
    let exported = client.export(&export, &mut file).await.map_err(|error| failed(&error))?;
    file.keep().map_err(|error| failed(&error))?;
    let path = std::path::absolute(&path).unwrap_or(path);
    Ok(Answer::Exported { path, count: exported.written })
}

/// Begins a file under the first name that is free.
fn free_file(group: &GroupId, now: &Zoned) -> Result<(PathBuf, NewFile), FileError> {
    let mut number = 1;
    loop {
        let path = PathBuf::from(save_as(std::slice::from_ref(group), Format::Text, now, number));
        match NewFile::create(&path, false) {
            Err(FileError::Exists { .. }) if number < crate::export::MAX_NUMBER => number += 1,
            other => return other.map(|file| (path, file)),
        }
    }
}

/// Waits until a time has come; for ever where there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::{Listener, serve};
    use crate::control::{Call, Listening, Node, RequestId, Told};

    /// Lets a screen ask this node to end, has it refused or not, and ends the node; returns how the screen ended.
    async fn ended_after_asking(refusal: Option<Refusal>) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let (node, mut calls) = Node::new();
        let (_ending, ended) = watch::channel(false);
        let served = tokio::spawn(serve(Listener::open(&socket).unwrap(), node, ended));
        let client = Client::new(&socket);
        let (tell, events) = mpsc::channel(SCREEN_QUEUE_LEN);
        let head = EventId { run: 1, number: 0 };
        let (hearing, ()) = tokio::join!(client.hear(None), async {
            let Some(Call::Listen { reply, .. }) = calls.recv().await else { panic!("it does not listen") };
            reply.send(Ok(Listening { head, now: Vec::new(), events })).unwrap();
        });
        let (asks, asked) = mpsc::channel(SCREEN_QUEUE_LEN);
        let (shown_tx, mut shown) = mpsc::channel(SCREEN_QUEUE_LEN);
        let attended = tokio::spawn(attend(client, hearing.unwrap(), asked, shown_tx));
        asks.send(Ask { id: RequestId(1), request: Request::Shutdown { patient: false } }).await.unwrap();
        let Some(Call::Ask { request: Request::Shutdown { .. }, reply }) = calls.recv().await else {
            panic!("it does not ask the node to end")
        };
        match refusal {
            Some(refusal) => {
                reply.send(Err(refusal)).unwrap();
                // The screen has been told that the node runs on.
                shown.recv().await.unwrap();
            }
            // The node is gone before it has answered.
            None => drop(reply),
        }
        tell.send(Arc::new(Told::new(EventId { number: 1, ..head }, Event::Closed))).await.unwrap();
        let ended = attended.await.unwrap().unwrap();
        served.abort();
        ended
    }

    #[tokio::test]
    async fn a_node_that_would_not_end_for_a_screen_and_ends_later_has_ended_by_itself() {
        let refusal = Refusal::new(RefusalKind::Failed, "not now");
        assert!(matches!(ended_after_asking(Some(refusal)).await, Ended::WithNode));
    }

    #[tokio::test]
    async fn a_node_that_ends_before_it_has_answered_has_ended_as_the_screen_asked() {
        assert!(matches!(ended_after_asking(None).await, Ended::Left));
    }
}
