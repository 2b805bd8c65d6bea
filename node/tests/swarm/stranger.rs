//! Somebody who is no member, and what a node asks of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use libp2p::{Multiaddr, PeerId};
use muster::engine::hello::{Hello, Request, Response};
use muster_keys::Identity;

use crate::raw::{Manner, Raw};

/// How often a stranger was fetched from.
#[derive(Clone, Default)]
pub(crate) struct Fetches(Arc<AtomicUsize>);

impl Fetches {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Connects to a node, to hand it these documents when it asks for some, and this hello when it asks for one.
pub(crate) async fn offering(
    identity: &Identity,
    node: &Multiaddr,
    documents: Vec<Vec<u8>>,
    hello: Option<Hello>,
) -> (Raw, Fetches) {
    let fetches = Fetches::default();
    let counted = fetches.clone();
    let answer = move |_: PeerId, request: Vec<u8>| {
        let response = match (Request::decode(&request).unwrap(), &hello) {
            (Request::Fetch { .. }, _) => {
                counted.0.fetch_add(1, Ordering::SeqCst);
                Response::Documents(documents.clone())
            }
            (Request::Hello(_) | Request::News { .. }, Some(hello)) => {
                Response::Hello { hello: hello.clone(), admitted: true }
            }
            _ => Response::Refused,
        };
        async move { Some(response.encode()) }.boxed()
    };
    let manner = Manner { answer: Arc::new(answer), ..Manner::default() };
    (Raw::connect_with(identity, node, manner).await, fetches)
}
