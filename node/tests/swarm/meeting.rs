//! How members come together, and come together again.

use std::time::{Duration, Instant};

use libp2p::multiaddr::Protocol;
use muster::control::Found;

use super::node::{Node, QUIC, TCP, config};
use super::proxy::Wire;
use super::unit::{NOON, Unit, group, identity};

/// How soon a node that has restarted must be heard again.
const AGAIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_member_added_lately_is_let_in_by_a_node_that_has_not_heard_of_it() {
    for new_one_dials in [true, false] {
        let (old, new) = (identity(1, 1), identity(1, 2));
        let mut unit = Unit::found(1);
        unit.add_soldier("Army1", "army", &old);
        let old_roster = unit.now();
        unit.add_soldier("Army2", "army", &new);
        let (old, new) = if new_one_dials {
            let old = Node::start(&old, old_roster, &[]);
            let new = Node::start(&new, unit.now(), &[old.address().await]);
            (old, new)
        } else {
            let new = Node::start(&new, unit.now(), &[]);
            (Node::start(&old, old_roster, &[new.address().await]), new)
        };
        new.says(&group("army"), b"hello from the new one").await;
        old.hears(b"hello from the new one").await;
        old.says(&group("army"), b"welcome").await;
        new.hears(b"welcome").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_a_roster_reaches_nodes_that_never_met_its_bearer() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add_soldier("Army2", "army", &identity(1, 2));
    let before = unit.now();
    let middle = Node::start(&identity(1, 1), before.clone(), &[]);
    let far = Node::start(&identity(1, 2), before, &[middle.address().await]);
    far.meets(&middle).await;
    unit.add_soldier("Army3", "army", &identity(1, 3));
    let digest = unit.now().digest();
    let bearer = Node::start(&identity(1, 3), unit.now(), &[middle.address().await]);
    for node in [&middle, &far] {
        node.wait("the newest roster", |seen| (seen.roster.as_ref()?.digest() == digest).then_some(())).await;
    }
    bearer.says(&group("army"), b"all know me now").await;
    far.hears(b"all know me now").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_do_not_know_each_other_meet_only_through_a_third() {
    let mut unit = Unit::found(1);
    let founded = unit.now();
    unit.add_soldier("Army1", "army", &identity(1, 1));
    let for_first = unit.now();
    let mut other = Unit { chief: identity(1, 0), roster: (*founded).clone() };
    other.add_soldier("Navy1", "navy", &identity(1, 2));
    let for_second = other.now();
    for (_, document) in other.roster.documents() {
        // What has been superseded meanwhile is refused.
        unit.roster.accept(document, NOON).ok();
    }
    let first = Node::start(&identity(1, 1), for_first, &[]);
    let second = Node::start(&identity(1, 2), for_second, &[first.address().await]);
    // Each learns from the chief, whom both know and who knows both.
    let chief = Node::start(&identity(1, 0), unit.now(), &[first.address().await, second.address().await]);
    first.meets(&second).await;
    second.meets(&first).await;
    let whole = unit.roster.digest();
    for node in [&first, &second] {
        node.meets(&chief).await;
        let digests = node.with_seen(|seen| {
            seen.ups.iter().filter(|(key, _)| *key != chief.key).map(|(_, digest)| *digest).collect::<Vec<_>>()
        });
        assert!(digests.iter().all(|digest| *digest == whole));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_meet_know_each_other_s_clocks() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add_soldier("Army2", "army", &identity(1, 2));
    let first = Node::start(&identity(1, 1), unit.now(), &[]);
    let second = Node::start(&identity(1, 2), unit.now(), &[first.address().await]);
    for (node, other) in [(&first, &second), (&second, &first)] {
        let (_, theirs_ms, ours_ms) =
            node.wait("a clock", |seen| seen.clocks.iter().find(|(member, ..)| *member == other.key).copied()).await;
        // It is the same machine's; what lies between is half of a round trip.
        assert!(theirs_ms.abs_diff(ours_ms) < 5_000, "{theirs_ms} and {ours_ms}");
        let known = node.with_seen(|seen| seen.ups.iter().any(|(member, _)| *member == other.key));
        assert!(known, "told once it is connected, not before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_shut_out_at_once() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add_soldier("Army2", "army", &identity(1, 2));
    let before = unit.now();
    let stays = Node::start(&identity(1, 1), before.clone(), &[]);
    let goes = Node::start(&identity(1, 2), before, &[stays.address().await]);
    stays.meets(&goes).await;
    goes.meets(&stays).await;
    unit.remove("Army2");
    stays.adopt(unit.now()).await;
    for node in [&stays, &goes] {
        node.wait_within(Duration::from_secs(2), "the end", |seen| seen.up.is_empty().then_some(())).await;
    }
    // It is told why: the document that removed it comes as the last word.
    let digest = unit.now().digest();
    goes.wait("its removal", |seen| (seen.roster.as_ref()?.digest() == digest).then_some(())).await;
    let secret = b"not for Army2";
    stays.says_unheard(&group("army"), secret).await;
    assert!(!goes.has_heard(secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_is_connected_when_it_is_admitted_is_let_in_at_once() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    let before = unit.now();
    let node = Node::start(&identity(1, 1), before.clone(), &[]);
    // It knows the unit as it was, in which it is nobody.
    let new = Node::start(&identity(1, 2), before, &[node.address().await]);
    new.wait("a connection", |seen| (!seen.listening.is_empty()).then_some(())).await;
    unit.add_soldier("Army2", "army", &identity(1, 2));
    node.adopt(unit.now()).await;
    node.meets(&new).await;
    new.meets(&node).await;
    let digest = unit.now().digest();
    new.wait("the roster", |seen| (seen.roster.as_ref()?.digest() == digest).then_some(())).await;
    new.says(&group("army"), b"in at last").await;
    node.hears(b"in at last").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_everyone_along_a_row_at_once() {
    let mut unit = Unit::found(1);
    for member in 1..=6 {
        unit.add_soldier(&format!("Army{member}"), "army", &identity(1, member));
    }
    // Each knows the address of the one before only, and tells none of its own.
    let mut nodes = vec![Node::start(&identity(1, 1), unit.now(), &[])];
    for member in 2..=6 {
        let dial = [nodes.last().unwrap().address().await];
        nodes.push(Node::start(&identity(1, member), unit.now(), &dial));
    }
    for pair in nodes.windows(2) {
        pair[0].meets(&pair[1]).await;
        pair[1].meets(&pair[0]).await;
    }
    unit.remove("Army6");
    let changed = Instant::now();
    nodes[0].adopt(unit.now()).await;
    let digest = unit.now().digest();
    for node in &nodes {
        node.wait("the change", |seen| (seen.roster.as_ref()?.digest() == digest).then_some(())).await;
    }
    assert!(changed.elapsed() < Duration::from_secs(2), "took {:?}", changed.elapsed());
    let gone = nodes[5].key;
    for node in &nodes[..5] {
        node.wait("its end", |seen| (!seen.up.contains(&gone)).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_s_name_does_as_well_as_its_address() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add_soldier("Army2", "army", &identity(1, 2));
    let first = Node::with(config(&[TCP, QUIC], &[]), &identity(1, 1), unit.now());
    let both = first.wait("both transports", |seen| (seen.listening.len() == 2).then(|| seen.listening.clone())).await;
    for address in both {
        // Every system says where this name leads, without a network.
        let by_name = address.replace(0, |_| Some(Protocol::Dns4("localhost".into()))).unwrap();
        let second = Node::with(config(&[TCP, QUIC], &[by_name]), &identity(1, 2), unit.now());
        second.meets(&first).await;
        let found = second.wait("how it was found", |seen| seen.found.get(&first.key).cloned()).await;
        assert!(found.contains(&Found::Dial) && !found.contains(&Found::Multicast), "{found:?}");
        let found = first.wait("how it was found", |seen| seen.found.get(&second.key).cloned()).await;
        assert!(!found.contains(&Found::Dial), "it was not this one that dialled: {found:?}");
        second.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_own_name_it_is_told_to_dial_does_not_mind() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add_soldier("Army2", "army", &identity(1, 2));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let by_name = format!("/dns4/localhost/tcp/{port}").parse().unwrap();
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    let first = Node::with(config(&[listen.as_str()], &[by_name]), &identity(1, 1), unit.now());
    let second = Node::start(&identity(1, 2), unit.now(), &[first.address().await]);
    second.meets(&first).await;
    first.meets(&second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_enough_to_meet_everyone() {
    let mut unit = Unit::found(1);
    for member in 1..=4 {
        unit.add_soldier(&format!("Army{member}"), "army", &identity(1, member));
    }
    let first = Node::start(&identity(1, 1), unit.now(), &[]);
    let address = first.address().await;
    let others: Vec<Node> =
        (2..=4).map(|member| Node::start(&identity(1, member), unit.now(), std::slice::from_ref(&address))).collect();
    for node in &others {
        node.meets(&first).await;
        for other in others.iter().filter(|other| other.key != node.key) {
            node.meets(other).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_dial_each_other_at_the_same_moment_always_meet() {
    for listen in [&[TCP][..], &[QUIC], &[TCP, QUIC]] {
        for round in 0..20 {
            let mut unit = Unit::found(1);
            let (one, two) = (identity(1, 1), identity(1, 2));
            unit.add_soldier("Army1", "army", &one);
            unit.add_soldier("Army2", "army", &two);
            // Ports that are free now, so that each knows the other's beforehand.
            let (here, there) = (free_addresses(listen), free_addresses(listen));
            let start = |identity, own: &[String], others: &[String]| {
                let own: Vec<&str> = own.iter().map(String::as_str).collect();
                let others: Vec<_> = others.iter().map(|address| address.parse().unwrap()).collect();
                Node::with(config(&own, &others), identity, unit.now())
            };
            let first = start(&one, &here, &there);
            let second = start(&two, &there, &here);
            let limit = Duration::from_secs(5);
            let message = format!("round {round}").into_bytes();
            let spoken = async {
                first.says(&group("army"), &message).await;
                second.hears(&message).await;
                second.says(&group("army"), b"back").await;
                first.hears(b"back").await;
            };
            tokio::time::timeout(limit, spoken).await.unwrap_or_else(|_| panic!("{listen:?}, round {round}"));
        }
    }
}

fn free_addresses(listen: &[&str]) -> Vec<String> {
    listen
        .iter()
        .map(|address| {
            let port = if address.contains("/tcp/") {
                std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
            } else {
                std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
            };
            address.replace("/0", &format!("/{port}"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_restarts_behind_a_dead_connection_is_heard_again_within_seconds() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add_soldier("Army2", "army", &identity(1, 2));
    let stays = Node::start(&identity(1, 1), unit.now(), &[]);
    let wire = Wire::to(&stays.address().await).await;
    let before = Node::start(&identity(1, 2), unit.now(), std::slice::from_ref(&wire.address));
    before.says(&group("army"), b"before").await;
    stays.hears(b"before").await;
    // As if the power had gone: its peer's connection stays as it was.
    wire.cut();
    drop(before);
    let restarted = Instant::now();
    let after = Node::start(&identity(1, 2), unit.now(), &[stays.address().await]);
    after.says(&group("army"), b"after").await;
    stays.hears(b"after").await;
    stays.says(&group("army"), b"welcome back").await;
    after.hears(b"welcome back").await;
    assert!(restarted.elapsed() < AGAIN, "took {:?}", restarted.elapsed());
    let ups = stays.with_seen(|seen| seen.ups.iter().filter(|(key, _)| *key == after.key).count());
    assert_eq!(ups, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_and_started_is_heard_again_within_seconds() {
    for transport in [TCP, QUIC] {
        let mut unit = Unit::found(1);
        unit.add_soldier("Army1", "army", &identity(1, 1));
        unit.add_soldier("Army2", "army", &identity(1, 2));
        let stays = Node::with(config(&[transport], &[]), &identity(1, 1), unit.now());
        let address = stays.address().await;
        for round in 0..3 {
            let started = Instant::now();
            let node = Node::with(config(&[transport], std::slice::from_ref(&address)), &identity(1, 2), unit.now());
            let message = format!("round {round}").into_bytes();
            node.says(&group("army"), &message).await;
            stays.hears(&message).await;
            let answer = format!("answer {round}").into_bytes();
            stays.says(&group("army"), &answer).await;
            node.hears(&answer).await;
            assert!(started.elapsed() < AGAIN, "{transport}, round {round}: took {:?}", started.elapsed());
            drop(node);
        }
    }
}
