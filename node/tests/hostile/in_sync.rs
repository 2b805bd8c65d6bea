//! What a member can do over the streams of synchronisation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{AsyncReadExt, FutureExt};
use libp2p::Stream;
use muster::engine::floors::Floors;
use muster::engine::sync::{Frame, MAX_WANTED, SyncId};
use muster::engine::wire;
use muster_keys::Identity;
use muster_roles::Timestamp;

use super::attack::{Attack, Word};
use super::by_members::{BATCH, drip, packed, records, taken};
use super::claim::Claim;
use super::field::{Target, navy, now_ms};
use super::stored::stored;
use crate::raw::{Manner, Raw, SYNC, sync};

/// A session that does not get on is ended after 20 s; with the time that beginning and noticing take.
const STALL: Duration = Duration::from_secs(32);

/// What a member may ask in the sessions that it leads, in a second.
const ASKED_KIB: usize = 2048;

/// Frames of the largest size of which that is asked at once.
const AT_ONCE: usize = 17;

pub(crate) const GARBAGE: Attack = attack("garbage in sync", |t, w| garbage(t, w).boxed());
pub(crate) const COSTLY: Attack = attack("rounds of comparing made to be costly", |t, w| costly(t, w).boxed());
pub(crate) const REPEATED: Attack = attack("session after session", |t, w| repeated(t, w).boxed());
pub(crate) const WANTED: Attack = attack("the same records asked for, again and again", |t, w| wanted(t, w).boxed());
pub(crate) const SLOW_SYNC: Attack = attack("one byte at a time: sync", |t, w| slow(t, w).boxed());
pub(crate) const SILENT: Attack =
    Attack { at_least: STALL, ..attack("never an answer in sync", |t, w| silent(t, w).boxed()) };
pub(crate) const EMPTY: Attack =
    Attack { at_least: STALL, ..attack("answers that bring nothing", |t, w| empty(t, w).boxed()) };

const fn attack(name: &'static str, run: fn(Arc<Target>, Word) -> BoxFuture<'static, Vec<Claim>>) -> Attack {
    Attack { name, by: "member", run, at_least: Duration::ZERO }
}

/// Connects the first hostile member.
async fn member(target: &Target, manner: Manner) -> Raw {
    let raw = Raw::connect_with(&target.members[0], &target.address, manner).await;
    let gossip = raw.join_mesh(&target.roster).await;
    // Its gossip stays open for as long as the connection does.
    tokio::spawn(async move {
        let _open = gossip;
        std::future::pending::<()>().await;
    });
    raw
}

fn compare(round: Vec<u8>) -> Frame {
    let to = Timestamp::from_u64(u64::MAX - 1);
    Frame::Compare { group: navy(), from: Floors::NONE, to, round }
}

