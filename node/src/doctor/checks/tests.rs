#![allow(clippy::unwrap_used)]

use super::super::facts::{Dialled, Interface, Listen};
use super::super::{Level, examine};
use super::*;

fn interface(name: &str, addresses: &[&str]) -> Interface {
    Interface {
        name: name.to_owned(),
        up: true,
        running: true,
        loopback: name == "lo",
        multicast: true,
        bridge: false,
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    }
}

fn with(interfaces: Vec<Interface>) -> Facts {
    Facts { interfaces: Some(interfaces), mdns: true, ..Facts::default() }
}

/// A device with one interface, changed.
fn with_eth0(change: impl FnOnce(&mut Interface)) -> Facts {
    let mut eth0 = interface("eth0", &["192.0.2.7", "fe80::1"]);
    change(&mut eth0);
    with(vec![interface("lo", &["127.0.0.1", "::1"]), eth0])
}

/// The one problem that a check finds.
#[track_caller]
fn problem(check: Check, facts: &Facts) -> (String, String) {
    let found = check(facts);
    let [Finding { level: Level::Problem, what, advice, .. }] = found.as_slice() else { panic!("{found:?}") };
    (what.clone(), advice.clone().unwrap())
}

#[test]
fn a_device_on_a_network_that_takes_multicast_is_sound() {
    let facts = with_eth0(|_| {});
    let found = examine(&facts);
    assert!(found.iter().all(|finding| finding.level == Level::Good), "{found:?}");
    assert_eq!(interfaces(&facts), [Finding::good("interfaces", "connected by eth0")]);
}

#[test]
fn a_device_with_loopback_alone_is_told_so_and_that_nodes_cannot_find_each_other() {
    let facts = with(vec![interface("lo", &["127.0.0.1"])]);
    assert!(problem(interfaces, &facts).0.contains("no network interface but loopback"));
    let (what, advice) = problem(multicast, &facts);
    assert!(what.starts_with("no multicast: no interface takes it"), "{what}");
    assert!(advice.contains("--dial"), "{advice}");
}

#[test]
fn an_interface_that_is_off_unplugged_or_without_an_address_is_named_with_what_to_do() {
    let (what, advice) = problem(interfaces, &with_eth0(|eth0| eth0.up = false));
    assert_eq!((what.as_str(), advice.as_str()), ("eth0 is switched off", "sudo ip link set eth0 up"));
    let (what, _) = problem(interfaces, &with_eth0(|eth0| eth0.running = false));
    assert_eq!(what, "eth0 is not connected");
    for address in [&[][..], &["169.254.3.4"], &["fe80::1"]] {
        let (what, _) = problem(interfaces, &with_eth0(|eth0| *eth0 = interface("eth0", address)));
        assert_eq!(what, "eth0 has no address that other devices can reach", "{address:?}");
    }
}

#[test]
fn an_interface_without_multicast_is_named() {
    let facts = with_eth0(|eth0| eth0.multicast = false);
    assert_eq!(interfaces(&facts), [Finding::good("interfaces", "connected by eth0")]);
    let (what, advice) = problem(multicast, &facts);
    assert_eq!(what, "no multicast: eth0 does not take it, so nodes cannot find each other by themselves here");
    assert!(advice.starts_with("sudo ip link set eth0 multicast on, or use the --dial line"), "{advice}");
}

#[test]
fn a_device_with_ipv6_alone_is_told_that_nodes_look_by_ipv4() {
    let facts = with_eth0(|eth0| *eth0 = interface("eth0", &["2001:db8::7"]));
    assert!(problem(address_kinds, &facts).0.contains("IPv6 addresses only"));
    assert_eq!(address_kinds(&with_eth0(|_| {})), []);
}

#[test]
fn containers_and_their_bridges_are_noted() {
    let inside = Facts { container: Some("Docker"), ..with_eth0(|_| {}) };
    assert!(container(&inside).iter().any(|found| found.level == Level::Note && found.what.contains("(Docker)")));
    let host = with_eth0(|eth0| eth0.bridge = true);
    assert!(container(&host).iter().any(|found| found.what.starts_with("eth0 is a bridge")));
    assert_eq!(container(&with_eth0(|_| {})), []);
}

#[test]
fn a_search_that_is_switched_off_is_noted() {
    let facts = Facts { mdns: false, ..with_eth0(|_| {}) };
    assert!(matches!(mdns_settings(&facts).as_slice(), [Finding { level: Level::Note, .. }]));
    assert_eq!(mdns_settings(&with_eth0(|_| {})), []);
}

