//! When relief begins and how it goes: two named sets of numbers, `strict` and `permissive`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::Deserialize;

use super::value::{Percent, Size, Time, Written};
use crate::settings::Value;
use crate::units::Kib;

/// Declares the numbers once: as a complete set, and as the part of it that one file may give.
macro_rules! thresholds {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty,)+) => {
        /// A complete set of thresholds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Thresholds {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        /// What one policy file says of a set; the rest stays as the layers below have it.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct ThresholdsLayer {
            $($(#[doc = $doc])+ #[serde(default)] pub $name: Option<$type>,)+
        }

        impl ThresholdsLayer {
            /// Lets what `above` says win over this layer.
            pub(super) fn overlay(&mut self, above: &Self) {
                $(self.$name = above.$name.or(self.$name);)+
            }

            /// The complete set, or the name of the first number that no layer gave.
            pub(super) fn complete(&self) -> Result<Thresholds, &'static str> {
                Ok(Thresholds { $($name: self.$name.ok_or(stringify!($name))?,)+ })
            }
        }

        impl Thresholds {
            /// The set as lines of a policy file.
            #[must_use]
            pub fn lines(&self) -> Vec<String> {
                alloc::vec![$(format!("{} = {}", stringify!($name), self.$name.written())),+]
            }
        }

        impl Thresholds {
            /// The threshold of that name.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<Value> {
                match name {
                    $(stringify!($name) => Some(self.$name.into()),)+
                    _ => None,
                }
            }
        }

        impl ThresholdsLayer {
            /// What the file says of the threshold of that name.
            pub(super) fn get(&self, name: &str) -> Option<Value> {
                match name {
                    $(stringify!($name) => self.$name.map(Into::into),)+
                    _ => None,
                }
            }
        }

        /// The names of all thresholds, as the policy file has them.
        pub const THRESHOLD_NAMES: &[&str] = &[$(stringify!($name)),+];

        /// The same with what is said of each above, and with some value of its type.
        pub const THRESHOLD_HELP: &[(&str, &str, fn() -> Value)] =
            &[$((stringify!($name), concat!($($doc),+), || <$type>::default().into())),+];
    };
}

thresholds! {
    /// Memory of a zone that is never to be handed out to expendables, as a share of its limit.
    floor: Percent,
    /// The floor of a small zone: at least this.
    floor_min: Size,
    /// The floor of a large zone: at most this.
    floor_max: Size,
    /// Share of the floor under which there is no time left for SIGTERM.
    hard_floor: Percent,
    /// Kernel OOM kills within a second that call for preventive slaying (mission M3: 2, later 5).
    kernel_kills: u32,
    /// Relief begins when headroom would be gone within this time at the present rate.
    horizon: Time,
    /// Share of a second in which some task waited for memory that counts as thrashing, together
    /// with `refaults`.
    stall: Percent,
    /// Pages read again right after their eviction, a second, that count as thrashing together
    /// with `stall`, while less than 30 % of the limit is available.
    refaults: u32,
    /// Share of the free swap that counts as available: what is pushed there may be wanted back.
    swap: Percent,
    /// From SIGTERM to SIGKILL.
    term_grace: Time,
    /// From a victim's end to the next choice: its memory comes back a little later than its end.
    settle: Time,
    /// A process that would give back less than this is not worth its end.
    minimum_gain: Size,
    /// How long a job may be kept waiting for room before it is slain instead; `0s` switches pausing
    /// off.
    pause_limit: Time,
    /// Room that pausing leaves above the floor, as a share of the floor: relief by slaying must not
    /// begin while jobs that were let run take what they need.
    pause_margin: Percent,
    /// How long headroom must have been above `calm` for a storm to be over.
    calm_time: Time,
    /// Headroom that ends a storm, as a share of the floor.
    calm: Percent,
}

impl Thresholds {
    /// The floor of a zone of `limit`.
    #[must_use]
    pub fn floor_of(&self, limit: Kib) -> Kib {
        let share = limit.percent(u64::from(self.floor.0));
        share.max(self.floor_min.0).min(self.floor_max.0)
    }

    /// The level of a zone of `limit` under which only SIGKILL is quick enough.
    #[must_use]
    pub fn hard_floor_of(&self, limit: Kib) -> Kib {
        self.floor_of(limit).percent(u64::from(self.hard_floor.0))
    }

    /// What must stay available in a zone of `limit` when all jobs that run have what they need.
    #[must_use]
    pub fn admission_floor_of(&self, limit: Kib) -> Kib {
        let floor = self.floor_of(limit);
        floor.saturating_add(floor.percent(u64::from(self.pause_margin.0)))
    }

    /// Headroom above which a zone of `limit` is calm.
    #[must_use]
    pub fn calm_headroom_of(&self, limit: Kib) -> Kib {
        self.floor_of(limit).percent(u64::from(self.calm.0))
    }

    /// Time from SIGTERM to SIGKILL.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        self.term_grace.0
    }
}
