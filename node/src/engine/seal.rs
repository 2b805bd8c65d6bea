//! Sealing a record's content under the group's epoch key.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use muster_keys::GroupKey;
use zeroize::Zeroizing;

use super::content::Content;
use super::wire::{Frame, Header, Kind};

/// Texts are padded to a multiple of this many bytes, so that a length says little about what was said.
const PADDING: usize = 64;

/// Receipts are padded to a multiple of this: how many messages came in a while is plain from their headers anyway.
const RECEIPT_PADDING: usize = 16;

/// Ends the text inside its padding; zeros follow (ISO/IEC 7816-4).
const PADDING_MARK: u8 = 0x80;

/// A text could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// The cipher refused: wrong key, or bytes that were changed.
    #[error("the cipher refused")]
    Cipher,
    /// What was sealed is no padded content of the record's kind.
    #[error("no content of its kind")]
    NotContent,
}

/// Seals a content and binds it to `header`.
///
/// # Errors
/// [`SealError::Cipher`] where the cipher fails, which it does not for texts of permitted length.
pub(crate) fn seal(key: &GroupKey, header: &Header, nonce: &[u8; 24], content: &Content) -> Result<Vec<u8>, SealError> {
    let text = content.encode();
    let padding = if header.kind == Kind::Receipt { RECEIPT_PADDING } else { PADDING };
    let padded_len = (text.len() + 1).next_multiple_of(padding);
    let mut padded = Zeroizing::new(Vec::with_capacity(padded_len));
    padded.extend_from_slice(&text);
    padded.push(PADDING_MARK);
    padded.resize(padded_len, 0);
    let aad = header.associated_data();
    cipher(key).encrypt(&XNonce::from(*nonce), Payload { msg: &padded, aad: &aad }).map_err(|_| SealError::Cipher)
}

/// Opens a record's content.
///
/// # Errors
/// [`SealError`] where the key is another, the bytes were changed, or there is no content of the record's kind in it.
pub(crate) fn open(key: &GroupKey, frame: &Frame) -> Result<Content, SealError> {
    let aad = frame.associated_data();
    let padded = cipher(key)
        .decrypt(&XNonce::from(*frame.nonce()), Payload { msg: frame.body(), aad: &aad })
        .map_err(|_| SealError::Cipher)?;
    let padded = Zeroizing::new(padded);
    let end = padded.iter().rposition(|byte| *byte != 0).ok_or(SealError::NotContent)?;
    let (text, mark) = padded.split_at_checked(end).ok_or(SealError::NotContent)?;
    if mark.first() != Some(&PADDING_MARK) {
        return Err(SealError::NotContent);
    }
    Content::decode(text, frame.header().kind).ok_or(SealError::NotContent)
}

fn cipher(key: &GroupKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_bytes().into())
}
