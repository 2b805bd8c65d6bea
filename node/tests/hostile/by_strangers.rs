//! What somebody can do who has no part in the unit.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use muster::engine::hello::{Request, Response};
use muster_roles::{JoinNonce, Joining};

use super::attack::{Attack, Word};
use super::by_members::drip;
use super::claim::Claim;
use super::field::{Target, stranger};
use crate::raw::passage::{connect, socket};
use crate::raw::{HELLO, Raw, hello};

/// Connections that an attacker holds open at a time, without a word.
const HELD: usize = 400;

/// So long somebody who may come in tries at most.
const ENTRY: Duration = Duration::from_secs(10);

/// Handshakes that a host without members may begin at once, and each second in the long run.
const KNOCKS_AT_ONCE: usize = 32;
const KNOCKS_A_SECOND: usize = 4;

/// Devices that may wait to be let in.
const MAX_WAITING: usize = 8;

pub(crate) const ONE_ADDRESS: Attack = attack("silent connections from one address", |t, w| {
    silent_connections(t, w, |_| Ipv4Addr::new(127, 0, 0, 9)).boxed()
});
pub(crate) const MANY_ADDRESSES: Attack = attack("silent connections from many addresses", |t, w| {
    silent_connections(t, w, |nth| Ipv4Addr::new(127, 0, 1 + (nth / 200) as u8, 1 + (nth % 200) as u8)).boxed()
});
pub(crate) const MANY_KEYS: Attack = attack("connections with ever new keys", |t, w| many_keys(t, w).boxed());
pub(crate) const JOINS: Attack = attack("requests to join without end", |t, w| joins(t, w).boxed());
pub(crate) const SLOW_STRANGERS: Attack = attack("one byte at a time: strangers", |t, w| slow(t, w).boxed());

const fn attack(name: &'static str, run: fn(Arc<Target>, Word) -> BoxFuture<'static, Vec<Claim>>) -> Attack {
    Attack { name, by: "stranger", run, at_least: Duration::ZERO }
}

/// Tries to come in as a member from an address of its own; tells whether that came about in time.
async fn gets_in(target: &Target) -> bool {
    let member = &target.members[1];
    let from = Ipv4Addr::new(127, 0, 200, 1);
    let entry = async {
        loop {
            if let Some(raw) = Raw::try_from(member, from, &target.address).await
                && raw.try_join(&target.roster).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(ENTRY, entry).await.is_ok()
}

async fn silent_connections(target: Arc<Target>, word: Word, from: fn(usize) -> Ipv4Addr) -> Vec<Claim> {
    let to = socket(&target.address);
    // Who has been there before.
    assert!(gets_in(&target).await);
    let until = word.wait().await;
    let flood = async {
        let mut held = std::collections::VecDeque::new();
        let mut made = 0;
        while Instant::now() < until {
            let connected = tokio::time::timeout_at(until.into(), connect(from(made), to)).await;
            if let Ok(Ok(stream)) = connected {
                held.push_back(stream);
                made += 1;
            }
            if held.len() > HELD {
                held.pop_front();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        made
    };
    let entry = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        gets_in(&target).await
    };
    let (made, got_in) = futures::join!(flood, entry);
    vec![
        Claim::so("a member gets in beside them", got_in),
        Claim::so("there were more than a host may begin", made > 32),
    ]
}

async fn many_keys(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let began = Instant::now();
    let flood = async {
        let mut under_way = FuturesUnordered::new();
        let (mut nth, mut finished) = (0, 0);
        let mut inside: Vec<Raw> = Vec::new();
        while Instant::now() < until {
            while under_way.len() < 16 {
                nth += 1;
                let target = Arc::clone(&target);
                under_way.push(async move {
                    Raw::try_from(&stranger(nth), Ipv4Addr::new(127, 0, 0, 9), &target.address).await
                });
            }
            let raw = under_way.next().await.flatten();
            finished += usize::from(raw.is_some());
            inside.extend(raw);
            inside.retain(|raw| !raw.is_closed());
        }
        (nth, finished)
    };
    let ((keys, finished), got_in) = futures::join!(flood, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        gets_in(&target).await
    });
    let allowed = KNOCKS_AT_ONCE + KNOCKS_A_SECOND * (usize::try_from(began.elapsed().as_secs()).unwrap() + 1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    vec![
        Claim::so("a member gets in beside them", got_in),
        Claim::so("they were many", keys > 50),
        Claim::at_most(&format!("handshakes of {keys} that it took part in"), allowed, finished),
    ]
}

async fn joins(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let (mut waiting, mut asked) = (0, 0);
    while Instant::now() < until {
        asked += 1;
        let identity = stranger(50_000 + asked);
        let Some(raw) = Raw::try_from(&identity, Ipv4Addr::new(127, 0, 0, 9), &target.address).await else { continue };
        let nonce = JoinNonce::from_bytes([3; 32]);
        let commitment = Joining::new(identity.public(), nonce).commitment();
        let join = Request::Join { name: format!("Army{}", 100 + asked).parse().unwrap(), commitment };
        if let Ok(Response::Waiting { .. }) = Response::decode(&raw.ask(&join.encode()).await)
            && let Ok(Response::Waiting { .. }) = Response::decode(&raw.ask(&Request::Reveal { nonce }.encode()).await)
        {
            waiting += 1;
        }
    }
    vec![
        Claim::at_most(&format!("waiting of {asked} devices"), MAX_WAITING, waiting),
        Claim::so("there were more than may wait", asked > MAX_WAITING),
    ]
}

async fn slow(target: Arc<Target>, word: Word) -> Vec<Claim> {
    let until = word.wait().await;
    let crowd = (0..24).map(|nth| {
        let target = Arc::clone(&target);
        async move {
            let from = Ipv4Addr::new(127, 0, 0, 10 + nth);
            let Some(raw) = Raw::try_from(&stranger(90_000 + usize::from(nth)), from, &target.address).await else {
                return 0;
            };
            drip(&raw, HELLO, 16, until).await
        }
    });
    let (_, got_in) = futures::join!(futures::future::join_all(crowd), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        gets_in(&target).await
    });
    let raw = Raw::connect(&target.members[2], &target.address).await;
    let answer = raw.answer(&Request::Hello(hello(&target.roster, target.roster.digest()))).await;
    vec![
        Claim::so("a member gets in beside them", got_in),
        Claim::so("and is answered", matches!(answer, Response::Hello { admitted: true, .. })),
    ]
}
