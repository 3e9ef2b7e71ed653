//! How long an address that failed is left alone.

use std::time::Duration;

use headroom_core::fnv::Fnv;

/// After the first failure.
const FIRST_S: u64 = 10;

/// Never longer than this: an hour's outage costs at most a quarter of an hour more.
const LONGEST_S: u64 = 15 * 60;

/// What a receiver may ask for.
const LONGEST_ASKED_S: u64 = 3600;

/// How long to wait after so many failures in a row: doubled each time, with up to a quarter more by
/// `seed`, so that ten thousand nodes whose mail server comes back do not call at the same moment.
pub(super) fn after(failures: u32, asked: Option<Duration>, seed: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let base = (FIRST_S << doublings).min(LONGEST_S);
    let asked = asked.map_or(0, |asked| asked.as_secs().min(LONGEST_ASKED_S));
    let wait = base.max(asked);
    // SplitMix64's finish: neighbouring seeds give unrelated waits.
    let mut mixed = seed.wrapping_add(u64::from(failures).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    Duration::from_millis(wait * 1000 + mixed % (wait * 250 + 1))
}

/// A seed that differs from node to node and from address to address.
pub(super) fn seed(parts: &[&str]) -> u64 {
    let mut hash = Fnv::default();
    for part in parts {
        hash.add_all(part.as_bytes());
        hash.add(0);
    }
    hash.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end_at_a_quarter_of_an_hour() {
        for (failures, least) in [(1, 10), (2, 20), (3, 40), (7, 640), (8, 900), (1000, 900)] {
            let wait = after(failures, None, 1);
            let most = Duration::from_millis(least * 1250);
            assert!(wait >= Duration::from_secs(least) && wait <= most, "{failures}: {wait:?}");
        }
    }

    #[test]
    fn a_receiver_may_ask_for_more_but_not_for_ever() {
        assert!(after(1, Some(Duration::from_secs(120)), 1) >= Duration::from_secs(120));
        assert!(after(1, Some(Duration::from_secs(1 << 40)), 1) <= Duration::from_secs(4500));
    }

    #[test]
    fn nodes_do_not_all_come_back_at_once() {
        let waits: std::collections::BTreeSet<Duration> =
            (0..100).map(|n| after(8, None, seed(&[&format!("shop{n}"), "smtp"]))).collect();
        assert!(waits.len() > 90, "{}", waits.len());
    }
}
