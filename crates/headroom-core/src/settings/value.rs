//! What a setting's values are, how people write them, and which are allowed.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::policy::{Percent, Size, Time};
use crate::units::Kib;

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Yes or no.
    Boolean(bool),
    /// A number.
    Count(u32),
    /// A share.
    Percent(Percent),
    /// Memory.
    Size(Size),
    /// Time.
    Time(Time),
}

/// The type of a setting, with the least and the most it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// Everything else: both ends are of the same kind.
    Range {
        /// The least.
        least: Value,
        /// The most.
        most: Value,
    },
}

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const MIB: u64 = 1024;
const GIB: u64 = 1024 * MIB;

impl Kind {
    /// The kind of the threshold of that name: `value`'s kind, within what a node survives.
    pub(super) fn of(name: &str, value: Value) -> Self {
        let (least, most) = match (name, value) {
            (_, Value::Boolean(_)) => return Self::Boolean,
            // A floor above half of a zone would leave nothing to run jobs with.
            ("floor", Value::Percent(_)) => (percent(1), percent(50)),
            ("stall" | "calm", Value::Percent(_)) => (percent(1), percent(100)),
            (_, Value::Percent(_)) => (percent(0), percent(100)),
            ("kernel_kills", Value::Count(_)) => (Value::Count(1), Value::Count(1000)),
            (_, Value::Count(_)) => (Value::Count(0), Value::Count(10_000_000)),
            ("floor_min" | "floor_max", Value::Size(_)) => (size(MIB), size(1024 * GIB)),
            (_, Value::Size(_)) => (size(0), size(GIB)),
            ("pause_limit", Value::Time(_)) => (time(0), time(24 * HOUR)),
            ("calm_time", Value::Time(_)) => (time(0), time(600 * SECOND)),
            (_, Value::Time(_)) => (time(0), time(60 * SECOND)),
        };
        Self::Range { least, most }
    }

    /// Its name in outputs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Range { least, .. } => match least {
                Value::Boolean(_) => "boolean",
                Value::Count(_) => "number",
                Value::Percent(_) => "percent",
                Value::Size(_) => "size",
                Value::Time(_) => "time",
            },
        }
    }

    /// Values to offer where somebody completes a word: all of a boolean, a choice of a range.
    #[must_use]
    pub fn offered(self) -> Vec<String> {
        let (least, most) = match self {
            Self::Boolean => return alloc::vec!["true".into(), "false".into()],
            Self::Range { least, most } => (least, most),
        };
        let steps: Vec<Value> = match least {
            Value::Boolean(_) => Vec::new(),
            Value::Count(_) => [1, 2, 3, 5, 10, 100, 1000].map(Value::Count).into(),
            Value::Percent(_) => {
                [0, 1, 2, 5, 10, 15, 20, 30, 40, 50, 60, 75, 90, 100].map(percent).into()
            }
            Value::Size(_) => {
                [0, MIB, 8 * MIB, 32 * MIB, 64 * MIB, 128 * MIB, 256 * MIB, 512 * MIB, GIB, 2 * GIB]
                    .map(size)
                    .into()
            }
            Value::Time(_) => [0, 100, 300, 500, SECOND, 2 * SECOND, 5 * SECOND, 30 * SECOND]
                .into_iter()
                .chain([60 * SECOND, 120 * SECOND, 600 * SECOND, HOUR / 2, HOUR])
                .map(time)
                .collect(),
        };
        steps.iter().filter(|v| (&least..=&most).contains(v)).map(|v| format!("{v}")).collect()
    }

    /// What is allowed, in words.
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            Self::Boolean => "true or false".into(),
            Self::Range { least, most } => format!("{least} to {most}"),
        }
    }

    /// Reads a value as people write it.
    pub(super) fn parse(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let shown: String = text.chars().take(40).collect();
        let Self::Range { least, most } = self else {
            return boolean(text)
                .map(Value::Boolean)
                .ok_or_else(|| format!("\"{shown}\" is neither true nor false"));
        };
        let value = match least {
            Value::Boolean(_) => boolean(text).map(Value::Boolean),
            Value::Count(_) => text.parse().ok().map(Value::Count),
            // A share's unit can only be one.
            Value::Percent(_) => {
                let text = text.strip_suffix('%').unwrap_or(text);
                format!("{}%", text.trim_end()).parse().ok().map(Value::Percent)
            }
            Value::Size(_) => text.parse().ok().map(Value::Size),
            Value::Time(_) => text.parse().ok().map(Value::Time),
        };
        let example = match least {
            Value::Size(_) => ", written with its unit (KiB, MiB, GiB)",
            Value::Time(_) => ", written with its unit (ms, s, min, h)",
            _ => "",
        };
        value
            .filter(|v| (&least..=&most).contains(&v))
            .ok_or_else(|| format!("\"{shown}\" is not allowed: it is {least} to {most}{example}"))
    }
}

/// Yes or no, as people, Python and forms write it.
fn boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(text));
    if is(&["true", "1", "yes", "on", "enabled"]) {
        Some(true)
    } else if is(&["false", "0", "no", "off", "disabled"]) {
        Some(false)
    } else {
        None
    }
}

const fn percent(n: u8) -> Value {
    Value::Percent(Percent(n))
}

const fn size(kib: u64) -> Value {
    Value::Size(Size(Kib(kib)))
}

const fn time(ms: u64) -> Value {
    Value::Time(Time(Duration::from_millis(ms)))
}

impl Value {
    /// As it is written in a policy file, quotes included where it has some.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Boolean(_) | Self::Count(_) => format!("{self}"),
            Self::Percent(_) | Self::Size(_) | Self::Time(_) => format!("\"{self}\""),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Count(value) => value.fmt(f),
            Self::Percent(value) => write!(f, "{}%", value.0),
            Self::Size(Size(Kib(0))) => f.write_str("0MiB"),
            Self::Size(Size(Kib(kib))) if kib % GIB == 0 => write!(f, "{}GiB", kib / GIB),
            Self::Size(Size(Kib(kib))) if kib % MIB == 0 => write!(f, "{}MiB", kib / MIB),
            Self::Size(Size(Kib(kib))) => write!(f, "{kib}KiB"),
            Self::Time(value) => match value.0.as_millis() {
                ms if ms % 1000 != 0 => write!(f, "{ms}ms"),
                ms if ms == 0 || ms % 60_000 != 0 => write!(f, "{}s", ms / 1000),
                ms if ms % 3_600_000 != 0 => write!(f, "{}min", ms / 60_000),
                ms => write!(f, "{}h", ms / 3_600_000),
            },
        }
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Count(value)
    }
}

impl From<Percent> for Value {
    fn from(value: Percent) -> Self {
        Self::Percent(value)
    }
}

impl From<Size> for Value {
    fn from(value: Size) -> Self {
        Self::Size(value)
    }
}

impl From<Time> for Value {
    fn from(value: Time) -> Self {
        Self::Time(value)
    }
}
