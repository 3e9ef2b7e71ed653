//! Whether relief is called for, and why.

use core::time::Duration;

use crate::action::{Measured, Trigger};
use crate::policy::Thresholds;

/// The first reason to act, from the most to the least certain.
pub(super) fn trigger(now: &Measured, by: &Thresholds) -> Option<Trigger> {
    let thrashing = now.stall_percent.is_some_and(|s| s >= by.stall.0.max(1))
        && now.refaults.is_some_and(|r| r >= u64::from(by.refaults));
    if by.kernel_kills > 0 && now.kills >= by.kernel_kills {
        Some(Trigger::Kills)
    } else if now.available < now.floor {
        Some(Trigger::Floor)
    } else if gone_in(now).is_some_and(|time| time < by.horizon.0) {
        Some(Trigger::Horizon)
    } else if thrashing {
        Some(Trigger::Thrashing)
    } else {
        None
    }
}

/// When headroom will be gone at the present rate; `None` when it does not shrink.
pub(super) fn gone_in(now: &Measured) -> Option<Duration> {
    let millis = now.headroom().0.saturating_mul(1000).checked_div(now.falling_kib_s)?;
    Some(Duration::from_millis(millis))
}
