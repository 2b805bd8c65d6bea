//! What a node has stored, asked of it as any member may: by comparing with somebody who holds nothing.

use muster::engine::floors::Floors;
use muster::engine::sync::Frame;
use muster_roles::{GroupId, Timestamp};
use negentropy::{Negentropy, NegentropyStorageVector};

use super::field::Target;
use crate::raw::{Raw, SYNC, sync};

/// How often a session is tried: the node may lead one with the same member at that moment.
const TRIES: usize = 20;

/// Counts the records of a group that a node holds.
pub(crate) async fn stored(target: &Target, group: &GroupId) -> usize {
    let raw = Raw::connect(target.members.last().unwrap(), &target.address).await;
    let _gossip = raw.join_mesh(&target.roster).await;
    for _ in 0..TRIES {
        if let Some(count) = compare(&raw, group).await {
            return count;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("no session in {TRIES} tries");
}

async fn compare(raw: &Raw, group: &GroupId) -> Option<usize> {
    let mut nothing = NegentropyStorageVector::new();
    nothing.seal().unwrap();
    let mut negentropy = Negentropy::owned(nothing, 30 * 1024).unwrap();
    let mut round = negentropy.initiate().unwrap();
    let (mut from, to) = (Floors::NONE, Timestamp::from_u64(u64::MAX - 1));
    let mut stream = raw.open(SYNC).await.ok()?;
    let (mut here, mut there) = (Vec::new(), Vec::new());
    loop {
        sync::send(&mut stream, &Frame::Compare { group: group.clone(), from, to, round: round.clone() }).await.ok()?;
        match sync::receive(&mut stream).await? {
            Frame::Since { from: since, .. } => from = since,
            Frame::Compared { round: answer, .. } => {
                match negentropy.reconcile_with_ids(&answer, &mut here, &mut there).unwrap() {
                    Some(next) => round = next,
                    None => return Some(there.len()),
                }
            }
            other => panic!("answered {other:?}"),
        }
    }
}
