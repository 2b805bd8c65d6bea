//! What members hear of one another.

use muster::net::Carry;
use muster_roles::Role;

use super::node::{BAD, Node, QUIC, TCP, config};
use super::unit::{Unit, group, identity};
use crate::raw::Raw;
use crate::raw::gossip::{claim, message_id};

#[tokio::test(flavor = "multi_thread")]
async fn two_members_hear_each_other() {
    for transport in [TCP, QUIC] {
        let (one, two) = (identity(1, 1), identity(1, 2));
        let mut unit = Unit::found(1);
        unit.add_soldier("Army1", "army", &one);
        unit.add_soldier("Army2", "army", &two);
        let first = Node::with(config(&[transport], &[]), &one, unit.now());
        let second = Node::with(config(&[transport], &[first.address().await]), &two, unit.now());
        first.says(&group("army"), b"from the one that was dialled").await;
        second.says(&group("army"), b"from the one that dialled").await;
        second.hears(b"from the one that was dialled").await;
        first.hears(b"from the one that dialled").await;
        first.stop().await;
        second.stop().await;
    }
}

/// Three nodes in a row: the outer ones know only the middle one's address, and nobody else tells them.
async fn chain(unit: &Unit, members: [u8; 3], carry: Carry) -> [Node; 3] {
    let [left, middle, right] = members.map(|member| identity(1, member));
    let middle = Node::with(muster::net::Config { carry, ..config(&[TCP], &[]) }, &middle, unit.now());
    let address = middle.address().await;
    // Without an address of their own to tell, the outer ones never meet.
    let outer = |identity| Node::with(config(&[], std::slice::from_ref(&address)), identity, unit.now());
    let (left, right) = (outer(&left), outer(&right));
    middle.has_listeners(&group("army"), 2).await;
    [left, middle, right]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_navy_node_carries_what_two_army_nodes_say() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add_soldier("Navy1", "navy", &identity(1, 2));
    unit.add_soldier("Army2", "army", &identity(1, 3));
    let [left, _middle, right] = chain(&unit, [1, 2, 3], Carry::All).await;
    left.says(&group("army"), b"over the navy").await;
    right.hears(b"over the navy").await;
    right.says(&group("army"), b"and back").await;
    left.hears(b"and back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_carries_every_group_even_when_told_to_carry_its_own() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add("Truck", Role::Carrier, &identity(1, 2));
    unit.add_soldier("Army2", "army", &identity(1, 3));
    let [left, _middle, right] = chain(&unit, [1, 2, 3], Carry::Own).await;
    left.says(&group("army"), b"over the truck").await;
    right.hears(b"over the truck").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_rejects_goes_no_further() {
    let mut unit = Unit::found(1);
    for member in 1..=3 {
        unit.add_soldier(&format!("Army{member}"), "army", &identity(1, member));
    }
    let [left, middle, right] = chain(&unit, [1, 2, 3], Carry::All).await;
    let bad = [BAD, b" record"].concat();
    left.says(&group("army"), &bad).await;
    left.says(&group("army"), b"good record").await;
    right.hears(b"good record").await;
    assert!(middle.has_heard(&bad));
    assert!(!right.has_heard(&bad));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_carries_its_own_groups_only_does_not_hear_others() {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add_soldier("Army2", "army", &identity(1, 2));
    unit.add_soldier("Navy1", "navy", &identity(1, 3));
    let speaker = Node::start(&identity(1, 1), unit.now(), &[]);
    let dial = [speaker.address().await];
    let army = Node::start(&identity(1, 2), unit.now(), &dial);
    let own = muster::net::Config { carry: Carry::Own, ..config(&[TCP], &dial) };
    let navy = Node::with(own, &identity(1, 3), unit.now());
    speaker.has_listeners(&group("army"), 1).await;
    speaker.has_listeners(&group("navy"), 2).await;
    speaker.says(&group("army"), b"army only").await;
    army.hears(b"army only").await;
    speaker.says(&group("navy"), b"navy too").await;
    navy.hears(b"navy too").await;
    assert!(!navy.has_heard(b"army only"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_told_of_to_who_is_not_in_the_mesh_and_a_sign_of_life_is_not() {
    let (one, two) = (identity(1, 1), identity(1, 2));
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &one);
    unit.add_soldier("Army2", "army", &two);
    let node = Node::with(config(&[TCP], &[]), &one, unit.now());
    let raw = Raw::connect(&two, &node.address().await).await;
    let mut gossip = raw.join_mesh(&unit.now()).await;
    let (army, presence) = (gossip.topic(&group("army")), gossip.presence());
    gossip.subscribe(std::slice::from_ref(&presence)).await.unwrap();
    gossip.prune(&[army.clone(), presence.clone()]).await.unwrap();
    gossip.publish_on(&presence, b"a sign of another's life").await.unwrap();
    node.has_listeners(&group("army"), 1).await;
    node.shows_up(b"a sign of the node's own life").await;
    // At the heartbeat that tells of the second text, whatever was told of at the one before has come.
    for text in [b"first", b"later"] {
        node.says(&group("army"), text).await;
        raw.hears(&message_id(&army, text)).await;
    }
    assert!(raw.heard.contains(&claim(&army)));
    assert!(raw.heard.contains(b"a sign of the node's own life"));
    assert!(!raw.heard.contains(&claim(&presence)));
}
