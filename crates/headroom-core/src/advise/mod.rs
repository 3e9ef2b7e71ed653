//! What to change so that memory does not run out again: facts of a node in, advices out, ranked by
//! what each would give back.
//!
//! [`facts`] is what was seen, [`parse`] reads it out of the texts of configuration files and logs, `room`
//! is what is left for a service, and under `kinds` each advice has a file of its own. An advice never
//! comes without its figure, and one that would give back next to nothing does not come at all.

mod advice;
pub mod facts;
mod kinds;
pub mod parse;
mod room;

pub use advice::{Advice, Confidence, Evidence, Kind, Risk};
pub use facts::Facts;
pub use room::{Room, worth};

use alloc::vec::Vec;

/// Everything there is to advise on this node, what gives back most first.
#[must_use]
pub fn advise(facts: &Facts) -> Vec<Advice> {
    let mut advices: Vec<Advice> = kinds::ALL.iter().flat_map(|kind| kind(facts)).collect();
    rank(&mut advices);
    advices.extend(kinds::plan::advice(facts, &advices));
    rank(&mut advices);
    advices
}

/// By the memory each gives back, then by how sure it is, then by its id: the same facts give the same
/// order.
fn rank(advices: &mut [Advice]) {
    advices.sort_by(|a, b| {
        b.gives()
            .cmp(&a.gives())
            .then_with(|| a.confidence.cmp(&b.confidence))
            .then_with(|| a.kind.id().cmp(b.kind.id()))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Kib;

    #[test]
    fn nothing_known_is_nothing_to_say() {
        assert_eq!(advise(&Facts::default()), Vec::new());
    }

    #[test]
    fn what_gives_back_most_comes_first() {
        let of = |kind, kib| Advice { cuts_peak: Some(Kib(kib)), ..Advice::of(kind) };
        let mut advices = [of(Kind::NoSwap, 10), of(Kind::RedisUnbounded, 30), of(Kind::PsiOff, 0)];
        rank(&mut advices);
        let order: Vec<_> = advices.iter().map(|advice| advice.kind.id()).collect();
        assert_eq!(order, ["redis-unbounded", "no-swap", "psi-off"]);
    }
}
