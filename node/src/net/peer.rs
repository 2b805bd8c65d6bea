//! The two names of a node: its role key, and the peer id that libp2p derives from it.

use std::fmt;

use libp2p::PeerId;
use libp2p::identity::{self, Keypair, ed25519};
use muster_keys::{Identity, PublicKey};
use zeroize::Zeroize;

/// The multihash code of a peer id that contains its key whole, as those of Ed25519 keys do (libp2p "Peer Ids" specification).
const IDENTITY_HASH: u64 = 0;

/// Returns the key pair with which libp2p proves the role key.
pub(crate) fn keypair(identity: &Identity) -> Option<Keypair> {
    let mut seed = identity.seed();
    let keypair = Keypair::ed25519_from_bytes(seed.as_mut_slice()).ok();
    // The library wipes what it was given as well; this does not depend on it.
    seed.zeroize();
    keypair
}

/// Returns the peer id of a role key.
pub(crate) fn peer_id(key: &PublicKey) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(key.as_bytes()).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

/// Returns the role key of a peer id, unless it is no Ed25519 key or one that no member may have.
pub(crate) fn role_key(peer: &PeerId) -> Option<PublicKey> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY_HASH {
        return None;
    }
    let key = identity::PublicKey::try_decode_protobuf(hash.digest()).ok()?.try_into_ed25519().ok()?;
    PublicKey::from_bytes(&key.to_bytes()).ok()
}

/// Shows a peer by the fingerprint of its role key, the name that people can check, or else by its peer id.
pub(crate) struct Named<'a>(pub(crate) &'a PeerId);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match role_key(self.0) {
            Some(key) => key.fmt(f),
            None => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_role_key_and_its_peer_id_name_each_other() {
        let identity = Identity::from_seed(&[7; 32]);
        let peer = peer_id(&identity.public()).unwrap();
        assert_eq!(role_key(&peer), Some(identity.public()));
        assert_eq!(keypair(&identity).unwrap().public().to_peer_id(), peer);
    }

    #[test]
    fn peer_ids_of_no_role_key_have_none() {
        assert_eq!(role_key(&PeerId::random()), None);
        // The neutral element of the curve is a key for libp2p, and under it anybody can sign.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let weak = identity::PublicKey::from(ed25519::PublicKey::try_from_bytes(&neutral).unwrap()).to_peer_id();
        assert_eq!(role_key(&weak), None);
    }
}
