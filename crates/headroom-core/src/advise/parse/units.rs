//! What systemd units say of memory (`systemd.resource-control(5)`), drop-ins included.

use alloc::format;
use alloc::string::{String, ToString};

use super::size::{self, Form};
use super::{Said, Unread, numbered};
use crate::units::Kib;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// So much.
    Size(Kib),
    /// `infinity`.
    Infinite,
}

/// A unit's memory settings; `None` is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitLimits {
    /// Its name.
    pub name: String,
    /// The slice it belongs to, where it says.
    pub slice: Option<String>,
    /// `MemoryMin=`
    pub min: Option<Said<Limit>>,
    /// `MemoryLow=`
    pub low: Option<Said<Limit>>,
    /// `MemoryHigh=`
    pub high: Option<Said<Limit>>,
    /// `MemoryMax=`, or `MemoryLimit=` of old.
    pub max: Option<Said<Limit>>,
    /// The command it starts, for those that say their memory there.
    pub exec: Option<Said<String>>,
}

impl UnitLimits {
    /// The slice it is in: its own word, or for a slice what its name says, else `system.slice`.
    #[must_use]
    pub fn parent(&self) -> Option<String> {
        let Some(own) = self.name.strip_suffix(".slice") else {
            return Some(self.slice.clone().unwrap_or_else(|| "system.slice".to_string()));
        };
        match own.rsplit_once('-') {
            Some((parent, _)) if !parent.is_empty() => Some(format!("{parent}.slice")),
            _ => None,
        }
    }

    /// Adds what a file says, as a drop-in does: later files win. Percentages are of `ram`.
    pub fn read(&mut self, path: &str, text: &str, ram: Kib, unread: &mut alloc::vec::Vec<Unread>) {
        let mut section = "";
        for (number, line) in numbered(text) {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[') {
                section = name.split(']').next().unwrap_or_default();
                continue;
            }
            if !matches!(section, "Service" | "Slice" | "Scope") || line.starts_with(['#', ';']) {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim());
            let at = format!("{path}:{number}");
            let slot = match key {
                "Slice" => {
                    self.slice = Some(value.to_string());
                    continue;
                }
                "ExecStart" => {
                    // An empty one takes back what was said before.
                    self.exec = (!value.is_empty()).then(|| Said::new(value.to_string(), at));
                    continue;
                }
                "MemoryMin" => &mut self.min,
                "MemoryLow" => &mut self.low,
                "MemoryHigh" => &mut self.high,
                "MemoryMax" | "MemoryLimit" => &mut self.max,
                _ => continue,
            };
            if value.is_empty() {
                *slot = None;
            } else if let Some(limit) = limit(value, ram) {
                *slot = Some(Said::new(limit, at));
            } else {
                unread.push(Unread::line(path, number, format!("{key}: no size: {value}")));
            }
        }
    }
}

fn limit(text: &str, ram: Kib) -> Option<Limit> {
    if text == "infinity" {
        return Some(Limit::Infinite);
    }
    if let Some(percent) = text.strip_suffix('%') {
        // 33.5% is allowed; hundredths are enough.
        let (whole, part) = percent.split_once('.').unwrap_or((percent, "0"));
        let part: u64 = format!("{part}00").get(..2)?.parse().ok()?;
        let hundredths = whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(part)?;
        return Some(Limit::Size(Kib(ram.0.checked_mul(hundredths)? / 10_000)));
    }
    size::size(text, Form::Binary).map(Limit::Size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn read(name: &str, texts: &[&str]) -> (UnitLimits, Vec<Unread>) {
        let mut unit = UnitLimits { name: name.into(), ..UnitLimits::default() };
        let mut unread = Vec::new();
        for text in texts {
            unit.read("/u", text, Kib::from_mib(1000), &mut unread);
        }
        (unit, unread)
    }

    #[test]
    fn drop_ins_win_and_an_empty_value_takes_back() {
        let (unit, unread) = read(
            "x.service",
            &[
                "[Unit]\nMemoryMax=1G\n[Service]\nMemoryMax=512M\nMemoryHigh=25.5%\nMemoryLow=1M\n",
                "[Service]\nMemoryMax=infinity\nMemoryLow=\nMemoryMin=plenty\n",
            ],
        );
        assert_eq!(unit.max.unwrap().value, Limit::Infinite);
        assert_eq!(unit.high.unwrap().value, Limit::Size(Kib::from_mib(255)));
        assert_eq!((unit.low, unit.min), (None, None));
        assert_eq!(unread, [Unread::line("/u", 4, "MemoryMin: no size: plenty")]);
    }

    #[test]
    fn a_slices_name_says_where_it_is() {
        for (name, parent) in [
            ("x.service", Some("system.slice")),
            ("user-1000.slice", Some("user.slice")),
            ("limited.slice", None),
            ("-.slice", None),
        ] {
            assert_eq!(read(name, &[]).0.parent().as_deref(), parent, "{name}");
        }
        let (unit, _) = read("x.service", &["[Service]\nSlice=limited.slice\n"]);
        assert_eq!(unit.parent().as_deref(), Some("limited.slice"));
    }
}
