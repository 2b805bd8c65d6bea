#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let digits: Vec<u8> = hex.bytes().map(|c| (c as char).to_digit(16).unwrap() as u8).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    bytes.try_into().unwrap()
}

/// The first and third examples of RFC 8032 §7.1: seed, public key, message, signature.
const RFC_8032: [(&str, &str, &[u8], &str); 2] = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        b"",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        &[0xaf, 0x82],
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
];

#[test]
fn keys_and_signatures_are_those_of_rfc_8032() {
    for (seed, public, message, signature) in RFC_8032 {
        let identity = Identity::from_seed(&bytes(seed));
        assert_eq!(identity.public().as_bytes(), &bytes(public));
        assert_eq!(identity.sign(message).as_bytes(), &bytes(signature));
        identity.public().verify(message, &Signature::from_bytes(bytes(signature))).unwrap();
        assert_eq!(*identity.seed(), bytes(seed));
    }
}

#[test]
fn a_signature_fits_one_key_and_one_message() {
    let (one, other) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
    let signature = one.sign(b"hold the bridge");
    assert_eq!(one.public().verify(b"hold the bridge", &signature), Ok(()));
    assert_eq!(one.public().verify(b"leave the bridge", &signature), Err(BadSignature));
    assert_eq!(other.public().verify(b"hold the bridge", &signature), Err(BadSignature));
}

#[test]
fn two_generated_keys_differ() {
    assert_ne!(Identity::generate().unwrap().public(), Identity::generate().unwrap().public());
}

#[test]
fn points_of_small_order_are_refused() {
    // The identity, the point of order two, and two of order eight.
    let weak = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    for point in weak {
        let refused = PublicKey::from_bytes(&bytes(point));
        assert!(matches!(refused, Err(PublicKeyError::Weak)), "{point}: {refused:?}");
    }
}

#[test]
fn a_second_encoding_of_a_point_is_refused() {
    // y = p + 3 encodes the same point as y = 3, which is on the curve and of large order.
    let first = bytes("0300000000000000000000000000000000000000000000000000000000000000");
    let second = bytes("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    PublicKey::from_bytes(&first).unwrap();
    assert!(matches!(PublicKey::from_bytes(&second), Err(PublicKeyError::NotCanonical)));
}

#[test]
fn bytes_off_the_curve_are_refused() {
    let refused = PublicKey::from_bytes(&bytes("0200000000000000000000000000000000000000000000000000000000000000"));
    assert!(matches!(refused, Err(PublicKeyError::NotAPoint)), "{refused:?}");
}

#[test]
fn nothing_of_the_secret_is_in_the_debug_form() {
    let identity = Identity::from_seed(&[7; 32]);
    let shown = format!("{identity:?}");
    assert_eq!(shown, format!("Identity({})", identity.public().fingerprint()));
    assert!(shown.starts_with("Identity(SHA256:"));
}

#[test]
fn a_public_line_keeps_its_comment_and_stays_one_line() {
    let key = Identity::from_seed(&[3; 32]).public();
    let line = key.to_openssh("Army3\nssh-ed25519 AAAA\u{1b}[2J");
    assert_eq!(line.lines().count(), 1);
    let (read, comment) = PublicKey::from_openssh(&line).unwrap();
    assert_eq!(read, key);
    assert_eq!(comment, "Army3ssh-ed25519 AAAA[2J");
    assert_eq!(PublicKey::from_openssh(&format!("  {}\r\n", key.to_openssh(""))).unwrap(), (key, String::new()));
}

#[test]
fn what_is_no_ed25519_public_line_is_refused_by_what_it_is() {
    let line = Identity::from_seed(&[3; 32]).public().to_openssh("Army3");
    let refusal = |text: &str| PublicKey::from_openssh(text).unwrap_err().to_string();
    assert_eq!(refusal(""), "not a public key line: it does not begin with ssh-ed25519");
    assert_eq!(refusal("hello"), "not a public key line: it does not begin with ssh-ed25519");
    assert_eq!(refusal("ssh-rsa AAAA x"), "not an Ed25519 key but ssh-rsa");
    assert_eq!(refusal("ecdsa-sha2-nistp256 AAAA x"), "not an Ed25519 key but ecdsa-sha2-nistp256");
    assert_eq!(refusal("sk-ssh-ed25519@openssh.com AAAA x"), "not an Ed25519 key but sk-ssh-ed25519@openssh.com");
    assert_eq!(refusal("-----BEGIN OPENSSH PRIVATE KEY-----\n"), "a private key was given where a public one belongs");
    assert_eq!(refusal(&format!("{line}\n{line}")), "several lines where one public key belongs");
    assert_eq!(refusal("ssh-ed25519 AAAA!"), "damaged public key line");
    assert_eq!(refusal(&format!("{line} {}", "x".repeat(9000))), "public key line of 9087 bytes, longer than 8192");
}

#[test]
fn a_weak_key_in_a_public_line_is_refused() {
    let mut identity_point = [0; 32];
    identity_point[0] = 1;
    let line = PublicKey(identity_point).to_openssh("mole");
    assert!(matches!(PublicKey::from_openssh(&line), Err(PublicKeyError::Weak)));
}

proptest! {
    #[test]
    fn any_32_bytes_are_a_key_or_refused(bytes: [u8; 32]) {
        if let Ok(key) = PublicKey::from_bytes(&bytes) {
            prop_assert_eq!(key.as_bytes(), &bytes);
            prop_assert_eq!(PublicKey::from_openssh(&key.to_openssh("x")).unwrap().0, key);
        }
    }

    #[test]
    fn any_text_is_a_line_or_refused(text in ".{0,200}") {
        drop(PublicKey::from_openssh(&text));
        drop(PublicKey::from_openssh(&format!("ssh-ed25519 {text}")));
    }

    #[test]
    fn any_damaged_line_is_read_as_the_same_key_or_refused(seed: [u8; 32], at in 0..80_usize, byte in 32..127_u8) {
        let key = Identity::from_seed(&seed).public();
        let mut line = key.to_openssh("Army3").into_bytes();
        let place = at % line.len();
        line.splice(place..=place, [byte]);
        let line = String::from_utf8(line).unwrap();
        if let Ok((read, _)) = PublicKey::from_openssh(&line) {
            prop_assert_eq!(PublicKey::from_bytes(read.as_bytes()).unwrap(), read);
        }
    }

    #[test]
    fn any_seed_signs_what_its_public_half_accepts(seed: [u8; 32], message: Vec<u8>) {
        let identity = Identity::from_seed(&seed);
        prop_assert_eq!(PublicKey::from_bytes(identity.public().as_bytes()).unwrap(), identity.public());
        prop_assert_eq!(identity.public().verify(&message, &identity.sign(&message)), Ok(()));
    }

    #[test]
    fn any_changed_signature_is_refused(place in 0..64_usize, bit in 0..8_u8) {
        let identity = Identity::from_seed(&[9; 32]);
        let mut changed = *identity.sign(b"text").as_bytes();
        changed.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << bit);
        prop_assert_eq!(identity.public().verify(b"text", &Signature::from_bytes(changed)), Err(BadSignature));
    }
}
