//! What the package manager did: dpkg.log, apt's history.log, dnf.rpm.log.

use alloc::format;
use alloc::vec::Vec;

use super::entry::{Entry, What, owned};
use super::time;
use crate::oomlog::prefix::clock;
use crate::oomlog::{Position, Wall};

/// An apt run of which only the start has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Open(Option<(Position, Wall)>);

/// Whether a line can only be from such a log.
pub(super) fn knows(line: &str) -> bool {
    line.starts_with("Start-Date: ")
        || action(line).is_some()
        || clock::iso(line).is_some_and(|(_, rest)| {
            [" status ", " startup ", " configure ", " trigproc "]
                .iter()
                .any(|w| rest.starts_with(w))
        })
}

impl Open {
    pub(super) fn feed(&mut self, line: &str, at: Position, out: &mut Vec<Entry>) {
        if let Some(start) = line.strip_prefix("Start-Date: ") {
            // apt writes two blanks between date and time.
            let start = start.replacen("  ", " ", 1);
            self.0 = clock::iso(&start).map(|(wall, _)| (at, wall));
        } else if let Some((begun, wall)) = self.0
            && let Some(command) = line.strip_prefix("Commandline: ")
        {
            self.0 = None;
            let what = What::Package { action: owned(command) };
            out.push(Entry::new(begun, time::stamp(wall), what, command));
        } else if let Some((wall, action)) = action(line) {
            let what = What::Package { action: owned(&action) };
            out.push(Entry::new(at, time::stamp(wall), what, line));
        }
    }
}

/// `2026-11-24 02:50:01 upgrade php8.2-fpm:amd64 8.2.1 8.2.2`, `…T02:50:01+0000 SUBDEBUG Upgraded: x`.
fn action(line: &str) -> Option<(Wall, alloc::string::String)> {
    let (wall, rest) = clock::iso(line)?;
    let rest = rest.strip_prefix(' ')?;
    if let Some((_, rest)) = rest.split_once("DEBUG ")
        && let Some((verb, package)) = rest.split_once(": ")
        && ["Installed", "Upgrade", "Upgraded", "Erase"].contains(&verb)
    {
        return (verb != "Upgraded").then(|| (wall, format!("{} {package}", verb.to_lowercase())));
    }
    let mut words = rest.split(' ');
    let (verb, package) = (words.next()?, words.next()?);
    let known = ["install", "upgrade", "remove", "purge"].contains(&verb);
    let (old, new) = (words.next()?, words.next()?);
    known.then(|| {
        let package = package.split(':').next().unwrap_or(package);
        let version = match verb {
            "upgrade" => format!(" {old} to {new}"),
            "install" => format!(" {new}"),
            _ => format!(" {old}"),
        };
        (wall, format!("{verb} {package}{version}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::format::tests::entries;
    use super::*;
    use alloc::string::String;

    #[test]
    fn what_was_done_to_packages_is_read() {
        let actions = |log: &str| -> Vec<String> {
            entries(Format::Packages, log)
                .into_iter()
                .map(|entry| match entry.what {
                    What::Package { action } => action,
                    other => panic!("{other:?}"),
                })
                .collect()
        };
        let dpkg = "2026-11-24 02:50:01 startup archives unpack\n\
            2026-11-24 02:50:01 upgrade php8.2-fpm:amd64 8.2.1 8.2.2\n\
            2026-11-24 02:50:02 status half-configured php8.2-fpm:amd64 8.2.2\n\
            2026-11-24 02:50:03 install jq:amd64 <none> 1.6\n";
        assert_eq!(actions(dpkg), ["upgrade php8.2-fpm 8.2.1 to 8.2.2", "install jq 1.6"]);
        let apt = "\nStart-Date: 2026-11-24  02:50:01\nCommandline: apt-get -y upgrade\n\
            Upgrade: a:amd64 (1, 2)\nEnd-Date: 2026-11-24  02:50:09\n";
        assert_eq!(actions(apt), ["apt-get -y upgrade"]);
        let dnf = "2026-11-24T02:50:01+0000 SUBDEBUG Installed: jq-1.6-1.el9.x86_64\n";
        assert_eq!(actions(dnf), ["installed jq-1.6-1.el9.x86_64"]);
    }
}
