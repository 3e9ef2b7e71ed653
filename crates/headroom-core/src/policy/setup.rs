//! The numbers `headroom setup` builds the limited zone by: `[setup]` in the policy.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::value::{Percent, Size, Written};

/// Declares the numbers once: as a complete set, and as the part of it that one file may give.
macro_rules! setup_values {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty,)+) => {
        /// A complete set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct SetupValues {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        /// What one policy file says of it.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct SetupLayer {
            $(#[serde(default)] $name: Option<$type>,)+
        }

        impl SetupLayer {
            /// Lets what `above` says win over this layer.
            pub(super) fn overlay(&mut self, above: &Self) {
                $(self.$name = above.$name.or(self.$name);)+
            }

            /// The complete set, or the name of the first number that no layer gave.
            pub(super) fn complete(&self) -> Result<SetupValues, &'static str> {
                Ok(SetupValues { $($name: self.$name.ok_or(stringify!($name))?,)+ })
            }
        }

        impl SetupValues {
            /// The set as lines of a policy file.
            #[must_use]
            pub fn lines(&self) -> Vec<String> {
                alloc::vec![$(format!("{} = {}", stringify!($name), self.$name.written())),+]
            }
        }
    };
}

setup_values! {
    /// Memory that stays outside the zone, for the system and root's own: a share of the RAM.
    reserve: Percent,
    /// At least this much of it.
    reserve_min: Size,
    /// What a protected service gets above what it uses now or is configured to use.
    low_margin: Percent,
    /// The most of the zone that all MemoryLow together may take, in per cent.
    low_most: Percent,
    /// MemoryHigh of a unit of expendables, as a share of the zone.
    expendable_high: Percent,
    /// CPUWeight and IOWeight of the shop's services (`systemd.resource-control(5)`, 1-10000).
    essential_weight: u32,
    /// CPUWeight and IOWeight of expendables.
    expendable_weight: u32,
    /// What `--mglru` writes as `min_ttl_ms` (Documentation/admin-guide/mm/multigen_lru.rst).
    mglru_min_ttl_ms: u32,
}
