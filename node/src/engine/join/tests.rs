#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use muster_keys::Identity;
use muster_roles::Joining;

use super::*;

const UNIT: UnitId = UnitId::from_bytes([1; 16]);
const NOON: UnixMillis = UnixMillis(1_800_000_000_000);
const DRAWN: JoinNonce = JoinNonce::from_bytes([99; 32]);

fn key(seed: u8) -> PublicKey {
    Identity::from_seed(&[seed; 32]).public()
}

fn nonce(seed: u8) -> JoinNonce {
    JoinNonce::from_bytes([seed; 32])
}

fn later(ms: u64) -> UnixMillis {
    UnixMillis(NOON.0 + ms)
}

fn begin(requests: &mut Requests, device: u8, number: u8, now: UnixMillis) -> JoinAnswer {
    let commitment = Joining::new(key(device), nonce(number)).commitment();
    let name = format!("Army{device}").parse().unwrap();
    requests.begin(UNIT, key(device), name, (commitment, DRAWN), now)
}

/// A device begins and reveals its nonce, both at once.
fn ask(requests: &mut Requests, device: u8, now: UnixMillis) -> (JoinAnswer, Option<JoinRequest>) {
    match begin(requests, device, device, now) {
        JoinAnswer::Waiting { .. } => requests.reveal(UNIT, &key(0), &key(device), &nonce(device), now),
        JoinAnswer::Refused => (JoinAnswer::Refused, None),
    }
}

#[test]
fn a_request_is_told_once_and_shown_until_it_is_over() {
    let mut requests = Requests::default();
    let (answer, told) = ask(&mut requests, 1, NOON);
    assert_eq!(answer, JoinAnswer::Waiting { unit: UNIT, nonce: DRAWN });
    let told = told.unwrap();
    let (words, _) = Joining::new(key(1), nonce(1)).answer(UNIT, &key(0), &DRAWN);
    assert_eq!((told.name.as_str(), told.words.as_str()), ("Army1", words.as_str()));
    assert_eq!(requests.list(NOON), std::slice::from_ref(&told));
    let (answer, again) = requests.reveal(UNIT, &key(0), &key(1), &nonce(1), later(1000));
    assert!(matches!(answer, JoinAnswer::Waiting { .. }) && again.is_none());
    assert_eq!(requests.list(later(1000)), [told]);
    assert!(requests.forget(&key(1)));
    assert!(requests.list(later(1000)).is_empty());
}

#[test]
fn nothing_is_shown_before_the_nonce_that_was_committed_to_is_revealed() {
    let mut requests = Requests::default();
    begin(&mut requests, 1, 1, NOON);
    assert!(requests.list(NOON).is_empty());
    let (answer, _) = requests.reveal(UNIT, &key(0), &key(2), &nonce(1), NOON);
    assert_eq!(answer, JoinAnswer::Refused, "another device's nonce");
    let (answer, told) = requests.reveal(UNIT, &key(0), &key(1), &nonce(2), NOON);
    assert!(answer == JoinAnswer::Refused && told.is_none());
    let (answer, told) = requests.reveal(UNIT, &key(0), &key(1), &nonce(1), NOON);
    assert!(answer == JoinAnswer::Refused && told.is_none(), "there is one try");
}

#[test]
fn so_many_requests_wait_and_no_more_until_one_is_over() {
    let mut requests = Requests::default();
    for device in 1..=8 {
        assert!(ask(&mut requests, device, NOON).1.is_some());
    }
    assert_eq!(ask(&mut requests, 9, NOON).0, JoinAnswer::Refused);
    let again = begin(&mut requests, 1, 77, NOON);
    assert_eq!(again, JoinAnswer::Waiting { unit: UNIT, nonce: DRAWN }, "one that begins anew takes its own place");
    assert_eq!(requests.list(NOON).len(), 7);
    requests.forget(&key(2));
    assert!(ask(&mut requests, 9, NOON).1.is_some());
}

#[test]
fn a_device_that_asks_no_more_is_soon_forgotten_and_one_that_does_after_ten_minutes() {
    let mut requests = Requests::default();
    ask(&mut requests, 1, NOON);
    ask(&mut requests, 2, NOON);
    for second in 0..WAITING_MS / 1000 {
        let now = later(second * 1000);
        assert!(matches!(requests.reveal(UNIT, &key(0), &key(1), &nonce(1), now).0, JoinAnswer::Waiting { .. }));
        assert_eq!(requests.list(now).len(), if second * 1000 < UNHEARD_MS { 2 } else { 1 });
    }
    assert_eq!(requests.reveal(UNIT, &key(0), &key(1), &nonce(1), later(WAITING_MS)).0, JoinAnswer::Refused);
    assert!(requests.list(later(WAITING_MS)).is_empty());
}

#[test]
fn requests_that_begin_on_and_on_are_refused_for_a_while() {
    let mut requests = Requests::default();
    let begun = |requests: &mut Requests, now| {
        (0..100).filter(|number| begin(requests, 1, *number, now) != JoinAnswer::Refused).count()
    };
    assert_eq!(begun(&mut requests, NOON), 12);
    assert_eq!(begun(&mut requests, later(60_000)), 12);
}
