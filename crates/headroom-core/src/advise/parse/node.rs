//! What the kernel's own files say of a node: meminfo, mounts, slab caches, its version and command line.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::units::Kib;

/// The value of a line of `/proc/meminfo` in KiB (those of huge pages are counts).
#[must_use]
pub fn meminfo(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then(|| value.split_whitespace().next()?.parse().ok())?
    })
}

/// `major.minor` of a kernel release such as `6.1.0-18-amd64`.
#[must_use]
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.trim().split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Mount points of the type tmpfs, from `/proc/mounts`.
#[must_use]
pub fn tmpfs(mounts: &str) -> Vec<String> {
    let point = |line: &str| {
        let mut words = line.split(' ');
        let (_, point, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "tmpfs").then(|| point.replace("\\040", " "))
    };
    mounts.lines().filter_map(point).collect()
}

/// The largest caches of `/proc/slabinfo` with what their objects take, the largest first.
#[must_use]
pub fn slabs(text: &str) -> Vec<(String, Kib)> {
    let cache = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let (_, count, size) = (words.next()?, words.next()?, words.next()?);
        let bytes = count.parse::<u64>().ok()?.checked_mul(size.parse().ok()?)?;
        Some((name.to_string(), Kib::from_bytes(bytes)))
    };
    let mut caches: Vec<_> = text.lines().filter_map(cache).collect();
    caches.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    caches
}

/// The word in brackets of `always [madvise] never`.
#[must_use]
pub fn chosen(text: &str) -> Option<&str> {
    Some(text.split_once('[')?.1.split_once(']')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_forms_are_read() {
        let text = "MemTotal:        2048000 kB\nHugePages_Total:      64\n";
        assert_eq!(meminfo(text, "MemTotal"), Some(2_048_000));
        assert_eq!(meminfo(text, "HugePages_Total"), Some(64));
        assert_eq!(meminfo(text, "Mem"), None);
        assert_eq!(version("6.1.0-18-amd64\n"), Some((6, 1)));
        assert_eq!(version("4.4"), Some((4, 4)));
        assert_eq!(version("linux"), None);
        assert_eq!(chosen("always [madvise] never\n"), Some("madvise"));
        let mounts = "tmpfs /run tmpfs rw,size=1k 0 0\n/dev/vda1 / ext4 rw 0 0\ntmpfs /a\\040b tmpfs rw 0 0\n";
        assert_eq!(tmpfs(mounts), ["/run", "/a b"]);
    }

    #[test]
    fn the_largest_slab_comes_first() {
        let text = "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\n\
                    dentry 10 1000 192 21 1\nkmalloc-1k 10 2000 1024 16 4\n";
        assert_eq!(slabs(text)[0], ("kmalloc-1k".into(), Kib(2000)));
    }
}
