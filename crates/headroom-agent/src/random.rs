//! Random bytes of the kernel, and bytes as text.

use std::fmt::Write;

use ring::rand::{SecureRandom, SystemRandom};

/// Bytes nobody can guess.
///
/// # Panics
///
/// When the kernel has no randomness to give: nothing secret could be made then.
#[expect(clippy::expect_used, reason = "getrandom(2) does not fail on a running system")]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the kernel gives randomness");
    bytes
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
