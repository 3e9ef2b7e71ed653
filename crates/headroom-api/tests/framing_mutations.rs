//! Damages frames in the ways a hostile peer would: refused with words, never a panic, and never more
//! memory than bytes that came.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

#[path = "fuzz/framing.rs"]
mod entry;
#[path = "../../headroom-core/tests/fuzz/random.rs"]
mod random;

use random::Random;
use serde_json::json;

#[test]
fn a_damaged_frame_is_refused_or_read() {
    const VARIANTS: usize = 3000;
    let mut wire = Vec::new();
    for value in [
        json!({"request": "status"}),
        json!(["a", 1, -1.5e300, null, {"b": [true, "\u{1b}[0m"]}]),
        json!("x".repeat(5000)),
    ] {
        headroom_api::frame::write(&mut wire, &value).expect("written into memory");
    }
    let mut random = Random(0xf7a3e);
    for _ in 0..VARIANTS {
        let mut damaged = wire.clone();
        for _ in 0..=random.below(6) {
            let at = random.below(damaged.len());
            match random.below(4) {
                0 => damaged.truncate(at.max(1)),
                1 => damaged[at] = random.byte(),
                2 => drop(damaged.splice(at..at, [0xff; 4])),
                _ => drop(damaged.splice(at..at, *b"[[[[[[[[")),
            }
        }
        entry::framing(&damaged);
    }
}

#[test]
fn depth_without_end_is_refused() {
    let mut wire = 3000_u32.to_be_bytes().to_vec();
    wire.extend_from_slice(&[b'['; 3000]);
    entry::framing(&wire);
}
