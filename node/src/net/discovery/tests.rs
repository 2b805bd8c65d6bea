#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

/// Peer ids in ascending order, the node's own in the middle.
fn ids(count: usize) -> (Vec<PeerId>, PeerId, Vec<PeerId>) {
    let mut ids: Vec<PeerId> = (0..=2 * count).map(|_| PeerId::random()).collect();
    ids.sort_unstable();
    let higher = ids.split_off(count + 1);
    let me = ids.pop().unwrap();
    (ids, me, higher)
}

fn address(n: usize) -> Multiaddr {
    format!("/ip4/10.0.{}.{}/tcp/4000", n / 250, 1 + n % 250).parse().unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn peers(dials: &[(Target, Vec<Multiaddr>)]) -> Vec<PeerId> {
    let peer = |target: &Target| if let Target::Peer(peer) = target { Some(*peer) } else { None };
    dials.iter().filter_map(|(target, _)| peer(target)).collect()
}

#[test]
fn the_lower_peer_id_dials_at_once_and_the_higher_a_little_later() {
    let (lower, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    book.learn(lower[0], Class::Near, [address(1)], false, start);
    book.learn(higher[0], Class::Near, [address(2)], false, start);
    assert_eq!(peers(&book.due(start)), higher);
    assert_eq!(peers(&book.due(start + seconds(1))), []);
    assert_eq!(peers(&book.due(start + HIGHER_DELAY)), lower);
}

#[test]
fn whoever_connected_meanwhile_is_not_dialled() {
    let (lower, me, _) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    book.learn(lower[0], Class::Near, [address(1)], false, start);
    book.connected(lower[0], Class::Near, None, start + seconds(1));
    assert_eq!(book.due(start + seconds(3600)), []);
    // And is again, once gone.
    book.welcomed(&lower[0]);
    book.disconnected(lower[0], false, start + seconds(3600));
    assert_eq!(book.due(start + seconds(3600)), []);
    assert_eq!(peers(&book.due(start + seconds(3600) + 2 * MIN_BACKOFF + HIGHER_DELAY)), lower);
}

#[test]
fn waits_double_from_one_second_to_a_minute_give_or_take_a_quarter() {
    let (_, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    book.learn(higher[0], Class::Near, [address(1)], false, start);
    let mut now = start;
    for failure in 0..40_u32 {
        assert_eq!(peers(&book.due(now)), higher, "after {failure} failures");
        book.failed(&Target::Peer(higher[0]), now);
        let wait = MIN_BACKOFF.saturating_mul(2_u32.saturating_pow(failure)).min(MAX_BACKOFF);
        assert_eq!(book.due(now + wait * 3 / 4 - Duration::from_millis(1)), [], "after {failure} failures");
        now += wait * 5 / 4;
    }
}

#[test]
fn nodes_wait_differently() {
    let (_, me, higher) = ids(1);
    let waits: BTreeSet<Duration> = (0..20).map(|seed| Book::new(me, seed).backoff(&higher[0], 4)).collect();
    assert!(waits.len() > 10);
}

#[test]
fn a_new_address_is_tried_at_once_and_first() {
    let (_, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    book.learn(higher[0], Class::Near, [address(1)], false, start);
    let mut now = start;
    for _ in 0..10 {
        now += 2 * MAX_BACKOFF;
        assert_eq!(peers(&book.due(now)), higher);
        book.failed(&Target::Peer(higher[0]), now);
    }
    // The old one again is no news.
    let later = now + MIN_BACKOFF;
    book.learn(higher[0], Class::Near, [address(1)], false, later);
    assert_eq!(book.due(later), []);
    book.learn(higher[0], Class::Near, [address(2)], false, later);
    assert_eq!(book.due(later), [(Target::Peer(higher[0]), vec![address(2), address(1)])]);
}

#[test]
fn hints_make_nobody_dial_more_than_once_a_second() {
    let (_, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    let mut dials = 0;
    for hint in 0..100 {
        let now = start + Duration::from_millis(50 * hint);
        book.learn(higher[0], Class::Near, [address(usize::try_from(hint).unwrap())], false, now);
        for (target, _) in book.due(now) {
            dials += 1;
            book.failed(&target, now);
        }
    }
    // The first wait may be a quarter shorter than a second.
    assert!((5..=6).contains(&dials), "{dials} dials in five seconds");
}

#[test]
fn no_number_of_hints_displaces_the_address_that_answered() {
    let (_, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    let target = Target::Peer(higher[0]);
    book.connected(higher[0], Class::Near, Some((&target, &address(99))), start);
    for n in 0..3 * MAX_ADDRESSES {
        book.learn(higher[0], Class::Near, [address(n)], false, start);
    }
    book.disconnected(higher[0], false, start);
    let addresses = book.due(start + seconds(10)).remove(0).1;
    assert_eq!(addresses[..2], [address(99), address(3 * MAX_ADDRESSES - 1)]);
    // Until somebody else answers there.
    book.failed(&target, start + seconds(10));
    book.strike(&target, &address(99));
    book.learn(higher[0], Class::Near, [address(98)], false, start + seconds(20));
    assert_eq!(book.due(start + seconds(20)).remove(0).1[0], address(98));
}

#[test]
fn the_address_that_answered_comes_first_and_the_oldest_goes() {
    let (_, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    for n in 0..2 * MAX_ADDRESSES {
        book.learn(higher[0], Class::Near, [address(n)], false, start);
    }
    let target = Target::Peer(higher[0]);
    assert_eq!(book.due(start)[0].1.len(), MAX_ADDRESSES);
    let answered = address(MAX_ADDRESSES + 1);
    book.connected(higher[0], Class::Near, Some((&target, &answered)), start);
    book.disconnected(higher[0], false, start);
    let addresses = &book.due(start + seconds(10))[0].1;
    assert_eq!(addresses[0], answered);
    assert_eq!(addresses.len(), MAX_ADDRESSES);
    assert!(!addresses.contains(&address(0)));
}

#[test]
fn an_address_where_somebody_else_answers_is_struck() {
    let (_, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    book.learn(higher[0], Class::Near, [address(1)], false, start);
    let target = Target::Peer(higher[0]);
    book.due(start);
    book.failed(&target, start);
    book.strike(&target, &address(1).with(Protocol::P2p(higher[0])));
    assert_eq!(book.due(start + seconds(3600)), []);
}

#[test]
fn the_node_never_dials_itself() {
    let (_, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    book.add_own(address(1));
    book.learn(me, Class::Near, [address(2)], false, start);
    book.learn(higher[0], Class::Near, [address(1)], false, start);
    assert_eq!(book.due(start + seconds(10)), []);
    book.remove_own(&address(1));
    book.learn(higher[0], Class::Near, [address(1)], false, start);
    assert_eq!(peers(&book.due(start + seconds(10))), higher);
}

#[test]
fn outgoing_connections_are_few_near_ones_first_and_some_to_others() {
    let (_, me, higher) = ids(90);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    for (n, peer) in higher.iter().enumerate() {
        let class = [Class::Stranger, Class::Member, Class::Near][n % 3];
        book.learn(*peer, class, [address(n)], false, start);
    }
    let dialled = peers(&book.due(start));
    let class_of = |peer: &PeerId| book.peers[peer].class;
    let count = |class| dialled.iter().filter(|peer| class_of(peer) == class).count();
    assert_eq!(count(Class::Near), MAX_OUTGOING_NEAR);
    assert_eq!(count(Class::Member), MAX_OUTGOING - MAX_OUTGOING_NEAR);
    assert_eq!(count(Class::Stranger), MAX_OUTGOING_STRANGERS);
    // What connects by itself takes no place, what was dialled keeps it, and what fails leaves it to another.
    let near: Vec<PeerId> = dialled.iter().filter(|peer| class_of(peer) == Class::Near).copied().collect();
    for peer in &dialled {
        let target = Target::Peer(*peer);
        book.connected(*peer, book.peers[peer].class, Some((&target, &address(0))), start);
    }
    assert_eq!(book.due(start), []);
    book.disconnected(near[0], true, start);
    let next = peers(&book.due(start));
    assert_eq!(next.len(), 1);
    assert_eq!(book.peers[&next[0]].class, Class::Near);
}

#[test]
fn nodes_of_a_large_unit_choose_differently() {
    let (_, me, higher) = ids(200);
    let start = Instant::now();
    let choose = |seed| {
        let mut book = Book::new(me, seed);
        for (n, peer) in higher.iter().enumerate() {
            book.learn(*peer, Class::Near, [address(n)], false, start);
        }
        peers(&book.due(start)).into_iter().collect::<BTreeSet<_>>()
    };
    assert!(choose(1).intersection(&choose(2)).count() < MAX_OUTGOING_NEAR / 2);
}

#[test]
fn the_book_is_bounded_and_strangers_go_first() {
    let (_, me, higher) = ids(MAX_PEERS + 50);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    let (strangers, rest) = higher.split_at(20);
    for (n, peer) in strangers.iter().enumerate() {
        book.learn(*peer, Class::Stranger, [address(n)], false, start);
    }
    let (members, late) = rest.split_at(MAX_PEERS - 20);
    for (n, peer) in members.iter().enumerate() {
        book.learn(*peer, Class::Member, [address(n)], false, start);
    }
    assert_eq!(book.peers.len(), MAX_PEERS);
    book.learn(late[0], Class::Near, [address(1)], false, start);
    book.learn(late[1], Class::Member, [address(1)], false, start);
    assert_eq!(book.peers.len(), MAX_PEERS);
    assert!(book.peers.contains_key(&late[0]) && book.peers.contains_key(&late[1]));
    assert!(members.iter().all(|peer| book.peers.contains_key(peer)));
    for peer in late.iter().skip(2) {
        book.learn(*peer, Class::Member, [address(1)], false, start);
    }
    // No stranger is left, and none takes a member's place.
    book.learn(PeerId::random(), Class::Stranger, [address(1)], false, start);
    assert_eq!(book.peers.len(), MAX_PEERS);
    assert!(book.peers.values().all(|entry| entry.class != Class::Stranger));
}

#[test]
fn a_standing_address_is_dialled_until_somebody_answers_and_again_when_it_is_gone() {
    let (_, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    let standing = Target::Standing(address(1));
    book.stand(address(1), start);
    assert_eq!(book.due(start), [(standing.clone(), vec![address(1)])]);
    assert_eq!(book.due(start + seconds(60)), []);
    book.failed(&standing, start);
    assert_eq!(book.due(start + 2 * MIN_BACKOFF), [(standing.clone(), vec![address(1)])]);
    book.connected(higher[0], Class::Near, Some((&standing, &address(1))), start);
    book.welcomed(&higher[0]);
    assert_eq!(book.due(start + seconds(3600)), []);
    book.disconnected(higher[0], false, start + seconds(3600));
    let dials = book.due(start + seconds(3600) + 2 * MIN_BACKOFF);
    assert!(dials.contains(&(standing, vec![address(1)])));
}

#[test]
fn a_node_with_nothing_in_common_is_left_alone_for_long() {
    let (_, me, higher) = ids(1);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    book.learn(higher[0], Class::Stranger, [address(1)], false, start);
    book.due(start);
    book.connected(higher[0], Class::Stranger, Some((&Target::Peer(higher[0]), &address(1))), start);
    book.disconnected(higher[0], true, start);
    assert_eq!(book.due(start + REFUSED_BACKOFF - seconds(1)), []);
    assert_eq!(peers(&book.due(start + REFUSED_BACKOFF)), higher);
}

#[test]
fn only_addresses_that_can_be_dialled_are_kept() {
    let plain = |text: &str, loopback| dialable(&text.parse().unwrap(), loopback).map(|address| address.to_string());
    for good in
        ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip6/fd00::1/tcp/1", "/ip6/fd00::1/udp/1/quic-v1"]
    {
        assert_eq!(plain(good, false).as_deref(), Some(good));
        assert_eq!(plain(&format!("{good}/p2p/{}", PeerId::random()), false).as_deref(), Some(good));
    }
    for loopback in ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/udp/1/quic-v1"] {
        assert_eq!(plain(loopback, true).as_deref(), Some(loopback));
        assert_eq!(plain(loopback, false), None);
    }
    for bad in [
        "/ip4/0.0.0.0/tcp/1",
        "/ip4/224.0.0.1/tcp/1",
        "/ip4/255.255.255.255/tcp/1",
        "/ip4/10.0.0.1/tcp/0",
        "/ip4/10.0.0.1/udp/1",
        "/ip4/10.0.0.1/udp/0/quic-v1",
        "/ip4/10.0.0.1/tcp/1/ws",
        "/ip4/10.0.0.1",
        "/ip6/::/tcp/1",
        "/ip6/fe80::1/tcp/1",
        "/ip6/ff02::1/tcp/1",
        "/dns4/example.org/tcp/1",
        "/memory/1",
    ] {
        assert_eq!(plain(bad, true), None, "{bad}");
    }
}

#[test]
fn where_members_answered_and_say_they_listen_is_remembered_and_hearsay_is_not() {
    let (lower, me, higher) = ids(2);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    assert_eq!(book.changed_places(), None);
    book.learn(higher[0], Class::Near, [address(1)], false, start);
    book.learn(higher[1], Class::Near, [address(2)], false, start);
    assert_eq!(book.changed_places(), None, "nobody has answered there");
    book.due(start);
    book.connected(higher[0], Class::Near, Some((&Target::Peer(higher[0]), &address(1))), start);
    book.reachable(&higher[0], &[address(3), address(1)]);
    book.connected(lower[0], Class::Member, None, start + seconds(1));
    book.reachable(&lower[0], &[address(4)]);
    book.connected(lower[1], Class::Stranger, None, start + seconds(2));
    book.reachable(&lower[1], &[address(5)]);
    let known = vec![(lower[0], vec![address(4)]), (higher[0], vec![address(1), address(3)])];
    assert_eq!(book.changed_places(), Some(known));
    book.reachable(&lower[0], &[address(4)]);
    book.disconnected(lower[0], false, start + seconds(3));
    assert_eq!(book.changed_places(), None);
    book.reclassify(|peer| if *peer == lower[0] { Class::Stranger } else { Class::Member });
    let known = vec![(lower[1], vec![address(5)]), (higher[0], vec![address(1), address(3)])];
    assert_eq!(book.changed_places(), Some(known));
}

#[test]
fn remembered_members_are_dialled_and_stay_remembered_however_often_in_vain() {
    let (_, me, higher) = ids(2);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    let loopback: Multiaddr = "/ip4/127.0.0.1/tcp/4000".parse().unwrap();
    book.recall(higher[0], Class::Near, std::slice::from_ref(&loopback), start);
    book.recall(higher[1], Class::Stranger, &[address(2)], start);
    assert_eq!(book.changed_places(), None);
    assert_eq!(book.due(start), [(Target::Peer(higher[0]), vec![loopback.clone()])]);
    book.failed(&Target::Peer(higher[0]), start);
    book.connected(higher[1], Class::Near, None, start);
    book.reachable(&higher[1], &[address(3)]);
    let known = book.changed_places().unwrap();
    assert!(known.contains(&(higher[0], vec![loopback])) && known.len() == 2);
}

#[test]
fn the_places_remembered_are_bounded_and_those_met_last_stay() {
    let (_, me, higher) = ids(MAX_PLACES + 10);
    let (start, mut book) = (Instant::now(), Book::new(me, 1));
    for (n, peer) in higher.iter().enumerate() {
        book.connected(*peer, Class::Near, None, start + seconds(n as u64));
        book.reachable(peer, &(0..10).map(|a| address(10 * n + a)).collect::<Vec<_>>());
    }
    let known = book.changed_places().unwrap();
    assert_eq!(known.len(), MAX_PLACES);
    assert_eq!(known[0].0, higher[higher.len() - 1]);
    assert!(known.iter().all(|(_, addresses)| addresses.len() == 4));
}
