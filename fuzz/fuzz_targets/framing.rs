//! Whatever comes over a socket is read as frames: `cargo +nightly fuzz run framing`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/headroom-api/tests/fuzz/framing.rs"]
mod entry;

fuzz_target!(|wire: &[u8]| entry::framing(wire));
