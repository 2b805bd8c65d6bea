//! A wire that can be cut without either end noticing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes bytes on between whoever connects to it and one node.
pub(crate) struct Wire {
    /// Where to connect to.
    pub(crate) address: Multiaddr,
    cut: Arc<AtomicBool>,
}

impl Wire {
    /// Lays a wire to a node.
    pub(crate) async fn to(node: &Multiaddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicBool::new(false));
        tokio::spawn(accept(listener, socket(node), Arc::clone(&cut)));
        Self { address: format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap(), cut }
    }

    /// Cuts it: every connection stays open, and nothing passes any more.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, node: SocketAddr, cut: Arc<AtomicBool>) {
    while let Ok((caller, _)) = listener.accept().await {
        let called = TcpStream::connect(node).await.unwrap();
        let (caller_in, caller_out) = caller.into_split();
        let (called_in, called_out) = called.into_split();
        tokio::spawn(pass(caller_in, called_out, Arc::clone(&cut)));
        tokio::spawn(pass(called_in, caller_out, Arc::clone(&cut)));
    }
}

async fn pass(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf, cut: Arc<AtomicBool>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        if cut.load(Ordering::SeqCst) {
            // Neither an end nor an error passes: the sockets are kept for as long as the test runs.
            std::future::pending::<()>().await;
        }
        match read {
            Ok(len) if len > 0 && to.write_all(&buffer[..len]).await.is_ok() => {}
            _ => return,
        }
    }
}

fn socket(address: &Multiaddr) -> SocketAddr {
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) => (ip, port).into(),
        other => panic!("not a TCP address: {other:?}"),
    }
}
