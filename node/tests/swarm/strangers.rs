//! What somebody who is no member gets, and does not get.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use muster::engine::hello::{Request, Response};

use super::node::Node;
use super::stranger::{Stranger, hello};
use super::unit::{Unit, group, identity};

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
    let mut stranger = Stranger::connect(&identity(9, 9), &node.address().await).await;
    let bytes = stranger.answer(&Request::Hello(hello(&unit.roster, [7; 32]))).await;
    let Response::Hello { hello: told, admitted } = Response::decode(&bytes).unwrap() else { panic!("no hello") };
    assert!(!admitted);
    assert_eq!((told.unit, told.roster_digest), (unit.roster.unit(), unit.roster.digest()));
    assert!(told.listen.is_empty() && told.peers.is_empty());
    let fetch = Request::Fetch { have: Default::default() };
    let refusal = stranger.answer(&fetch).await;
    assert_eq!(Response::decode(&refusal).unwrap(), Response::Refused);
    for answer in &stranger.answers {
        for member in unit.roster.members() {
            assert!(!contains(answer, member.name.as_str().as_bytes()));
            assert!(!contains(answer, member.key.as_bytes()));
        }
        for group in unit.roster.groups() {
            assert!(!contains(answer, group.as_str().as_bytes()));
        }
        assert!(!contains(answer, unit.roster.unit_name().as_bytes()));
    }
    stranger.until("no gossip", |stranger| stranger.gossip_refused).await;
    stranger.until_within(LIMIT - connected.elapsed(), "the end", |stranger| stranger.closed).await;
    assert!(node.with_seen(|seen| seen.ups.is_empty()));
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_says_nothing_is_closed_too() {
    let (node, _) = node();
    let mut stranger = Stranger::connect(&identity(9, 9), &node.address().await).await;
    stranger.until_within(LIMIT, "the end", |stranger| stranger.closed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_asks_on_and_on_is_closed_early() {
    let (node, unit) = node();
    let mut stranger = Stranger::connect(&identity(9, 9), &node.address().await).await;
    let request = Request::Hello(hello(&unit.roster, unit.roster.digest()));
    for _ in 0..8 {
        stranger.answer(&request).await;
    }
    stranger.ask(request.encode());
    stranger.until_within(Duration::from_secs(2), "the end", |stranger| stranger.closed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_in_place_of_a_hello_harms_nobody() {
    let (node, unit) = node();
    let mut stranger = Stranger::connect(&identity(9, 9), &node.address().await).await;
    for junk in [vec![], vec![0xff; 10], vec![0x9f; 70_000], b"/muster/hello/1".to_vec()] {
        stranger.ask(junk);
    }
    // A stream that ends without an answer reads as an empty one.
    stranger.until("no answers", |stranger| stranger.unanswered + stranger.answers.len() == 4).await;
    assert!(stranger.answers.iter().all(Vec::is_empty));
    let answer = stranger.answer(&Request::Hello(hello(&unit.roster, [7; 32]))).await;
    assert!(Response::decode(&answer).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_strangers_and_no_more_are_there_at_once_and_members_still_get_in() {
    let (node, unit) = node();
    let address = node.address().await;
    let started = Instant::now();
    let mut strangers = Vec::new();
    for number in 0..MAX_STRANGERS + BEYOND {
        strangers.push(Stranger::connect(&identity(9, u8::try_from(number).unwrap()), &address).await);
    }
    // Those beyond the limit are closed at once: the newest, by the order in which the node saw them.
    let ends: FuturesUnordered<_> =
        strangers.iter_mut().map(|stranger| stranger.until("the end", |stranger| stranger.closed)).collect();
    tokio::time::timeout(Duration::from_secs(3), ends.take(BEYOND).collect::<()>()).await.unwrap();
    let mut rest: Vec<_> = strangers.into_iter().filter(|stranger| !stranger.closed).collect();
    assert_eq!(rest.len(), MAX_STRANGERS);
    let member = Node::start(&identity(1, 2), unit.now(), &[address]);
    member.says(&group("army"), b"through the crowd").await;
    node.hears(b"through the crowd").await;
    let request = Request::Hello(hello(&unit.roster, unit.roster.digest()));
    for stranger in &mut rest {
        stranger.answer(&request).await;
    }
    let left = LIMIT - started.elapsed();
    join_all(rest.iter_mut().map(|stranger| stranger.until_within(left, "the end", |stranger| stranger.closed))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_unit_is_refused() {
    let (node, _) = node();
    let mut other = Unit::found(2);
    other.add_soldier("Army1", "army", &identity(2, 1));
    let theirs = Node::start(&identity(2, 1), other.now(), &[node.address().await]);
    let mut stranger = Stranger::connect(&identity(2, 0), &node.address().await).await;
    let answer = stranger.answer(&Request::Hello(hello(&other.roster, [7; 32]))).await;
    assert_eq!(Response::decode(&answer).unwrap(), Response::Refused);
    stranger.until_within(Duration::from_secs(2), "the end", |stranger| stranger.closed).await;
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

    let mut stranger = Stranger::connect(&forger, &node.address().await).await;
    stranger.documents = documents;
    stranger.answer(&Request::Hello(hello(&unit.roster, [7; 32]))).await;
    stranger.until("a fetch", |stranger| stranger.fetches == 1).await;
    let life = stranger.until_within(LIMIT, "the end", |stranger| stranger.closed);
    let refusal = node.wait("the refusal", |seen| (seen.refused == offered).then_some(()));
    futures::join!(life, refusal);
    assert_eq!(node.with_seen(|seen| seen.roster.as_ref().unwrap().digest()), unit.roster.digest());
    // Between the same two rosters one fetch was enough.
    assert_eq!(stranger.fetches, 1);
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
    let topics: Vec<String> =
        unit.roster.groups().map(|group| format!("/muster/1/{}/{group}", unit.roster.unit())).collect();
    let said = b"nobody's business";
    let connected = Instant::now();
    let mut stranger = Stranger::connect_for(&identity(9, 9), &address, &topics).await;
    stranger.answer(&Request::Hello(hello(&unit.roster, [7; 32]))).await;
    stranger.answer(&Request::Fetch { have: Default::default() }).await;
    member.says(&group("army"), said).await;
    node.hears(said).await;
    stranger.until_within(LIMIT - connected.elapsed(), "the end", |stranger| stranger.closed).await;
    assert!(stranger.heard.len() > 100, "it has heard something: {}", stranger.heard.len());
    for secret in secrets(&unit, said) {
        assert!(!stranger.heard.contains(&secret), "{}", String::from_utf8_lossy(&secret));
    }

    // The same ear finds who is who where it is a member's.
    let mut insider = Stranger::connect_for(&identity(1, 0), &address, &topics).await;
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
    let mut peer = Stranger::connect(&identity(1, 9), &address).await;
    let request = Request::Hello(hello(&unit.roster, unit.roster.digest()));
    let response = peer.answer(&request).await;
    let Ok(Response::Hello { hello: told, admitted: true }) = Response::decode(&response) else { panic!("not let in") };
    assert_eq!(told.roster_digest, unit.roster.digest());
    assert!((1..=7).contains(&told.peers.len()), "{}", told.peers.len());
    let bytes = request.encode().len() + response.len();
    assert!(bytes < 1024, "{bytes} bytes");
    assert_eq!((peer.answers.len(), peer.fetches), (1, 0));
}
