#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// An answer with these texts in it, each with its length before it.
fn answer(texts: &[String]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    for text in texts {
        packet.push(u8::try_from(text.len()).unwrap());
        packet.extend(text.as_bytes());
    }
    packet
}

#[test]
fn the_addresses_of_an_answer_are_found_with_their_peers() {
    let (first, second) = (PeerId::random(), PeerId::random());
    let packet = answer(&[
        format!("dnsaddr=/ip4/192.0.2.7/tcp/4001/p2p/{first}"),
        "other=text".to_owned(),
        format!("dnsaddr=/ip4/192.0.2.8/udp/4001/quic-v1/p2p/{second}"),
        "dnsaddr=/ip4/192.0.2.9/tcp/4001".to_owned(),
        "dnsaddr=nonsense".to_owned(),
    ]);
    let expected = [(first, "/ip4/192.0.2.7/tcp/4001"), (second, "/ip4/192.0.2.8/udp/4001/quic-v1")];
    assert_eq!(addresses_in(&packet), expected.map(|(peer, address)| (peer, address.parse().unwrap())));
}

#[test]
fn a_question_has_no_addresses() {
    assert_eq!(addresses_in(QUESTION), []);
}

#[test]
fn a_port_that_takes_connections_is_told_from_one_that_does_not() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    assert_eq!(connect(&address), Outcome::Taken);
    let named: Multiaddr = format!("/dns4/localhost/tcp/{port}").parse().unwrap();
    assert_eq!(connect(&named), Outcome::Taken);
    drop(listener);
    assert_eq!(connect(&address), Outcome::Refused);
    assert_eq!(connect(&"/ip4/127.0.0.1/udp/4001/quic-v1".parse().unwrap()), Outcome::Untried);
    assert_eq!(reached(&[address]), None, "loopback says nothing of another device");
}

proptest! {
    #[test]
    fn arbitrary_packets_never_panic(head in prop::collection::vec(any::<u8>(), 0..40), tail in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(addresses_in(&[&head[..], ADDRESS_KEY, &tail].concat()).len() <= 1);
    }
}
