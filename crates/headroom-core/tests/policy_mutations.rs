//! Damages the shipped policy in the ways a file is damaged, and reads it all the same: refused with words,
//! or in force, but never a panic.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

use headroom_core::policy::BUILT_IN;

#[path = "fuzz/policy.rs"]
mod entry;
#[path = "fuzz/random.rs"]
mod random;

use random::Random;

#[test]
fn a_damaged_policy_is_refused_or_in_force() {
    const VARIANTS: usize = 300;
    let mut random = Random(0x90_11c7);
    for _ in 0..VARIANTS {
        let mut text = BUILT_IN.as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            damage(&mut text, &mut random);
        }
        entry::policy(&text);
    }
}

#[test]
fn every_beginning_of_the_policy_is_refused_or_in_force() {
    for end in (0..BUILT_IN.len()).step_by(97) {
        entry::policy(&BUILT_IN.as_bytes()[..end]);
    }
}

fn damage(text: &mut Vec<u8>, random: &mut Random) {
    const PIECES: [&[u8]; 10] = [
        b"[[rule]]\n",
        b"\"",
        b"= -1\n",
        b"= 99999999999999999999\n",
        b"\n\n[[",
        b"= \"50%%\"\n",
        b"= [[[[[[[[[[[[[[[[",
        b"\xff\xfe",
        b"= nan\n",
        b"'''",
    ];
    let at = random.below(text.len().max(1)).min(text.len());
    match random.below(5) {
        0 => text.truncate(at),
        1 => drop(text.drain(at..(at + random.below(40)).min(text.len()))),
        2 => {
            let byte = random.byte();
            if let Some(slot) = text.get_mut(at) {
                *slot = byte;
            }
        }
        3 => {
            let end = (at + random.below(400)).min(text.len());
            let part = text[at..end].to_vec();
            drop(text.splice(at..at, part));
        }
        _ => drop(text.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
    }
}
