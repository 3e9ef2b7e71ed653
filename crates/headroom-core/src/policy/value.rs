//! Values with units as people write them in a policy: `"64MiB"`, `"10%"`, `"300ms"`.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

use crate::units::Kib;

/// A size written with its unit: `"512KiB"`, `"64MiB"`, `"2GiB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub Kib);

/// A share of a whole in per cent, written `"10%"`; at most 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u8);

/// A time written with its unit: `"300ms"`, `"2s"`, `"5min"`; `"0s"` switches a rule off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// Splits `"64MiB"` into its whole number and its unit.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let kib = match unit {
            "KiB" => 1,
            "MiB" => 1 << 10,
            "GiB" => 1 << 20,
            _ => return None,
        };
        Some(Self(Kib(number.checked_mul(kib)?)))
    }
}

impl Percent {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let number = u8::try_from(number).ok()?;
        (unit == "%" && number <= 100).then_some(Self(number))
    }
}

impl Time {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let time = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "min" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            _ => return None,
        };
        Some(Self(time))
    }
}

/// A value as it is written in a policy file.
pub(super) trait Written {
    /// Its text, quotes included where it has some.
    fn written(&self) -> String;
}

impl Written for u32 {
    fn written(&self) -> String {
        format!("{self}")
    }
}

impl Written for Percent {
    fn written(&self) -> String {
        format!("\"{}%\"", self.0)
    }
}

impl Written for Size {
    fn written(&self) -> String {
        match self.0.0 {
            kib if kib % (1 << 20) == 0 => format!("\"{}GiB\"", kib >> 20),
            kib if kib % (1 << 10) == 0 => format!("\"{}MiB\"", kib >> 10),
            kib => format!("\"{kib}KiB\""),
        }
    }
}

impl Written for Time {
    fn written(&self) -> String {
        match self.0.as_millis() {
            ms if ms % 1000 == 0 => format!("\"{}s\"", ms / 1000),
            ms => format!("\"{ms}ms\""),
        }
    }
}

macro_rules! deserialize_with_parse {
    ($type:ty, $example:literal) => {
        impl core::str::FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::parse(text).ok_or_else(|| format!("\"{text}\" is not {}", $example))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

deserialize_with_parse!(Size, "a size such as \"64MiB\" (KiB, MiB, GiB)");
deserialize_with_parse!(Percent, "a share such as \"10%\" (0% to 100%)");
deserialize_with_parse!(Time, "a time such as \"300ms\" (ms, s, min, h)");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_carry_their_units() {
        assert_eq!(Size::parse("64MiB"), Some(Size(Kib(65_536))));
        assert_eq!(Size::parse("2 GiB"), Some(Size(Kib(2_097_152))));
        assert_eq!(Percent::parse("10%"), Some(Percent(10)));
        assert_eq!(Time::parse("300ms"), Some(Time(Duration::from_millis(300))));
    }

    #[test]
    fn a_value_without_a_known_unit_is_refused() {
        for text in ["64", "64MB", "", "MiB", "-1MiB", "99999999999999999999GiB"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
        assert_eq!(Percent::parse("101%"), None);
        assert_eq!(Time::parse("5 minutes"), None);
    }
}
