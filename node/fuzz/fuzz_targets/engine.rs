//! A whole engine that is told one thing after the other by peers who mean it ill.
//!
//! The input is cut into messages: a byte says by which way the next one comes, two how long it is.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster::engine::io::{Effect, GossipHandle, Input, SyncInput};
use muster::engine::sync::SessionId;
use muster::engine::time::UnixMillis;
use muster::engine::{Boot, State};
use muster_fuzz::{ground, now};
use muster_roles::Roster;

static ROSTER: LazyLock<std::sync::Arc<Roster>> = LazyLock::new(|| ground::roster().into());

/// Messages of one run: enough to reach a session's later steps.
const MAX_MESSAGES: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    let mut state = State::new(ground::identity("Army3"), ROSTER.clone(), Boot::default());
    let peer = ground::identity("Army1").public();
    let group = ground::group("army");
    let (mut rest, mut at) = (bytes, now().ms());
    drop(state.start());
    drop(state.handle(Input::MemberUp(peer), UnixMillis(at)));
    for number in 0..MAX_MESSAGES as u64 {
        let Some((&[way, low, high], after)) = rest.split_first_chunk() else { break };
        let (message, after) = after.split_at(usize::from(u16::from_le_bytes([low, high])).min(after.len()));
        rest = after;
        at += 100;
        let message = message.to_vec();
        let input = match way % 6 {
            0 => {
                Input::Gossip { handle: GossipHandle(number), bearer: peer, group: group.clone(), bytes: message }
            }
            1 => Input::Documents { documents: vec![message] },
            2 => Input::Sync(SyncInput::Opened { session: SessionId(u64::from(high)), peer, leading: low % 2 == 0 }),
            3 => Input::Sync(SyncInput::Frame { session: SessionId(number % 2), bytes: message }),
            4 => Input::Sync(SyncInput::Loaded {
                session: SessionId(number % 2),
                group: group.clone(),
                records: vec![message],
            }),
            _ => Input::Tick { random: number },
        };
        let is_gossip = matches!(input, Input::Gossip { .. });
        let effects = state.handle(input, UnixMillis(at));
        let verdicts = effects.iter().filter(|effect| matches!(effect, Effect::Verdict { .. })).count();
        assert!(!is_gossip || verdicts <= 1, "a message has one verdict");
    }
});
