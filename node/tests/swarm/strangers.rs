//! What somebody who is no member gets, and does not get.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use libp2p_stream::OpenStreamError;
use muster::engine::hello::{Request, Response};

use super::node::Node;
use super::stranger;
use super::unit::{Unit, group, identity};
use crate::raw::{GOSSIP, Raw, hello};

/// A stranger's connection lasts no longer.
const LIMIT: Duration = Duration::from_secs(10);

/// Strangers at a time.
const MAX_STRANGERS: usize = 16;

/// So many more come in the test.
const BEYOND: usize = 4;

/// A node of a unit with some members, and the unit.
fn node() -> (Node, Unit) {
    let mut unit = Unit::found(1);
    unit.add_soldier("Army1", "army", &identity(1, 1));
    unit.add_soldier("Army2", "army", &identity(1, 2));
    (Node::start(&identity(1, 1), unit.now(), &[]), unit)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_a_hello_and_nothing_else_and_is_closed() {
    let (node, unit) = node();
    let connected = Instant::now();
    let mut stranger = Raw::connect(&identity(9, 9), &node.address().await).await;
    let bytes = stranger.ask(&Request::Hello(hello(&unit.roster, [7; 32])).encode()).await;
    let Response::Hello { hello: told, admitted } = Response::decode(&bytes).unwrap() else { panic!("no hello") };
    assert!(!admitted);
    assert_eq!((told.unit, told.roster_digest), (unit.roster.unit(), unit.roster.digest()));
    assert!(told.listen.is_empty() && told.peers.is_empty());
    let fetch = Request::Fetch { have: Default::default() };
    let refusal = stranger.ask(&fetch.encode()).await;
    assert_eq!(Response::decode(&refusal).unwrap(), Response::Refused);
    for answer in [&bytes, &refusal] {
        for member in unit.roster.members() {
            assert!(!contains(answer, member.name.as_str().as_bytes()));
            assert!(!contains(answer, member.key.as_bytes()));
        }
        for group in unit.roster.groups() {
            assert!(!contains(answer, group.as_str().as_bytes()));
        }
        assert!(!contains(answer, unit.roster.unit_name().as_bytes()));
    }
    assert!(matches!(stranger.open(GOSSIP).await, Err(OpenStreamError::UnsupportedProtocol(_))));
    stranger.closed_within(LIMIT.saturating_sub(connected.elapsed())).await;
    assert!(node.with_seen(|seen| seen.ups.is_empty()));
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_says_nothing_is_closed_too() {
    let (node, _) = node();
    let mut stranger = Raw::connect(&identity(9, 9), &node.address().await).await;
    stranger.closed_within(LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_asks_on_and_on_is_closed_early() {
    let (node, unit) = node();
    let mut stranger = Raw::connect(&identity(9, 9), &node.address().await).await;
    let request = Request::Hello(hello(&unit.roster, unit.roster.digest()));
    for _ in 0..8 {
        stranger.answer(&request).await;
    }
    assert!(stranger.ask(&request.encode()).await.is_empty());
    stranger.closed_within(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_in_place_of_a_hello_harms_nobody() {
    let (node, unit) = node();
    let stranger = Raw::connect(&identity(9, 9), &node.address().await).await;
    for junk in [vec![], vec![0xff; 10], vec![0x9f; 70_000], b"/muster/hello/1".to_vec()] {
        assert!(stranger.ask(&junk).await.is_empty());
    }
    stranger.answer(&Request::Hello(hello(&unit.roster, [7; 32]))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_strangers_and_no_more_are_there_at_once_and_members_still_get_in() {
    let (node, unit) = node();
    let address = node.address().await;
    let started = Instant::now();
    let mut strangers = Vec::new();
    for number in 0..MAX_STRANGERS + BEYOND {
        strangers.push(Raw::connect(&identity(9, u8::try_from(number).unwrap()), &address).await);
    }
    // Those beyond the limit are closed at once: the newest, by the order in which the node saw them.
    let ends: FuturesUnordered<_> = strangers.iter_mut().map(|stranger| stranger.closed_within(LIMIT)).collect();
    tokio::time::timeout(Duration::from_secs(3), ends.take(BEYOND).collect::<()>()).await.unwrap();
    let mut rest: Vec<_> = strangers.into_iter().filter(|stranger| !stranger.is_closed()).collect();
    assert_eq!(rest.len(), MAX_STRANGERS);
    let member = Node::start(&identity(1, 2), unit.now(), &[address]);
    member.says(&group("army"), b"through the crowd").await;
    node.hears(b"through the crowd").await;
    let request = Request::Hello(hello(&unit.roster, unit.roster.digest()));
    for stranger in &rest {
        stranger.answer(&request).await;
    }
    let left = LIMIT - started.elapsed();
    join_all(rest.iter_mut().map(|stranger| stranger.closed_within(left))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_unit_is_refused() {
    let (node, _) = node();
    let mut other = Unit::found(2);
    other.add_soldier("Army1", "army", &identity(2, 1));
    let theirs = Node::start(&identity(2, 1), other.now(), &[node.address().await]);
    let mut stranger = Raw::connect(&identity(2, 0), &node.address().await).await;
    let answer = stranger.answer(&Request::Hello(hello(&other.roster, [7; 32]))).await;
    assert_eq!(answer, Response::Refused);
    stranger.closed_within(Duration::from_secs(2)).await;
    for node in [&node, &theirs] {
        assert!(node.with_seen(|seen| seen.ups.is_empty() && seen.refused == 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_documents_are_asked_for_and_taken_by_nobody() {
    let (node, unit) = node();
    // The same unit as its chief would write it who has lost the chief's key: signed by somebody else.
    let forger = identity(9, 9);
    let mut documents: Vec<Vec<u8>> = Vec::new();
    let mut forged = Unit::found(9);
    forged.add_soldier("Army1", "army", &identity(9, 1));
    documents.extend(forged.roster.documents().map(|(_, bytes)| bytes.to_vec()));
    // And a true document with one bit turned.
    let mut bent = unit.roster.documents().last().unwrap().1.to_vec();
    let middle = bent.len() / 2;
    bent[middle] ^= 1;
    documents.push(bent);
    let offered = documents.len();

    let (mut stranger, fetches) = stranger::offering(&forger, &node.address().await, documents, None).await;
    stranger.answer(&Request::Hello(hello(&unit.roster, [7; 32]))).await;
    node.wait("the refusal", |seen| (seen.refused == offered).then_some(())).await;
    stranger.closed_within(LIMIT).await;
    assert_eq!(node.with_seen(|seen| seen.roster.as_ref().unwrap().digest()), unit.roster.digest());
    // Between the same two rosters one fetch was enough.
    assert_eq!(fetches.count(), 1);
}

/// Everything by which a unit could be known: names, groups, keys, and what is said.
fn secrets(unit: &Unit, said: &[u8]) -> Vec<Vec<u8>> {
    let members = unit.roster.members();
    let names = members.iter().map(|member| member.name.as_str().as_bytes().to_vec());
    let groups = unit.roster.groups().map(|group| group.as_str().as_bytes().to_vec());
    let keys = members.iter().map(|member| member.key.as_bytes().to_vec());
    names.chain(groups).chain(keys).chain([said.to_vec(), unit.roster.unit_name().as_bytes().to_vec()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_the_bytes_that_reach_a_stranger_none_tells_of_a_name_a_group_or_a_record() {
    let (node, unit) = node();
    let address = node.address().await;
    let member = Node::start(&identity(1, 2), unit.now(), std::slice::from_ref(&address));
    member.meets(&node).await;
    let said = b"nobody's business";
    let connected = Instant::now();
    let mut stranger = Raw::connect(&identity(9, 9), &address).await;
    stranger.answer(&Request::Hello(hello(&unit.roster, [7; 32]))).await;
    stranger.answer(&Request::Fetch { have: Default::default() }).await;
    // It would like to hear everything, and is not even listened to.
    assert!(stranger.open(GOSSIP).await.is_err());
    member.says(&group("army"), said).await;
    node.hears(said).await;
    stranger.closed_within(LIMIT.saturating_sub(connected.elapsed())).await;
    assert!(stranger.heard.len() > 100, "it has heard something: {}", stranger.heard.len());
    for secret in secrets(&unit, said) {
        assert!(!stranger.heard.contains(&secret), "{}", String::from_utf8_lossy(&secret));
    }

    // The same ear finds who is who where it is a member's.
    let insider = Raw::connect(&identity(1, 0), &address).await;
    insider.answer(&Request::Fetch { have: Default::default() }).await;
    // That there are heads goes without saying, and no document does.
    for known in secrets(&unit, b"army").into_iter().filter(|known| *known != b"heads") {
        assert!(insider.heard.contains(&known), "{}", String::from_utf8_lossy(&known));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_in_step_say_hello_in_one_round_trip_and_less_than_a_kilobyte() {
    let mut unit = Unit::found(1);
    for member in 1..=9 {
        unit.add_soldier(&format!("Army{member}"), "army", &identity(1, member));
    }
    let node = Node::start(&identity(1, 1), unit.now(), &[]);
    let address = node.address().await;
    let others: Vec<Node> =
        (2..=8).map(|member| Node::start(&identity(1, member), unit.now(), std::slice::from_ref(&address))).collect();
    for other in &others {
        node.meets(other).await;
    }
    let (peer, fetches) = stranger::offering(&identity(1, 9), &address, Vec::new(), None).await;
    let request = Request::Hello(hello(&unit.roster, unit.roster.digest()));
    let response = peer.ask(&request.encode()).await;
    let Ok(Response::Hello { hello: told, admitted: true }) = Response::decode(&response) else { panic!("not let in") };
    assert_eq!(told.roster_digest, unit.roster.digest());
    assert!((1..=7).contains(&told.peers.len()), "{}", told.peers.len());
    let bytes = request.encode().len() + response.len();
    assert!(bytes < 1024, "{bytes} bytes");
    assert_eq!(fetches.count(), 0);
}
