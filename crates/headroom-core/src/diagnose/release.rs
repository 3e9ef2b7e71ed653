//! A kernel's release as numbers that compare.

/// The first two numbers of a release, `6.1` of `6.1.0-56-cloud-amd64`; 2.6's third counts as the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release {
    major: u32,
    minor: u32,
}

impl Release {
    /// The release with these numbers.
    pub(super) const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads a release as `uname -r` prints it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        let (major, minor) = (next()?, next()?);
        // 2.6.32 and 2.6.36 are as far apart as 3.2 and 3.6 are; 2.4 and earlier have no OOM score.
        let minor = if (major, minor) == (2, 6) { next()? } else { minor };
        Some(Self { major, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_by_age() {
        let read = |text| Release::parse(text).unwrap();
        assert_eq!(read("6.1.0-56-cloud-amd64"), Release::new(6, 1));
        assert_eq!(read("6.16.0-rc5-00002-g56180dd20c19"), Release::new(6, 16));
        assert_eq!(read("4.18.0-553.el8_10.x86_64"), Release::new(4, 18));
        assert!(read("2.6.32-642.el6") < read("2.6.36"));
        assert!(read("2.6.39") < read("3.5"));
        assert_eq!(Release::parse("next-2020"), None);
    }
}
