#![allow(clippy::unwrap_used)]

use super::super::facts::{Interface, Listen};
use super::*;

fn device(addresses: &[&str], listen: &[&str]) -> Facts {
    let interface = |name: &str, addresses: &[&str]| Interface {
        name: name.to_owned(),
        up: true,
        running: true,
        loopback: name == "lo",
        multicast: true,
        bridge: false,
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    };
    let listen = listen.iter().map(|address| Listen { address: address.parse().unwrap(), hindrance: None });
    let mut facts = Facts {
        interfaces: Some(vec![interface("lo", &["127.0.0.1", "::1"]), interface("eth0", addresses)]),
        listen: listen.collect(),
        ..Facts::default()
    };
    facts.home.dir = "army1".into();
    facts
}

const ANY_PORT: [&str; 2] = ["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"];

#[test]
fn where_the_port_is_left_to_chance_one_is_proposed() {
    let dial = dial(&device(&["192.0.2.7", "fe80::1"], &ANY_PORT));
    assert_eq!(dial.here.as_deref(), Some("muster --home army1 start --listen /ip4/0.0.0.0/tcp/4001"));
    assert_eq!(dial.there, ["muster start --dial /ip4/192.0.2.7/tcp/4001"]);
    assert!(!dial.loopback_only);
}

#[test]
fn a_port_that_is_set_is_used_on_every_address() {
    let dial = dial(&device(&["2001:db8::7", "192.0.2.7", "10.0.0.7"], &["/ip4/0.0.0.0/tcp/5001", "/ip6/::/tcp/5002"]));
    assert_eq!(dial.here.as_deref(), Some("muster --home army1 start"));
    let expected = ["/ip4/10.0.0.7/tcp/5001", "/ip4/192.0.2.7/tcp/5001", "/ip6/2001:db8::7/tcp/5002"];
    assert_eq!(dial.there, expected.map(|address| format!("muster start --dial {address}")));
}

#[test]
fn with_loopback_alone_the_line_works_on_this_device_and_says_so() {
    let dial = dial(&device(&[], &ANY_PORT));
    assert_eq!(
        (dial.there, dial.loopback_only),
        (vec!["muster start --dial /ip4/127.0.0.1/tcp/4001".to_owned()], true)
    );
}

#[test]
fn a_running_node_is_dialled_where_it_listens() {
    let mut facts = device(&["192.0.2.7"], &ANY_PORT);
    let listening = ["/ip4/127.0.0.1/tcp/45001", "/ip4/192.0.2.7/tcp/45001", "/ip4/192.0.2.7/udp/45002/quic-v1"];
    let status = serde_json::from_value(serde_json::json!({
        "version": "0.1.0", "pid": 42, "uptime_s": 60, "name": "Army1", "role": "leader", "troop": "army",
        "unit": "1st Brigade", "unit_words": "one two three four five six",
        "roster": {"version": 7, "issued_ms": 0, "age_s": 60, "members": 3},
        "connected": 0, "listening": listening, "waiting": 0, "clock": {"off_by_ms": null}, "store_works": true,
        "listeners": 1
    }));
    facts.node = NodeFacts::Running(Box::new(status.unwrap()));
    let expected = Dial {
        here: None,
        there: vec!["muster start --dial /ip4/192.0.2.7/tcp/45001".to_owned()],
        loopback_only: false,
    };
    assert_eq!(dial(&facts), expected);
}

#[test]
fn a_home_is_named_as_a_shell_takes_it() {
    assert_eq!(shell_word("/home/a/.local/share/muster"), "/home/a/.local/share/muster");
    assert_eq!(shell_word("my home's"), r"'my home'\''s'");
    assert_eq!(shell_word(""), "''");
}
