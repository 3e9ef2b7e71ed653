//! Which logs are rotations of one, and which of them is older.

use super::dating::Read;

/// How old a rotation is; the oldest comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Age {
    /// `messages-20260318`: rotated on this day.
    Until(String),
    /// `kern.log.2.gz`: the higher, the older.
    Number(std::cmp::Reverse<u32>),
    /// The log that is being written.
    Now,
}

/// The name all rotations share, and the age.
pub(super) fn split(file: &str) -> (&str, Age) {
    let plain = [".gz", ".xz", ".zst", ".bz2"].iter().find_map(|end| file.strip_suffix(end));
    let plain = plain.unwrap_or(file);
    if let Some((base, number)) = plain.rsplit_once('.')
        && number.len() <= 4
        && let Ok(number) = number.parse()
    {
        return (base, Age::Number(std::cmp::Reverse(number)));
    }
    if let Some((base, date)) = plain.rsplit_once('-')
        && date.len() >= 8
        && date.bytes().all(|b| b.is_ascii_digit())
    {
        return (base, Age::Until(date.to_string()));
    }
    (plain, Age::Now)
}

/// The logs in families of rotations, each with the oldest first.
pub(super) fn families(sources: &[String], logs: Vec<Read>) -> Vec<Vec<Read>> {
    let name = |log: &Read| {
        let source = usize::try_from(log.source).ok().and_then(|source| sources.get(source));
        source.map_or("", String::as_str)
    };
    let mut families: Vec<(String, Vec<(Age, Read)>)> = Vec::new();
    for log in logs {
        let (base, age) = split(name(&log));
        match families.iter_mut().find(|(known, _)| known == base) {
            // The same log given twice is not its own rotation.
            Some((_, family)) if family.iter().all(|(other, _)| *other != age) => {
                family.push((age, log));
            }
            _ => families.push((base.to_string(), vec![(age, log)])),
        }
    }
    families
        .into_iter()
        .map(|(_, mut family)| {
            family.sort_by(|(a, _), (b, _)| a.cmp(b));
            family.into_iter().map(|(_, log)| log).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_are_told_by_number_or_date() {
        let mut names = [
            "kern.log",
            "kern.log.1",
            "kern.log.10.gz",
            "kern.log.2.xz",
            "kern.log-20250101",
            "kern.log-20241225.gz",
        ];
        assert!(names.iter().all(|name| split(name).0 == "kern.log"));
        names.sort_by_key(|name| split(name).1);
        assert_eq!(
            names,
            [
                "kern.log-20241225.gz",
                "kern.log-20250101",
                "kern.log.10.gz",
                "kern.log.2.xz",
                "kern.log.1",
                "kern.log"
            ]
        );
    }

    #[test]
    fn a_version_in_a_name_is_no_rotation() {
        assert_eq!(split("6.1-global-dmesg.log"), ("6.1-global-dmesg.log", Age::Now));
        assert_eq!(split("kern.logger"), ("kern.logger", Age::Now));
    }
}
