//! A policy of any text is refused or in force. Begin with the shipped one:
//! `cargo +nightly fuzz run policy -- ../policy`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/headroom-core/tests/fuzz/policy.rs"]
mod entry;

fuzz_target!(|text: &[u8]| entry::policy(text));
