//! The limited zone: what `headroom setup` would write on a node. Facts in, files with their contents
//! out; nothing here touches a disk.
//!
//! The layout is systemd's own (`systemd.resource-control(5)`, `systemd.slice(5)`): the shop's services and
//! cron move into `limited.slice`, whose MemoryMax leaves a reserve to the system and root; drop-ins give
//! each unit its part.

mod render;
mod services;
pub mod sizes;

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use crate::policy::{Percent, SetupValues, Size};
use crate::units::Kib;

pub use services::{Config, Part, Service};

/// The zone's unit, which is also the built-in policy's zone.
pub const ZONE: &str = "limited.slice";
/// Where the administrator's units are (`systemd.unit(5)`).
pub const UNIT_DIR: &str = "/etc/systemd/system";
/// The name of every drop-in.
pub const DROP_IN: &str = "10-headroom.conf";
/// What sets MGLRU's thrashing prevention at boot (`tmpfiles.d(5)`).
pub const MGLRU_FILE: &str = "/etc/tmpfiles.d/headroom-mglru.conf";

/// A unit of a known service that is installed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its file's name, `mariadb.service` or `postgresql@.service`.
    pub name: String,
    /// What it is.
    pub service: &'static Service,
    /// What it holds now and reclaim could not take; `None` while it does not run.
    pub uses: Option<Kib>,
    /// What its configuration lets it take, where that says so.
    pub configured: Option<Kib>,
    /// The MemoryLow an earlier setup gave it. It stays, so that a second run has nothing to do.
    pub low_before: Option<Kib>,
}

/// What is known of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its RAM, `MemTotal`.
    pub ram: Kib,
    /// Known units, in the order of their names.
    pub units: Vec<Unit>,
}

/// What was asked for beyond the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// The reserve, instead of the policy's.
    pub reserve: Option<Reserve>,
    /// Users whose slices are limited; all but root when none is named.
    pub uids: Vec<u32>,
    /// Also write MGLRU's `min_ttl_ms`.
    pub mglru: bool,
}

/// Memory that stays outside the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// This much.
    Size(Size),
    /// A share of the RAM, but no less than the policy's least.
    Share(Percent),
}

impl FromStr for Reserve {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(share) => Ok(Self::Share(share)),
            Err(_) => text.parse().map(Self::Size).map_err(|why: String| why + ", nor \"10%\""),
        }
    }
}

/// A file to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Absolute path.
    pub path: String,
    /// All of it.
    pub contents: String,
}

/// What setup would make of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// MemoryMax of the zone.
    pub limit: Kib,
    /// All files, in the order in which they are written: a slice before who moves into it.
    pub files: Vec<File>,
    /// Units that belong into the zone and move there when they are restarted.
    pub moves: Vec<String>,
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The reserve leaves less than half of the RAM to the zone.
    ReserveTooLarge {
        /// What was to be reserved.
        reserve: Kib,
        /// Of how much.
        ram: Kib,
    },
}

/// What setup would make of the node of these facts.
///
/// # Errors
///
/// When what is asked for leaves no room for the shop.
pub fn plan(facts: &Facts, choices: &Choices, values: &SetupValues) -> Result<Plan, Refusal> {
    let reserve = match choices.reserve {
        Some(Reserve::Size(size)) => size.0,
        Some(Reserve::Share(share)) => of(facts.ram, share).max(values.reserve_min.0),
        None => of(facts.ram, values.reserve).max(values.reserve_min.0),
    };
    if reserve > of(facts.ram, Percent(50)) {
        return Err(Refusal::ReserveTooLarge { reserve, ram: facts.ram });
    }
    let limit = whole_mib(facts.ram.saturating_sub(reserve));
    let lows = lows(facts, limit, values);
    let total_low = lows.iter().flatten().fold(Kib::ZERO, |sum, low| sum.saturating_add(*low));
    let high = whole_mib(of(limit, values.expendable_high));

    let mut files = Vec::new();
    files.push(render::zone(limit, total_low, values));
    for (unit, low) in facts.units.iter().zip(lows) {
        files.push(render::unit(unit, low, high, values));
    }
    files.extend(render::sessions(&choices.uids, limit, high, values));
    if choices.mglru {
        files.push(render::mglru(values));
    }
    let moves = facts.units.iter().map(|unit| unit.name.clone()).collect();
    Ok(Plan { limit, files, moves })
}

/// MemoryLow of each unit, `None` for those that are not protected. Together they stay within
/// `low_most` of the zone: what protects everything protects nothing.
fn lows(facts: &Facts, limit: Kib, values: &SetupValues) -> Vec<Option<Kib>> {
    let wanted: Vec<_> = facts.units.iter().map(|unit| wanted_low(unit, values)).collect();
    let total = wanted.iter().flatten().map(|low| low.0).sum::<u64>();
    let most = of(limit, values.low_most).0;
    let fit = |low: Kib| {
        let share = u128::from(low.0) * u128::from(most) / u128::from(total.max(1));
        whole_mib(Kib(u64::try_from(share).unwrap_or(most)))
    };
    let scale = |low: Option<Kib>| low.map(|low| if total > most { fit(low) } else { low });
    wanted.into_iter().map(scale).collect()
}

fn wanted_low(unit: &Unit, values: &SetupValues) -> Option<Kib> {
    let Part::Essential { usual_mib } = unit.service.part else { return None };
    let usual = || {
        let known = unit.uses.max(unit.configured).unwrap_or(Kib::from_mib(usual_mib));
        let margin = of(known, values.low_margin);
        // To the next 8 MiB: nobody needs it finer, and it reads better.
        Kib::from_mib(known.saturating_add(margin).0.div_ceil(8 * 1024).saturating_mul(8))
    };
    Some(unit.low_before.unwrap_or_else(usual))
}

fn of(whole: Kib, share: Percent) -> Kib {
    whole.percent(u64::from(share.0))
}

const fn whole_mib(size: Kib) -> Kib {
    Kib(size.0 / 1024 * 1024)
}
