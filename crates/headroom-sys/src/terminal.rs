//! A line on somebody's terminal (pts(4), tty(4)).

use std::path::PathBuf;

use rustix::fs::{FileType, Mode, OFlags, fstat, major, minor};
use rustix::io::Errno;

use crate::error::ReadError;

/// Majors of pseudo terminals, 256 minors in each (Documentation/admin-guide/devices.txt).
const PSEUDO: core::ops::RangeInclusive<u32> = 136..=143;

/// The pseudo terminal that field 7 of `/proc/PID/stat` names; `None` for none and for a console.
#[must_use]
pub fn pseudo_terminal(tty: i32) -> Option<u32> {
    // The kernel's old encoding: bits 31-20 and 7-0 are the minor, 15-8 the major (proc_pid_stat(5)).
    let tty = u32::try_from(tty).ok()?;
    let (major, minor) = ((tty >> 8) & 0xff, (tty & 0xff) | ((tty >> 12) & 0xfff00));
    PSEUDO.contains(&major).then(|| (major - PSEUDO.start()) * 256 + minor)
}

/// Writes a line to that pseudo terminal. Waits for nobody: one that takes nothing now gets nothing.
///
/// # Errors
/// When it is gone, is not what it should be, or takes nothing.
pub fn write_line(number: u32, line: &str) -> Result<(), ReadError> {
    let path = PathBuf::from(format!("/dev/pts/{number}"));
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fstat(&file)?;
    let is_terminal = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && PSEUDO.contains(&major(stat.st_rdev))
        && (major(stat.st_rdev) - PSEUDO.start()) * 256 + minor(stat.st_rdev) == number;
    if !is_terminal {
        return Err(Errno::NOTTY.into());
    }
    // In the middle of a line or of a program's own screen, it begins one.
    let bytes = format!("\r\n{line}\r\n");
    rustix::io::write(&file, bytes.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_number_names_the_pseudo_terminal() {
        assert_eq!(pseudo_terminal(0), None);
        assert_eq!(pseudo_terminal(4 << 8 | 1), None, "a console");
        assert_eq!(pseudo_terminal(136 << 8), Some(0));
        assert_eq!(pseudo_terminal(136 << 8 | 7), Some(7));
        assert_eq!(pseudo_terminal(137 << 8 | 1), Some(257));
        assert_eq!(pseudo_terminal(-1), None);
    }

    #[test]
    fn a_line_arrives_at_the_other_end() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        use std::io::{BufRead as _, BufReader};
        let Ok(master) = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY) else {
            return println!("skipped: no pseudo terminals here");
        };
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let number = name.rsplit('/').next().unwrap().parse().unwrap();
        // The other end open, as a shell would have it.
        let _other = std::fs::File::open(&name).unwrap();
        write_line(number, "it waits").unwrap();
        let mut lines = BufReader::new(std::fs::File::from(master)).lines();
        assert_eq!(lines.next().unwrap().unwrap().trim(), "");
        assert_eq!(lines.next().unwrap().unwrap().trim(), "it waits");
        assert!(write_line(999_999, "nobody").is_err());
    }
}
