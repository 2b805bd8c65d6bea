//! Looking for nodes once, as a node does that starts: a question by multicast DNS, and who answers within two seconds.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use socket2::{Domain, Socket, Type};

use super::dial::tcp_at;
use super::facts::{Heard, Interface, Outcome, Search, is_reachable};

/// Where multicast DNS takes place (RFC 6762, section 3).
const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);

/// The question for nodes of libp2p: a header with one question, `_p2p._udp.local`, PTR, IN ("mDNS" specification of libp2p).
const QUESTION: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x04_p2p\x04_udp\x05local\0\0\x0c\0\x01";

/// How long answers are waited for: nodes answer at once, and a slow wireless network has time for a second try.
const LISTEN_FOR: Duration = Duration::from_secs(2);

/// How long a connection may take; on a local network it takes milliseconds.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long a name may take to be looked up; a resolver that is not there takes much longer to be given up by the system.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(4);

/// The longest packet of multicast DNS (RFC 6762, section 17).
const MAX_PACKET_LEN: usize = 9000;

/// The most nodes that are listed, and packets that are read: a screenful, and a flood's beginning.
const MAX_HEARD: usize = 64;
const MAX_PACKETS: usize = 1024;

/// The most addresses kept of one node.
const MAX_ADDRESSES: usize = 8;

/// The most members that are tried for a connection.
const MAX_TRIED: usize = 8;

/// How an address stands in an answer.
const ADDRESS_KEY: &[u8] = b"dnsaddr=";

/// Looks for nodes on these interfaces; `me` is left out, and `name` tells a member's name.
pub(super) fn search(interfaces: &[Interface], me: Option<PeerId>, name: impl Fn(&PeerId) -> Option<String>) -> Search {
    let socket = match open() {
        Ok(socket) => socket,
        Err(error) => return Search::PortTaken(error.to_string()),
    };
    if let Err(error) = ask(&socket, interfaces) {
        return Search::NotSent(error.to_string());
    }
    let mut heard = Vec::new();
    for (peer, addresses) in listen(&socket.into()).into_iter().filter(|(peer, _)| Some(*peer) != me) {
        heard.push(Heard { member: name(&peer), addresses, reached: None });
    }
    for node in heard.iter_mut().filter(|node| node.member.is_some()).take(MAX_TRIED) {
        node.reached = reached(&node.addresses);
    }
    Search::Heard(heard)
}

/// Tries whether anybody takes a connection at an address.
pub(super) fn connect(address: &Multiaddr) -> Outcome {
    let places = match tcp_at(address) {
        Some((_, 0)) => return Outcome::Untried,
        Some((ip, port)) => vec![SocketAddr::new(ip, port)],
        None => match named(address) {
            Some((name, port)) => looked_up(name, port),
            None => return Outcome::Untried,
        },
    };
    // The name may be that of several devices; one that answers is enough.
    let outcomes = places.iter().take(MAX_TRIED).map(|place| match TcpStream::connect_timeout(place, CONNECT_LIMIT) {
        Ok(_) => Outcome::Taken,
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Outcome::Refused,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Outcome::NoWay,
            _ => Outcome::Silence,
        },
    });
    outcomes.reduce(|best, next| if best == Outcome::Taken { best } else { next }).unwrap_or(Outcome::NoName)
}

/// The name and port that a TCP address by name has.
fn named(address: &Multiaddr) -> Option<(String, u16)> {
    let mut parts = address.iter();
    match (parts.next()?, parts.next()?) {
        (Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name), Protocol::Tcp(port)) if port != 0 => {
            Some((name.into_owned(), port))
        }
        _ => None,
    }
}

/// What a name stands for; nothing, where that does not come in time.
fn looked_up(name: String, port: u16) -> Vec<SocketAddr> {
    let (found_tx, found) = mpsc::sync_channel(1);
    // The system's look-up cannot be broken off: a thread that is late ends with the process.
    thread::spawn(move || {
        let places: Vec<SocketAddr> = (name, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
        // Nobody waits any more where this fails.
        drop(found_tx.send(places));
    });
    found.recv_timeout(LOOK_UP_LIMIT).unwrap_or_default()
}

/// Whether any of a node's addresses takes a connection; nothing, where none could be tried.
fn reached(addresses: &[Multiaddr]) -> Option<bool> {
    let is_tried = |address: &&Multiaddr| tcp_at(address).is_some_and(|(ip, _)| is_reachable(&ip));
    let mut tried = addresses.iter().filter(is_tried).map(connect).peekable();
    tried.peek()?;
    Some(tried.any(|outcome| outcome == Outcome::Taken))
}

/// Opens the port as nodes do, shared with all who share it.
fn open() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, GROUP.port()).into())?;
    Ok(socket)
}

/// Asks on every interface; one that takes it is enough.
fn ask(socket: &Socket, interfaces: &[Interface]) -> io::Result<()> {
    let addresses = interfaces.iter().filter(|interface| interface.takes_search()).flat_map(|found| &found.addresses);
    let mut outcome = Err(io::Error::other("no interface takes multicast"));
    for address in addresses {
        let IpAddr::V4(address) = address else { continue };
        let asked = socket
            .join_multicast_v4(GROUP.ip(), address)
            .and_then(|()| socket.set_multicast_if_v4(address))
            .and_then(|()| socket.send_to(QUESTION, &GROUP.into()));
        match (asked, &outcome) {
            (Ok(_), _) => outcome = Ok(()),
            (Err(error), Err(_)) => outcome = Err(error),
            (Err(_), Ok(())) => {}
        }
    }
    outcome
}

/// Collects who answers, within its time and its bounds.
fn listen(socket: &UdpSocket) -> Vec<(PeerId, Vec<Multiaddr>)> {
    let until = Instant::now() + LISTEN_FOR;
    let mut heard: Vec<(PeerId, Vec<Multiaddr>)> = Vec::new();
    let mut buffer = [0; MAX_PACKET_LEN];
    for _ in 0..MAX_PACKETS {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            break;
        }
        let Ok((len, _)) = socket.recv_from(&mut buffer) else { continue };
        for (peer, address) in addresses_in(buffer.get(..len).unwrap_or_default()) {
            let is_full = heard.len() >= MAX_HEARD;
            match heard.iter_mut().find(|(known, _)| *known == peer) {
                Some((_, known)) if known.contains(&address) || known.len() >= MAX_ADDRESSES => {}
                Some((_, known)) => known.push(address),
                None if is_full => {}
                None => heard.push((peer, vec![address])),
            }
        }
    }
    heard
}

/// The addresses in an answer, without the peer they name, which stands beside them.
///
/// Texts in an answer have their length before them (RFC 1035, section 3.3); what looks like an address is one. Packets
/// are anybody's, and this is a hint for a person, so nothing else of them matters.
fn addresses_in(packet: &[u8]) -> Vec<(PeerId, Multiaddr)> {
    let starts = packet.windows(ADDRESS_KEY.len()).enumerate().filter(|(_, text)| *text == ADDRESS_KEY);
    let texts = starts.filter_map(|(start, _)| {
        let len = usize::from(*packet.get(start.checked_sub(1)?)?);
        packet.get(start + ADDRESS_KEY.len()..start + len)
    });
    let parsed = texts.filter_map(|text| {
        let mut address: Multiaddr = std::str::from_utf8(text).ok()?.parse().ok()?;
        match address.pop()? {
            Protocol::P2p(peer) => Some((peer, address)),
            _ => None,
        }
    });
    parsed.collect()
}

#[cfg(test)]
mod tests;
