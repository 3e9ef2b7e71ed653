//! Varnish's storage: `-s malloc,256m` (`varnishd(1)`) in a unit, a defaults file or a running process.

use alloc::vec::Vec;

use super::size::{self, Form};
use crate::units::Kib;

/// What all its storages in memory may take together; `None` when none is named. One without a size has
/// no limit: it counts as [`u64::MAX`] KiB.
#[must_use]
pub fn storage<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Option<Kib> {
    let mut found: Vec<Kib> = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let argument = argument.trim_matches(['"', '\'', '\\']);
        let Some(rest) = argument.strip_prefix("-s") else { continue };
        let spec = if rest.is_empty() { arguments.next().unwrap_or_default() } else { rest };
        let spec = spec.trim_matches(['"', '\'', '\\']);
        // A storage may have a name: -s main=malloc,1G
        let spec = spec.split_once('=').map_or(spec, |(_, spec)| spec);
        let (kind, rest) = spec.split_once(',').unwrap_or((spec, ""));
        if matches!(kind, "malloc" | "default" | "umem") {
            let size = rest.split(',').next().unwrap_or_default();
            found.push(size::size(size, Form::Binary).unwrap_or(Kib(u64::MAX)));
        }
    }
    found.into_iter().reduce(Kib::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storages_add_up_and_files_are_none() {
        let words = |line: &'static str| storage(line.split_whitespace());
        assert_eq!(words("varnishd -a :80 -s malloc,256m"), Some(Kib::from_mib(256)));
        let two = "varnishd -s main=malloc,1G -s Transient=malloc,64M -s file,/x,9G";
        assert_eq!(words(two), Some(Kib::from_mib(1088)));
        assert_eq!(words("varnishd -s malloc"), Some(Kib(u64::MAX)));
        assert_eq!(words("varnishd -f /etc/x.vcl"), None);
    }
}
