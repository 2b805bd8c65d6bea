//! The file `peers.cbor`: where members could be reached last, so that a node that starts where multicast does not
//! reach finds them again.
//!
//! No more than a cache: one that is lost or damaged costs a search. It is the CBOR array `[1, [[member, [address, …]],
//! …]]`, read in its one canonical encoding and within its bounds only.

use std::io;

use muster_keys::PublicKey;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, Bytes};

use super::{Home, read_bounded, replace_file};
use crate::engine::hello::{MAX_ADDRESS_LEN, MAX_PEER_ADDRESSES};
use crate::net::{MAX_PLACES, Place};

/// The layout of the file.
const VERSION: u64 = 1;

/// What a member's key and each of its addresses cost beside their own bytes, rounded up.
const OVERHEAD_LEN: usize = 8;

/// The longest file that is read: every member remembered with every address at its longest.
const MAX_FILE_LEN: usize =
    OVERHEAD_LEN + MAX_PLACES * (32 + OVERHEAD_LEN + MAX_PEER_ADDRESSES * (MAX_ADDRESS_LEN + OVERHEAD_LEN));

#[derive(Serialize, Deserialize)]
struct Fields<'a>(u64, #[serde(borrow)] Vec<(ByteArray<32>, Vec<&'a Bytes>)>);

/// Why a file of peers is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum DecodeError {
    #[error("not a list of peers in its canonical encoding")]
    Malformed,
    #[error("a list of version {0}, expected {VERSION}")]
    UnknownVersion(u64),
    #[error("a field holds an impossible value")]
    BadField,
}

impl Home {
    /// Reads where members could be reached last; nothing where the file is missing, and where it is damaged, which is
    /// logged.
    #[must_use]
    pub fn read_places(&self) -> Vec<Place> {
        let path = self.peers_path();
        let read = match read_bounded(&path, MAX_FILE_LEN as u64) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => Err(error),
            Ok(bytes) => decode(&bytes).map_err(io::Error::other),
        };
        read.unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "the peers met before are forgotten");
            Vec::new()
        })
    }

    /// Keeps where members can be reached, in place of what was known before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_places(&self, places: &[Place]) -> io::Result<()> {
        replace_file(&self.peers_path(), &encode(places))
    }
}

fn encode(places: &[Place]) -> Vec<u8> {
    let places = places.iter().map(|place| {
        let addresses = place.addresses.iter().map(|address| Bytes::new(address));
        (ByteArray::new(*place.member.as_bytes()), addresses.collect())
    });
    // Integers, bytes and lists of them: nothing in it can fail to encode, and a buffer takes all that is written.
    serde_cbor::to_vec(&Fields(VERSION, places.collect())).unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Result<Vec<Place>, DecodeError> {
    let Fields(version, listed) = serde_cbor::from_slice(bytes).map_err(|_| DecodeError::Malformed)?;
    if version != VERSION {
        return Err(DecodeError::UnknownVersion(version));
    }
    if listed.len() > MAX_PLACES {
        return Err(DecodeError::BadField);
    }
    let places = listed.iter().map(|(key, addresses)| {
        let fits = |address: &&Bytes| !address.is_empty() && address.len() <= MAX_ADDRESS_LEN;
        if addresses.len() > MAX_PEER_ADDRESSES || !addresses.iter().all(fits) {
            return Err(DecodeError::BadField);
        }
        let member = PublicKey::from_bytes(key).map_err(|_| DecodeError::BadField)?;
        Ok(Place { member, addresses: addresses.iter().map(|address| address.to_vec()).collect() })
    });
    let places = places.collect::<Result<Vec<Place>, DecodeError>>()?;
    if encode(&places) == bytes { Ok(places) } else { Err(DecodeError::Malformed) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::fs;

    use muster_keys::Identity;
    use proptest::prelude::*;

    use super::*;

    fn place(n: u8, addresses: usize, len: usize) -> Place {
        let member = Identity::from_seed(&[n; 32]).public();
        Place { member, addresses: vec![vec![n; len]; addresses] }
    }

    #[test]
    fn places_are_kept_from_one_run_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        assert_eq!(home.read_places(), []);
        let places = vec![place(1, 2, 8), place(2, 0, 0), place(3, MAX_PEER_ADDRESSES, MAX_ADDRESS_LEN)];
        home.write_places(&places).unwrap();
        assert_eq!(home.read_places(), places);
        home.write_places(&[]).unwrap();
        assert_eq!(home.read_places(), []);
    }

    #[test]
    fn a_damaged_file_is_ignored_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let places = vec![place(1, 2, 8)];
        let whole = encode(&places);
        let trailing = [whole.as_slice(), &[0]].concat();
        for damaged in [&whole[1..], &whole[..whole.len() - 1], &trailing, &vec![0; MAX_FILE_LEN + 1]] {
            fs::write(home.peers_path(), damaged).unwrap();
            assert_eq!(home.read_places(), []);
        }
        home.write_places(&places).unwrap();
        assert_eq!(home.read_places(), places);
    }

    #[test]
    fn lists_beyond_their_bounds_are_refused_and_the_fullest_is_read() {
        assert_eq!(decode(&encode(&[place(1, MAX_PEER_ADDRESSES + 1, 8)])), Err(DecodeError::BadField));
        assert_eq!(decode(&encode(&[place(1, 1, MAX_ADDRESS_LEN + 1)])), Err(DecodeError::BadField));
        assert_eq!(decode(&encode(&[place(1, 1, 0)])), Err(DecodeError::BadField));
        let full = vec![place(1, MAX_PEER_ADDRESSES, MAX_ADDRESS_LEN); MAX_PLACES];
        let bytes = encode(&full);
        assert!(bytes.len() <= MAX_FILE_LEN);
        assert_eq!(decode(&bytes), Ok(full.clone()));
        let beyond = [full, vec![place(2, 1, 8)]].concat();
        assert_eq!(decode(&encode(&beyond)), Err(DecodeError::BadField));
        let newer = serde_cbor::to_vec(&Fields(2, Vec::new())).unwrap();
        assert_eq!(decode(&newer), Err(DecodeError::UnknownVersion(2)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_what_is_read_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(places) = decode(&bytes) {
                prop_assert_eq!(encode(&places), bytes);
            }
        }

        #[test]
        fn a_flipped_bit_is_refused_or_means_something_else(at in 0..200_usize, bit in 0..8_u8) {
            let places = vec![place(1, 2, 8), place(2, 2, 20)];
            let mut bytes = encode(&places);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert_ne!(decode(&bytes), Ok(places));
        }
    }
}
