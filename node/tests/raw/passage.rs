//! A way to a node from an address of one's own choice: libp2p leaves it to the system from where it dials.

use std::net::{Ipv4Addr, SocketAddrV4};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// Returns the socket's address of a TCP address.
pub(crate) fn socket(address: &Multiaddr) -> SocketAddrV4 {
    match (address.iter().next(), address.iter().nth(1)) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) => SocketAddrV4::new(ip, port),
        _ => panic!("not a TCP address: {address}"),
    }
}

/// Connects from an address of loopback.
pub(crate) async fn connect(from: Ipv4Addr, to: SocketAddrV4) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to.into()).await
}

/// Opens a way for one connection to a node, which will see it come from this address; returns where it begins.
pub(super) async fn open(from: Ipv4Addr, node: &Multiaddr) -> (Multiaddr, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let begins = listener.local_addr().unwrap().port();
    let to = socket(node);
    let way = tokio::spawn(async move {
        let Ok((mut here, _)) = listener.accept().await else { return };
        let Ok(mut there) = connect(from, to).await else { return };
        // Whoever breaks it off, both ends see it end.
        let _ended = copy_bidirectional(&mut here, &mut there).await;
    });
    (Multiaddr::from(Ipv4Addr::LOCALHOST).with(Protocol::Tcp(begins)), way)
}
