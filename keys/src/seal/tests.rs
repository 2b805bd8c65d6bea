#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> [u8; 32] {
    let digits: Vec<u8> = hex.bytes().map(|c| (c as char).to_digit(16).unwrap() as u8).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().unwrap()
}

fn mapped(public: &PublicKey) -> [u8; 32] {
    recipient_key(public).unwrap().to_bytes().into()
}

#[test]
fn the_map_takes_the_base_point_of_one_curve_to_that_of_the_other() {
    // RFC 7748 §4.1: y = 4/5 on edwards25519 is u = 9 on curve25519.
    let base =
        PublicKey::from_bytes(&bytes("5866666666666666666666666666666666666666666666666666666666666666")).unwrap();
    assert_eq!(mapped(&base), bytes("0900000000000000000000000000000000000000000000000000000000000000"));
}

#[test]
fn the_map_gives_the_pair_that_libsodium_documents() {
    // The worked example of libsodium's crypto_sign_ed25519_{pk,sk}_to_curve25519 tests.
    let identity = Identity::from_seed(&bytes("421151a459faeade3d247115f94aedae42318124095afabe4d1451a559faedee"));
    assert_eq!(mapped(&identity.public()), bytes("f1814f0e8ff1043d8a44d25babff3cedcae6c22c3edaa48f857ae70de2baae50"));
    let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(&identity.0.to_scalar_bytes()).unwrap();
    assert_eq!(secret.to_bytes().as_slice(), bytes("8052030376d47112be7f73ed7a019293dd12ad910b654455798b4667d73de166"));
}

/// Sealed with the system's randomness.
fn sealed(to: &PublicKey, info: &[u8], key: &GroupKey) -> Result<Vec<u8>, SealError> {
    seal(to, info, key, &mut Randomness::system())
}

#[test]
fn only_the_recipient_opens_a_seal_and_only_under_its_context() {
    let (army3, navy1) = (Identity::from_seed(&[3; 32]), Identity::from_seed(&[1; 32]));
    let key = GroupKey::from_bytes([42; 32]);
    let sealed = sealed(&army3.public(), b"army 7", &key).unwrap();
    assert_eq!(sealed.len(), SEALED_LEN);
    assert_eq!(open(&army3, b"army 7", &sealed), Ok(key));
    assert_eq!(open(&army3, b"army 8", &sealed), Err(OpenError::NotForUs));
    assert_eq!(open(&navy1, b"army 7", &sealed), Err(OpenError::NotForUs));
}

#[test]
fn a_seed_gives_the_same_key_and_seal_again_and_the_recipient_opens_it() {
    let army3 = Identity::from_seed(&[3; 32]);
    let seeded = |seed| {
        let mut randomness = Randomness::seeded([seed; 32]);
        let key = GroupKey::generate(&mut randomness).unwrap();
        let sealed = seal(&army3.public(), b"army 7", &key, &mut randomness).unwrap();
        assert_eq!(open(&army3, b"army 7", &sealed), Ok(key));
        sealed
    };
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn sealing_twice_gives_different_bytes() {
    let public = Identity::from_seed(&[3; 32]).public();
    let key = GroupKey::generate(&mut Randomness::system()).unwrap();
    assert_ne!(sealed(&public, b"", &key).unwrap(), sealed(&public, b"", &key).unwrap());
}

#[test]
fn a_seal_with_a_weak_encapsulated_key_is_refused() {
    let identity = Identity::from_seed(&[3; 32]);
    let mut sealed = sealed(&identity.public(), b"", &GroupKey::from_bytes([1; 32])).unwrap();
    // The point of order one: the agreed secret would be zero whoever the recipient is.
    sealed[..ENCAPPED_LEN].fill(0);
    assert_eq!(open(&identity, b"", &sealed), Err(OpenError::NotForUs));
}

#[test]
fn a_seal_of_another_length_is_refused() {
    let identity = Identity::from_seed(&[3; 32]);
    let mut sealed = sealed(&identity.public(), b"", &GroupKey::from_bytes([1; 32])).unwrap();
    sealed.push(0);
    assert_eq!(open(&identity, b"", &sealed), Err(OpenError::Length { found: 81, expected: 80 }));
    assert_eq!(open(&identity, b"", &[]), Err(OpenError::Length { found: 0, expected: 80 }));
}

#[test]
fn too_long_a_context_is_an_error_and_no_panic() {
    let identity = Identity::from_seed(&[3; 32]);
    let long = vec![0; MAX_INFO_LEN + 1];
    let refused = sealed(&identity.public(), &long, &GroupKey::from_bytes([1; 32]));
    assert!(matches!(refused, Err(SealError::InfoTooLong { found: 1025, limit: 1024 })));
    assert_eq!(open(&identity, &long, &[0; SEALED_LEN]), Err(OpenError::NotForUs));
    let longest = &long[..MAX_INFO_LEN];
    let sealed = sealed(&identity.public(), longest, &GroupKey::from_bytes([1; 32])).unwrap();
    assert_eq!(open(&identity, longest, &sealed), Ok(GroupKey::from_bytes([1; 32])));
}

#[test]
fn nothing_of_a_group_key_is_in_its_debug_form() {
    assert_eq!(format!("{:?}", GroupKey::from_bytes([42; 32])), "GroupKey(…)");
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_again(seed: [u8; 32], key: [u8; 32], info in prop::collection::vec(any::<u8>(), 0..100)) {
        let identity = Identity::from_seed(&seed);
        let sealed = sealed(&identity.public(), &info, &GroupKey::from_bytes(key)).unwrap();
        prop_assert_eq!(open(&identity, &info, &sealed), Ok(GroupKey::from_bytes(key)));
    }

    #[test]
    fn any_changed_bit_keeps_a_seal_shut(place in 0..SEALED_LEN, bit in 0..8_u8) {
        let identity = Identity::from_seed(&[3; 32]);
        let mut sealed = sealed(&identity.public(), b"army 7", &GroupKey::from_bytes([42; 32])).unwrap();
        sealed[place] ^= 1 << bit;
        prop_assert_eq!(open(&identity, b"army 7", &sealed), Err(OpenError::NotForUs));
    }

    #[test]
    fn any_bytes_open_or_are_refused(sealed in prop::collection::vec(any::<u8>(), 0..120)) {
        prop_assert!(open(&Identity::from_seed(&[3; 32]), b"", &sealed).is_err());
    }
}
