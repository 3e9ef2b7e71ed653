//! Quantities with their units in the type, so that no page count is ever taken for a size.

use core::fmt;

/// A size in KiB, the unit in which the kernel prints memory (`/proc/meminfo`, OOM reports).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kib(pub u64);

impl Kib {
    /// No memory at all.
    pub const ZERO: Self = Self(0);

    /// A size given in MiB.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1024))
    }

    /// A size given in bytes, rounded down.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes / 1024)
    }

    /// A number of pages of `page_kib` KiB each.
    #[must_use]
    pub const fn from_pages(pages: u64, page_kib: u64) -> Self {
        Self(pages.saturating_mul(page_kib))
    }

    /// The sum, held at the largest value instead of wrapping.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at zero instead of wrapping.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `percent` hundredths of this size.
    #[must_use]
    pub const fn percent(self, percent: u64) -> Self {
        Self(self.0.saturating_mul(percent) / 100)
    }
}

/// As a person reads it: `812 KiB`, `33 MiB`, `1.3 GiB`.
impl fmt::Display for Kib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1024;
        const GIB: u64 = 1024 * MIB;
        match self.0 {
            k if k < MIB => write!(f, "{k} KiB"),
            k if k < GIB => write!(f, "{} MiB", (k + MIB / 2) / MIB),
            k => {
                let tenths = k.saturating_add(GIB / 20).saturating_mul(10) / GIB;
                write!(f, "{}.{} GiB", tenths / 10, tenths % 10)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn sizes_read_as_a_person_says_them() {
        assert_eq!(Kib(812).to_string(), "812 KiB");
        assert_eq!(Kib(33_744).to_string(), "33 MiB");
        assert_eq!(Kib(1_321_608).to_string(), "1.3 GiB");
        assert_eq!(Kib(1_048_575).to_string(), "1024 MiB");
    }
}