fn searched(search: Search) -> Facts {
    Facts { search: Some(search), ..with_eth0(|_| {}) }
}

fn heard(member: Option<&str>, reached: Option<bool>) -> Heard {
    Heard { member: member.map(str::to_owned), addresses: Vec::new(), reached }
}

#[test]
fn a_taken_port_and_a_question_that_was_not_sent_are_problems() {
    let (what, advice) = problem(search, &searched(Search::PortTaken("Address already in use".to_owned())));
    assert!(what.contains("UDP port 5353 is taken") && advice.contains("ss -lunp"), "{what} {advice}");
    let (what, _) = problem(search, &searched(Search::NotSent("Network is unreachable".to_owned())));
    assert_eq!(what, "nodes cannot be looked for: Network is unreachable");
}

#[test]
fn who_was_heard_is_told_and_silence_is_noted() {
    let facts = searched(Search::Heard(vec![heard(Some("Army1"), Some(true)), heard(Some("Navy1"), None)]));
    assert_eq!(search(&facts), [Finding::good("mdns", "heard Army1, Navy1")]);
    assert_eq!(unreached(&facts), []);
    let silence = search(&searched(Search::Heard(Vec::new())));
    assert!(matches!(silence.as_slice(), [Finding { level: Level::Note, .. }]), "{silence:?}");
}

#[test]
fn nodes_that_the_roster_does_not_know_are_told_as_another_unit_or_a_newer_roster() {
    let mut facts = searched(Search::Heard(vec![heard(None, None), heard(None, None), heard(Some("Army1"), None)]));
    facts.home.roster = Some((7, 0));
    let [Finding { level: Level::Note, what, advice: Some(advice), .. }] = &strangers(&facts)[..] else { panic!() };
    assert_eq!(what, "2 nodes were heard that this home's roster does not know");
    assert!(advice.contains("another unit") && advice.contains("version 7"), "{advice}");
    assert_eq!(strangers(&searched(Search::Heard(vec![heard(Some("Army1"), None)]))), []);
}

#[test]
fn a_member_that_is_heard_and_takes_no_connection_points_at_a_firewall() {
    let facts = searched(Search::Heard(vec![heard(Some("Army1"), Some(false)), heard(None, Some(false))]));
    let (what, advice) = problem(unreached, &facts);
    assert_eq!(what, "Army1 can be heard, but takes no connection");
    assert!(advice.contains("firewall"), "{advice}");
}

#[test]
fn each_hindrance_of_listening_is_told_unless_a_node_runs() {
    let hindrances =
        [Hindrance::InUse, Hindrance::NotOurs, Hindrance::NotAllowed, Hindrance::Other("no more sockets".to_owned())];
    let listen = hindrances
        .map(|hindrance| Listen { address: "/ip4/192.0.2.9/tcp/4001".parse().unwrap(), hindrance: Some(hindrance) });
    let facts = Facts { listen: listen.to_vec(), ..with_eth0(|_| {}) };
    let told: Vec<String> = listening(&facts).into_iter().map(|found| found.what).collect();
    let expected = ["in use by another program", "not an address of this device", "may not listen", "no more sockets"];
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected) && told.contains("/ip4/192.0.2.9/tcp/4001"), "{told}");
    }
    let running = Facts { node: NodeFacts::Mute("busy".to_owned()), ..facts };
    assert_eq!(listening(&running), []);
}

#[test]
fn each_outcome_of_dialling_is_told() {
    let outcomes =
        [Outcome::Taken, Outcome::Refused, Outcome::Silence, Outcome::NoWay, Outcome::NoName, Outcome::Untried];
    let dialling = outcomes.map(|outcome| Dialled { address: "/ip4/192.0.2.9/tcp/4001".parse().unwrap(), outcome });
    let told = dialled(&Facts { dialled: dialling.to_vec(), ..with_eth0(|_| {}) });
    let levels: Vec<Level> = told.iter().map(|found| found.level).collect();
    assert_eq!(levels, [&[Level::Good][..], &[Level::Problem; 4]].concat());
}

#[test]
fn a_system_whose_interfaces_are_not_known_is_not_called_broken() {
    let found = examine(&Facts { mdns: true, ..Facts::default() });
    assert!(found.iter().all(|finding| finding.level != Level::Problem), "{found:?}");
}
