//! What a member can do with its role key and a client of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use muster::engine::hello::{Request, Response};
use muster::engine::policy::{AUTHOR_BURST, AUTHOR_RATE_PER_S};
use muster_keys::Identity;
use muster_roles::{Roster, Timestamp};
use serde_bytes::Bytes;

use super::attack::{Attack, Word};
use super::claim::Claim;
use super::field::{Target, navy, now_ms, roster_at, stranger};
use super::stored::stored;
use crate::forge::Forged;
use crate::raw::gossip::topic;
use crate::raw::{GOSSIP, HELLO, Manner, Raw, hello, in_step};

/// What a node takes in of one connection: MiB at once and a second, and streams that the other end opens.
const MIB_PER_S: usize = 16;
const STREAMS_AT_ONCE: usize = 64;
const STREAMS_PER_S: usize = 100;

/// What may be on its way and unread, in MiB: in the buffers of two sockets, and the windows of a connection.
const UNREAD_MIB: usize = 20;

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Records in a message of the largest size.
pub(crate) const BATCH: usize = 90;

pub(crate) const FLOOD: Attack = attack("gossip beyond its tokens", |t, w| flood(t, w).boxed());
pub(crate) const REPLAY: Attack = attack("old and known records, again and again", |t, w| replay(t, w).boxed());
pub(crate) const INVALID: Attack = attack("records with broken signatures", |t, w| invalid(t, w).boxed());
pub(crate) const UNEXPLAINED: Attack = attack("records by a roster nobody has", |t, w| unexplained(t, w).boxed());
pub(crate) const OVERSIZE: Attack = attack("gossip messages beyond their size", |t, w| oversize(t, w).boxed());
pub(crate) const TOPICS: Attack = attack("thousands of topics", |t, w| topics(t, w).boxed());
pub(crate) const CLAIMS: Attack = attack("claims to have messages", |t, w| claims(t, w).boxed());
pub(crate) const QUESTIONS: Attack = attack("hellos and fetches without end", |t, w| questions(t, w).boxed());
pub(crate) const FORGERY: Attack = attack("forged documents, and an older roster", |t, w| forgery(t, w).boxed());

const fn attack(name: &'static str, run: fn(Arc<Target>, Word) -> BoxFuture<'static, Vec<Claim>>) -> Attack {
    Attack { name, by: "member", run, at_least: Duration::ZERO }
}

/// A node took in no more of one connection than so many bytes a second.
fn paced(bytes: usize, began: Instant) -> Claim {
    let most = UNREAD_MIB + MIB_PER_S * (began.elapsed().as_secs() as usize + 1);
    Claim::at_most("MiB of it that were taken in", most, bytes / 1024 / 1024)
}

/// A node took in no more streams than it takes in a second.
pub(crate) fn taken(streams: usize, began: Instant) -> Claim {
    let most = STREAMS_AT_ONCE + STREAMS_PER_S * (began.elapsed().as_secs() as usize + 1);
    Claim::at_most("streams that it was let open", most, streams)
}

/// Makes records of the first hostile member, so many milliseconds old, each another.
pub(crate) fn records(target: &Target, count: usize, age_ms: u64) -> Vec<Vec<u8>> {
    let author = &target.members[0];
    let time = Timestamp::from_ms(now_ms() - age_ms);
    let record = |seq: usize| forged(&target.roster, author, author, time, seq).record();
    (1..=count).map(record).collect()
}

fn forged<'a>(
    roster: &'a Roster,
    author: &'a Identity,
    signer: &'a Identity,
    time: Timestamp,
    seq: usize,
) -> Forged<'a> {
    Forged { roster, signer, author, group: navy(), time, seq: seq as u64, kind: 0, precedence: 0 }
}

/// Packs records into a gossip message.
pub(crate) fn packed(records: &[Vec<u8>]) -> Vec<u8> {
    serde_cbor::to_vec(&records.iter().map(|record| Bytes::new(record)).collect::<Vec<_>>()).unwrap()
}

