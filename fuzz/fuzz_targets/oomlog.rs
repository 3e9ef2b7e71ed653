//! A log of any bytes is read and explained. Begin with the real reports:
//! `cargo +nightly fuzz run oomlog -- -max_len=65536 ../crates/headroom-core/tests/data`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/headroom-core/tests/fuzz/oomlog.rs"]
mod entry;

fuzz_target!(|log: &[u8]| entry::explain(log));
