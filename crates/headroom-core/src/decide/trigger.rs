//! Whether relief is called for, and why.

use core::time::Duration;

use crate::action::{Measured, Trigger};
use crate::policy::Thresholds;
use crate::units::Kib;

/// With swap left, memory that falls faster than this, a second, is being taken.
const FALLS: Kib = Kib::from_mib(4);
/// With swap left, this share of what counts as thrashing says that the swap is in use and not just full
/// of what nobody wants.
const IN_USE_SHARE: u64 = 10;
/// Pages are read again for want of memory only while less than this share of the limit is available, in per
/// cent. Above it the cache is large and a reader of more than fits goes through it: whoever ended would only
/// give it more cache to fill.
const CACHE_IS_LARGE: u64 = 30;

/// The first reason to act, from the most to the least certain.
pub(super) fn trigger(now: &Measured, by: &Thresholds) -> Option<Trigger> {
    let thrashing = now.available < now.limit.percent(CACHE_IS_LARGE)
        && now.stall_percent.is_some_and(|s| s >= by.stall.0.max(1))
        && now.refaults.is_some_and(|r| r >= u64::from(by.refaults));
    if by.kernel_kills > 0 && now.kills >= by.kernel_kills {
        Some(Trigger::Kills)
    } else if now.available < now.floor && is_on_the_move(now, by) {
        Some(Trigger::Floor)
    } else if gone_in(now).is_some_and(|time| time < by.horizon.0) {
        Some(Trigger::Horizon)
    } else if thrashing {
        Some(Trigger::Thrashing)
    } else {
        None
    }
}

/// Whether a floor that is reached means anything. Without swap it does. With swap left a node can rest
/// under its floor for ever, its cold pages swapped out and nobody waiting.
fn is_on_the_move(now: &Measured, by: &Thresholds) -> bool {
    let stalls = now.stall_percent.is_some_and(|s| s >= (by.stall.0 / 4).max(1));
    let reads_again = now.refaults.is_some_and(|r| r >= u64::from(by.refaults) / IN_USE_SHARE);
    now.swap_free < now.floor || now.falling_kib_s >= FALLS.0 || stalls || reads_again
}

/// When headroom will be gone at the present rate; `None` when it does not shrink.
pub(super) fn gone_in(now: &Measured) -> Option<Duration> {
    let millis = now.headroom().0.saturating_mul(1000).checked_div(now.falling_kib_s)?;
    Some(Duration::from_millis(millis))
}