/// Publishes messages as fast as they are taken, until then; returns how many.
async fn publish_all(target: &Target, messages: impl IntoIterator<Item = Vec<u8>>, until: Instant) -> usize {
    let mut sent = 0;
    let mut link = None;
    for message in messages {
        if Instant::now() >= until {
            break;
        }
        let (_, gossip) = match &mut link {
            Some(link) => link,
            none => {
                let raw = Raw::connect(&target.members[0], &target.address).await;
                let Ok(gossip) = raw.try_join(&target.roster).await else { continue };
                none.insert((raw, gossip))
            }
        };
        let published = tokio::time::timeout_at(until.into(), gossip.publish(&navy(), &message)).await;
        match published {
            Ok(Ok(())) => sent += 1,
            // Thrown out: it comes again.
            Ok(Err(_)) => {
                link = None;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(_) => break,
        }
    }
    sent
}

async fn flood(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let messages: Vec<_> = records(&target, 400 * BATCH, 0).chunks(BATCH).map(packed).collect();
    let began = Instant::now();
    let until = word.wait().await;
    let sent = publish_all(&target, messages, until).await * BATCH;
    tokio::time::sleep_until(until.into()).await;
    let tokens = AUTHOR_BURST + AUTHOR_RATE_PER_S * (began.elapsed().as_secs() + 1);
    let stored = stored(&target, &navy()).await;
    vec![
        Claim::at_most(&format!("stored of {sent} records: the tokens,"), tokens as usize, stored),
        Claim::so("it brought more than it has tokens for", sent > tokens as usize),
    ]
}

async fn replay(target: Arc<Target>, word: Word) -> Vec<Claim> {
    const GENUINE: usize = 500;
    let genuine = records(&target, GENUINE, 0);
    let old = records(&target, 2000, WEEK_MS + 60_000);
    let first: Vec<_> = genuine.chunks(BATCH).map(packed).collect();
    let until = word.wait().await;
    publish_all(&target, first, until).await;
    // Every message is another selection of the same records, which gossip cannot know by its id.
    let again = (0_usize..).map(|n| {
        let from = if n % 2 == 0 { &genuine } else { &old };
        let pick = |k: usize| from[(n * 31 + k * (1 + n % 7)) % from.len()].clone();
        packed(&(0..BATCH).map(pick).collect::<Vec<_>>())
    });
    let (began, len) = (Instant::now(), packed(&genuine[..BATCH]).len());
    let sent = publish_all(&target, again, until).await;
    tokio::time::sleep_until(until.into()).await;
    let paced = paced(sent * len, began);
    let stored = stored(&target, &navy()).await;
    vec![Claim::at_most(&format!("stored after {sent} messages of them: the first,"), GENUINE, stored), paced]
}

async fn invalid(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let time = Timestamp::from_ms(now_ms());
    let forger = stranger(1);
    let record = |seq: usize| forged(&target.roster, &target.members[1], &forger, time, seq).record();
    let messages: Vec<_> = (0..20_000).map(record).collect::<Vec<_>>().chunks(10).map(packed).collect();
    let until = word.wait().await;
    publish_all(&target, messages, until).await;
    tokio::time::sleep_until(until.into()).await;
    vec![Claim::at_most("stored", 0, stored(&target, &navy()).await)]
}

async fn unexplained(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let author = &target.members[0];
    let time = Timestamp::from_ms(now_ms());
    let record = |seq: usize| forged(&target.newer, author, author, time, seq).record();
    let messages: Vec<_> = (0..20_000).map(record).collect::<Vec<_>>().chunks(BATCH).map(packed).collect();
    let until = word.wait().await;
    publish_all(&target, messages, until).await;
    tokio::time::sleep_until(until.into()).await;
    vec![Claim::at_most("stored", 0, stored(&target, &navy()).await)]
}

async fn oversize(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let big = vec![0x5a; 1024 * 1024];
    let until = word.wait().await;
    let raw = Raw::connect(&target.members[0], &target.address).await;
    let mut refused = 0;
    while Instant::now() < until {
        if let Ok(Ok(mut gossip)) = tokio::time::timeout_at(until.into(), raw.try_join(&target.roster)).await {
            while tokio::time::timeout_at(until.into(), gossip.publish(&navy(), &big))
                .await
                .is_ok_and(|sent| sent.is_ok())
            {}
            refused += 1;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    vec![
        Claim::so("the stream is closed at the first", refused > 0),
        Claim::at_most("stored", 0, stored(&target, &navy()).await),
    ]
}

async fn topics(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let unit = target.roster.unit();
    let junk: Vec<String> = (0..5000).map(|n| format!("anything/{n}")).collect();
    let unheard_of: Vec<String> = (0..5000).map(|n| topic(unit, &format!("troop{n}").parse().unwrap())).collect();
    let until = word.wait().await;
    let raw = Raw::connect(&target.members[0], &target.address).await;
    let mut gossip = raw.join_mesh(&target.roster).await;
    let mut sent = 0;
    while Instant::now() < until {
        // All in one message, and a few at a time.
        for topics in junk.chunks(1000).chain(unheard_of.chunks(60)) {
            let subscribed = tokio::time::timeout_at(until.into(), gossip.subscribe(topics)).await;
            if !subscribed.is_ok_and(|sent| sent.is_ok()) {
                break;
            }
            sent += topics.len();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    vec![Claim::so("thousands were asked for", sent > 5000)]
}

async fn claims(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let raw = Raw::connect(&target.members[0], &target.address).await;
    let mut gossip = raw.join_mesh(&target.roster).await;
    let (began, mut next) = (Instant::now(), 0_u64);
    while Instant::now() < until {
        let ids: Vec<[u8; 20]> = (0..400).map(|n| id(next + n)).collect();
        next += 400;
        let said = tokio::time::timeout_at(until.into(), gossip.have(&navy(), &ids)).await;
        if !said.is_ok_and(|said| said.is_ok()) {
            break;
        }
        tokio::task::yield_now().await;
    }
    // Each is named in 20 bytes, a tag and a length.
    vec![Claim::so("some were heard of", next > 0), paced(22 * next as usize, began)]
}

fn id(n: u64) -> [u8; 20] {
    let mut id = [0xcc; 20];
    id[..8].copy_from_slice(&n.to_le_bytes());
    id
}

async fn questions(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let began = Instant::now();
    let raw = Raw::connect(&target.members[0], &target.address).await;
    let _gossip = raw.join_mesh(&target.roster).await;
    let fetch = Request::Fetch { have: Default::default() }.encode();
    let oversize = vec![0x9f; 1024 * 1024];
    let (mut asked, mut answered) = (0, 0);
    while Instant::now() < until {
        let ask = async {
            let answers = futures::join!(raw.ask(&fetch), raw.ask(&fetch), raw.ask(&oversize));
            usize::from(!answers.0.is_empty()) + usize::from(!answers.1.is_empty()) + usize::from(!answers.2.is_empty())
        };
        let Ok(count) = tokio::time::timeout_at(until.into(), ask).await else { break };
        asked += 3;
        answered += count;
    }
    let windows = began.elapsed().as_secs() as usize / 10 + 1;
    let answered = Claim::at_most(&format!("answered of {asked} requests: 64 in 10 s,"), 64 * windows, answered);
    vec![answered, taken(asked, began)]
}

/// Documents that are no good: unsigned, by another hand, of another unit, damaged, and an older state of the same roster.
fn bad_documents(target: &Target) -> Vec<Vec<u8>> {
    let genuine: Vec<Vec<u8>> = target.roster.documents().map(|(_, bytes)| bytes.to_vec()).collect();
    let (name, chief) = (target.roster.unit_name().parse().unwrap(), "Chief".parse().unwrap());
    let (now, troops) = (Timestamp::from_ms(now_ms()), ["navy:n".parse().unwrap()]);
    let mut bad = muster_roles::found(&name, &chief, &target.members[0], &troops, now).unwrap();
    let newest = genuine.last().unwrap();
    bad.extend((1..8).map(|nth| {
        let mut bent = newest.clone();
        let at = bent.len() * nth / 8;
        bent[at] ^= 1;
        bent
    }));
    bad.push(newest[..newest.len() / 2].to_vec());
    bad.push([newest.as_slice(), b"\0"].concat());
    // The first documents that there ever were.
    bad.extend(genuine.into_iter().take(4));
    bad
}

async fn forgery(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let documents = bad_documents(&target);
    let offered = documents.clone();
    let answer = move |_, request: Vec<u8>| {
        let response = match Request::decode(&request) {
            Ok(Request::Fetch { .. }) => Response::Documents(offered.clone()),
            _ => in_step(&request),
        };
        async move { Some(response.encode()) }.boxed()
    };
    let until = word.wait().await;
    let manner = Manner { answer: Arc::new(answer), ..Manner::default() };
    let raw = Raw::connect_with(&target.members[0], &target.address, manner).await;
    let _gossip = raw.join_mesh(&target.roster).await;
    let mut offers = 0_u8;
    while Instant::now() < until {
        // Each time another digest, so that each time it may be worth a fetch.
        offers = offers.wrapping_add(1);
        let hello = hello(&target.roster, [offers; 32]);
        let news = Request::News { hello, documents: documents.iter().take(8).cloned().collect() };
        tokio::time::timeout_at(until.into(), raw.ask(&news.encode())).await.ok();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let third = Raw::connect(&target.members[1], &target.address).await;
    let now = third.answer(&Request::Hello(hello(&target.roster, target.roster.digest()))).await;
    let Response::Hello { hello: now, .. } = now else { panic!("no hello") };
    let kept = roster_at(target.home.join("roster.cbor"));
    vec![
        Claim::so("the roster in force stays", now.roster_digest == target.roster.digest()),
        Claim::so("and so does the one on disk", kept.digest() == target.roster.digest()),
    ]
}

/// Opens streams and says one byte a time over them, as slowly as keeps them alive.
pub(crate) async fn drip(raw: &Raw, protocol: libp2p::StreamProtocol, streams: usize, until: Instant) -> usize {
    use futures::AsyncWriteExt;
    let mut open = Vec::new();
    let mut opened = 0;
    while Instant::now() < until && !raw.is_closed() {
        while open.len() < streams {
            let Ok(Ok(stream)) = tokio::time::timeout_at(until.into(), raw.open(protocol.clone())).await else { break };
            open.push(stream);
            opened += 1;
        }
        let mut left = Vec::new();
        for mut stream in open {
            let written = async {
                stream.write_all(&[0]).await?;
                stream.flush().await
            };
            if tokio::time::timeout_at(until.into(), written)
                .await
                .is_ok_and(|written: std::io::Result<()>| written.is_ok())
            {
                left.push(stream);
            }
        }
        open = left;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    opened
}

pub(crate) const SLOW_HELLO: Attack = attack("one byte at a time: hello, gossip", |t, w| slow_hello(t, w).boxed());

async fn slow_hello(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let raw = Raw::connect(&target.members[0], &target.address).await;
    let _gossip = raw.join_mesh(&target.roster).await;
    let (hellos, gossips) = futures::join!(drip(&raw, HELLO, 16, until), drip(&raw, GOSSIP, 4, until));
    vec![Claim::so("streams were opened", hellos + gossips > 0)]
}
