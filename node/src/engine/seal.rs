//! Sealing a record's text under the group's epoch key.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use muster_keys::GroupKey;
use zeroize::Zeroizing;

use super::wire::{Frame, Header};

/// A text is at most this many bytes of UTF-8 after trimming.
pub const MAX_TEXT_LEN: usize = 4096;

/// Texts are padded to a multiple of this many bytes, so that a length says little about what was said.
const PADDING: usize = 64;

/// Ends the text inside its padding; zeros follow (ISO/IEC 7816-4).
const PADDING_MARK: u8 = 0x80;

/// A text could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// The cipher refused: wrong key, or bytes that were changed.
    #[error("the cipher refused")]
    Cipher,
    /// What was sealed is not padded text.
    #[error("not padded text")]
    NotText,
}

/// Seals `text` and binds it to `header`.
///
/// # Errors
/// [`SealError::Cipher`] where the cipher fails, which it does not for texts of permitted length.
pub(crate) fn seal(key: &GroupKey, header: &Header, nonce: &[u8; 24], text: &str) -> Result<Vec<u8>, SealError> {
    let padded_len = (text.len() + 1).next_multiple_of(PADDING);
    let mut padded = Zeroizing::new(Vec::with_capacity(padded_len));
    padded.extend_from_slice(text.as_bytes());
    padded.push(PADDING_MARK);
    padded.resize(padded_len, 0);
    let aad = header.associated_data();
    cipher(key).encrypt(&XNonce::from(*nonce), Payload { msg: &padded, aad: &aad }).map_err(|_| SealError::Cipher)
}

/// Opens a record's text.
///
/// # Errors
/// [`SealError`] where the key is another, the bytes were changed, or the content is no text of permitted length.
pub(crate) fn open(key: &GroupKey, frame: &Frame) -> Result<Zeroizing<String>, SealError> {
    let aad = frame.header().associated_data();
    let padded = cipher(key)
        .decrypt(&XNonce::from(*frame.nonce()), Payload { msg: frame.body(), aad: &aad })
        .map_err(|_| SealError::Cipher)?;
    let padded = Zeroizing::new(padded);
    let end = padded.iter().rposition(|byte| *byte != 0).ok_or(SealError::NotText)?;
    let (text, mark) = padded.split_at_checked(end).ok_or(SealError::NotText)?;
    if mark.first() != Some(&PADDING_MARK) || text.is_empty() || text.len() > MAX_TEXT_LEN {
        return Err(SealError::NotText);
    }
    let text = std::str::from_utf8(text).map_err(|_| SealError::NotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn cipher(key: &GroupKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_bytes().into())
}
