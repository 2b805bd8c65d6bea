//! A device that sits between one that joins and one that admits: a node to the first, a joiner to the second.

use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use libp2p::{Multiaddr, PeerId};
use muster::engine::hello::{Request, Response};
use muster_keys::Identity;
use muster_roles::{JoinNonce, Joining};

use crate::raw::{Manner, Raw};

/// Passes on what it can, and puts its own commitment in place of the device's, which only its own key fits.
pub(crate) struct Middle {
    raw: Arc<OnceLock<Raw>>,
}

impl Middle {
    /// Connects to a node, and plays that node itself.
    pub(crate) async fn between(node: &Multiaddr) -> Self {
        let identity = Identity::from_seed(&[66; 32]);
        let raw: Arc<OnceLock<Raw>> = Arc::default();
        let key = Identity::from_seed(&[66; 32]);
        let this = Arc::downgrade(&raw);
        let answer = move |peer: PeerId, request: Vec<u8>| {
            let (request, this) = (changed(&key, Request::decode(&request).unwrap()), this.clone());
            async move {
                let raw = this.upgrade()?;
                let raw = raw.get()?;
                if peer == raw.node() {
                    return Some(Response::Refused.encode());
                }
                let response = raw.ask(&request.encode()).await;
                assert!(Response::decode(&response).is_ok());
                Some(response)
            }
            .boxed()
        };
        let manner = Manner { answer: Arc::new(answer), ..Manner::default() };
        let client = Raw::between(&identity, node, manner).await;
        assert!(raw.set(client).is_ok());
        Self { raw }
    }

    /// Returns the address at which it plays the node.
    pub(crate) fn address(&self) -> Multiaddr {
        self.raw.get().unwrap().address()
    }
}

/// Returns what it passes on: its own nonce towards the node, and the commitment that fits that.
fn changed(key: &Identity, request: Request) -> Request {
    let nonce = JoinNonce::from_bytes([7; 32]);
    match request {
        Request::Join { name, .. } => {
            Request::Join { name, commitment: Joining::new(key.public(), nonce).commitment() }
        }
        Request::Reveal { .. } => Request::Reveal { nonce },
        other => other,
    }
}