/// Has the node want to compare with it: it says that the node lacks something.
async fn lure(raw: &Raw, until: Instant) {
    if let Ok(Ok(mut stream)) = tokio::time::timeout_at(until.into(), raw.open(SYNC)).await {
        let _broken = sync::send(&mut stream, &Frame::Behind).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn garbage(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let follow = |mut stream: Stream| {
        async move {
            let _question = sync::receive(&mut stream).await;
            let _broken = sync::send_bytes(&mut stream, &[0xff; 1000]).await;
            while sync::receive(&mut stream).await.is_some() {}
        }
        .boxed()
    };
    let raw = member(&target, Manner { follow: Arc::new(follow), ..Manner::default() }).await;
    let (began, mut refused, mut answered, mut told, mut nth) = (Instant::now(), 0, 0, 0, 0_usize);
    while Instant::now() < until {
        let Ok(Ok(mut stream)) = tokio::time::timeout_at(until.into(), raw.open(SYNC)).await else { continue };
        nth += 1;
        // Bytes that are no frame, a length that none may have, a round cut off in a fingerprint, what nobody waits for,
        // and a round cut off in a number.
        let sent = match nth % 5 {
            0 => sync::send_bytes(&mut stream, &[0x9f; 32 * 1024]).await,
            1 => sync::send_length(&mut stream, u32::MAX).await,
            2 => sync::send(&mut stream, &compare(vec![0x61, 0x00, 0x00, 0x01])).await,
            3 => {
                sync::send(&mut stream, &Frame::Since { group: navy(), from: Floors::at(Timestamp::from_ms(1)) }).await
            }
            _ => sync::send(&mut stream, &compare(vec![0x61, 0xff, 0xff, 0xff])).await,
        };
        let answer = tokio::time::timeout_at(until.into(), sync::receive(&mut stream)).await;
        let Ok(answer) = answer else { break };
        let is_number = nth % 5 == 4;
        refused += usize::from(sent.is_err() || answer.is_none());
        answered += usize::from(!is_number && answer.is_some());
        told += usize::from(is_number && answer.is_some_and(|answer| !tells_nothing(&answer)));
    }
    let taken = taken(nth, began);
    vec![
        Claim::at_most(&format!("answered of {nth}"), 0, answered),
        // Negentropy reads a number that is cut off as if it ended there: here as a range that is to be skipped.
        Claim::at_most("answers to a number cut off that tell something", 0, told),
        Claim::so("sessions end at the first", refused > 6),
        Claim::at_most("stored", 0, stored(&target, &navy()).await),
        taken,
    ]
}

/// Tells whether an answer is a round with no range in it.
fn tells_nothing(answer: &Frame) -> bool {
    matches!(answer, Frame::Compared { round, .. } if round == &[0x61])
}

/// A round of as many ranges as a frame holds, each a millisecond wide, with a fingerprint that fits nothing.
fn tiny_ranges() -> Vec<u8> {
    let mut round = vec![0x61];
    while round.len() < 32_000 {
        // A time one further, no id; a fingerprint.
        round.extend([0x02, 0x00, 0x01]);
        round.extend([0xab; 16]);
    }
    round
}

/// A round that lists as many names as a frame holds, all of a minute ago.
fn many_names() -> Vec<u8> {
    const NAMES: u64 = 950;
    let time = Timestamp::from_ms(now_ms() - 60_000).to_u64();
    let mut round = vec![0x61, 0x00, 0x00, 0x02, 0x80 | (NAMES >> 7) as u8, (NAMES & 0x7f) as u8];
    for n in 0..NAMES {
        round.extend((time + n).to_be_bytes());
        round.extend([0; 24]);
    }
    round
}

async fn costly(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let frames = [compare(tiny_ranges()).encode(), compare(many_names()).encode()];
    let until = word.wait().await;
    let raw = member(&target, Manner::default()).await;
    let (began, mut answered) = (Instant::now(), 0);
    while Instant::now() < until {
        let Ok(Ok(mut stream)) = tokio::time::timeout_at(until.into(), raw.open(SYNC)).await else { continue };
        for frame in frames.iter().cycle() {
            let asked = async {
                sync::send_bytes(&mut stream, frame).await.ok()?;
                sync::receive(&mut stream).await
            };
            match tokio::time::timeout_at(until.into(), asked).await {
                Ok(Some(_)) => answered += 1,
                _ => break,
            }
        }
    }
    let most = ASKED_KIB * (began.elapsed().as_secs() as usize + 1) * 1024 / frames[1].len() + AT_ONCE;
    vec![Claim::so("they were answered", answered > 0), Claim::at_most("so many were", most, answered)]
}

async fn repeated(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let raw = member(&target, Manner::default()).await;
    let (began, mut sessions) = (Instant::now(), 0);
    while Instant::now() < until {
        let open = (0..8).map(|_| tokio::time::timeout_at(until.into(), raw.open(SYNC)));
        let opened = futures::future::join_all(open).await;
        sessions += opened.iter().filter(|opened| matches!(opened, Ok(Ok(_)))).count();
    }
    vec![Claim::so("some were opened", sessions > 8), taken(sessions, began)]
}

async fn wanted(target: Arc<Target>, word: Word) -> Vec<Claim> {
    /// Questions that may be under way in a session.
    const UNDER_WAY: usize = 4;
    let genuine = records(&target, MAX_WANTED, 0);
    let names = genuine.iter().map(|record| {
        let frame = wire::Frame::decode(record).unwrap();
        SyncId::new(frame.header().time, &frame.id())
    });
    let want = Frame::Want { group: navy(), names: names.collect() };
    // Who goes at once takes what is not sent yet along: over this connection all goes on.
    let raw = Raw::connect(&target.members[0], &target.address).await;
    let mut gossip = raw.join_mesh(&target.roster).await;
    for records in genuine.chunks(BATCH) {
        gossip.publish(&navy(), &packed(records)).await.unwrap();
    }
    all_stored(&target, MAX_WANTED).await;
    let until = word.wait().await;
    let mut brought = 0;
    while Instant::now() < until {
        let Ok(Ok(mut stream)) = tokio::time::timeout_at(until.into(), raw.open(SYNC)).await else { continue };
        let mut free = UNDER_WAY;
        let session = async {
            loop {
                for _ in 0..std::mem::take(&mut free) {
                    sync::send(&mut stream, &want).await.ok()?;
                }
                let Frame::Records { records, last, .. } = sync::receive(&mut stream).await? else { continue };
                brought += records.len();
                free += usize::from(last);
            }
        };
        let _ended: Result<Option<()>, _> = tokio::time::timeout_at(until.into(), session).await;
    }
    vec![Claim::at_least(&format!("brought, of {MAX_WANTED} records,"), 20 * MAX_WANTED, brought)]
}

/// Waits until a node holds so many records of the group.
async fn all_stored(target: &Target, count: usize) {
    let patience = Instant::now() + Duration::from_secs(20);
    while stored(target, &navy()).await < count {
        assert!(Instant::now() < patience, "{count} records are not all stored");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn slow(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let raw = member(&target, Manner::default()).await;
    let (opened, stored) = futures::join!(drip(&raw, SYNC, 24, until), async {
        // Beside it another member's session is carried through.
        tokio::time::sleep(Duration::from_secs(1)).await;
        stored(&target, &navy()).await
    });
    vec![Claim::so("streams were opened", opened > 0), Claim::at_most("stored", 0, stored)]
}

/// Counts how often the node leads a session with somebody who follows in this way, and how long the first lasts.
async fn led(
    target: &Target,
    until: Instant,
    follow: fn(Stream) -> BoxFuture<'static, bool>,
) -> (usize, Option<Duration>) {
    let (tell, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let follow = move |stream: Stream| {
        let tell = tell.clone();
        async move {
            let began = Instant::now();
            if follow(stream).await {
                let _over = tell.send(began.elapsed());
            }
        }
        .boxed()
    };
    let raw = member(target, Manner { follow: Arc::new(follow), ..Manner::default() }).await;
    lure(&raw, until).await;
    let (mut count, mut first) = (0, None);
    while let Ok(Some(took)) = tokio::time::timeout_at(until.into(), ends.recv()).await {
        count += 1;
        first.get_or_insert(took);
        lure(&raw, until).await;
    }
    (count, first)
}

/// Reads to the end and never answers; tells whether it was asked anything.
async fn say_nothing(mut stream: Stream) -> bool {
    let mut asked = false;
    while sync::receive(&mut stream).await.is_some() {
        asked = true;
    }
    asked
}

/// Claims to hold much, and answers the questions for it with nothing, again and again; tells whether it was asked.
async fn bring_nothing(mut stream: Stream) -> bool {
    loop {
        match sync::receive(&mut stream).await {
            Some(Frame::Compare { group, .. }) => {
                let round = if group == navy() { many_names() } else { Vec::new() };
                if sync::send(&mut stream, &Frame::Compared { group, round }).await.is_err() {
                    return false;
                }
            }
            Some(Frame::Want { .. }) => break,
            Some(_) => {}
            None => return false,
        }
    }
    let nothing = Frame::Records { group: navy(), records: Vec::new(), last: false };
    let (mut reader, mut writer) = stream.split();
    let bring = async {
        while sync::send(&mut writer, &nothing).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    // Who only writes does not learn of the end: what comes for a stream that is over is thrown away without a word.
    let listen = async { while sync::receive(&mut reader).await.is_some() {} };
    futures::pin_mut!(bring, listen);
    futures::future::select(bring, listen).await;
    true
}

async fn silent(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let (count, first) = led(&target, until, |stream| say_nothing(stream).boxed()).await;
    let others = goes_on_with(&target, &target.members[1]).await;
    vec![
        Claim::so("the session is ended", count > 0),
        Claim::at_most("seconds that it lasts", 20, first.map_or(usize::MAX, |first| first.as_secs() as usize)),
        Claim::so("another member is compared with", others),
    ]
}

async fn empty(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let (count, first) = led(&target, until, |stream| bring_nothing(stream).boxed()).await;
    let others = goes_on_with(&target, &target.members[1]).await;
    vec![
        Claim::so("the session is ended", count > 0),
        Claim::at_most("seconds that it lasts", 25, first.map_or(usize::MAX, |first| first.as_secs() as usize)),
        Claim::so("another member is compared with", others),
    ]
}

/// Tells whether the node compares with another member when that says that it has something.
async fn goes_on_with(target: &Target, other: &Identity) -> bool {
    let (tell, mut led) = tokio::sync::mpsc::unbounded_channel();
    let follow = move |mut stream: Stream| {
        let tell = tell.clone();
        async move {
            if sync::receive(&mut stream).await.is_some() {
                let _over = tell.send(());
            }
        }
        .boxed()
    };
    let manner = Manner { follow: Arc::new(follow), ..Manner::default() };
    let raw = Raw::connect_with(other, &target.address, manner).await;
    let _gossip = raw.join_mesh(&target.roster).await;
    let until = Instant::now() + Duration::from_secs(15);
    lure(&raw, until).await;
    tokio::time::timeout_at(until.into(), led.recv()).await.is_ok_and(|led| led.is_some())
}
