//! A screen in the node's own process: what it asks goes to the node, what the node tells and answers goes to it.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::{Answer, Ask, Event, Node, Refusal, Request, RequestId, SCREEN_QUEUE_LEN, Told};

/// Joins a screen and a node until either is gone; the node ends with the screen that was started with it.
///
/// `show` makes what the screen takes: of an event of the node, or of an answer to the screen's own request.
pub async fn attend<T>(
    node: Node,
    mut asks: mpsc::Receiver<Ask>,
    events: mpsc::Sender<T>,
    show: impl Fn(Result<Arc<Told>, Event>) -> T,
) {
    let Ok(mut listening) = node.listen(None).await else { return };
    for told in listening.now {
        if events.send(show(Ok(told))).await.is_err() {
            return end(&node, false).await;
        }
    }
    let mut answers = FuturesUnordered::new();
    loop {
        let shown = tokio::select! {
            biased;
            Some(answer) = answers.next() => show(Err(answer)),
            ask = asks.recv(), if answers.len() < SCREEN_QUEUE_LEN => match ask {
                None => return end(&node, false).await,
                Some(Ask { request: Request::Leave { patient }, .. }) => {
                    end(&node, patient).await;
                    continue;
                }
                Some(Ask { id, request }) => {
                    let begun = node.begin(request).await;
                    answers.push(async move {
                        let outcome = match begun {
                            Ok(answer) => answer.await.unwrap_or_else(|_| Err(Refusal::ending())),
                            Err(refusal) => Err(refusal),
                        };
                        answered(id, outcome)
                    });
                    continue;
                }
            },
            told = listening.events.recv() => match told {
                Some(told) => show(Ok(told)),
                None => break,
            },
        };
        if events.send(shown).await.is_err() {
            return end(&node, false).await;
        }
    }
    while let Some(answer) = answers.next().await {
        if events.send(show(Err(answer))).await.is_err() {
            return;
        }
    }
}

async fn end(node: &Node, patient: bool) {
    // Nothing to do where it has ended already.
    drop(node.begin(Request::Shutdown { patient }).await);
}

/// What a screen is told of the outcome of its own request.
#[must_use]
pub fn answered(to: RequestId, outcome: Result<Answer, Refusal>) -> Event {
    match outcome {
        Ok(answer) => Event::Answered { to, answer },
        Err(refusal) => Event::Refused { to, refusal },
    }
}
