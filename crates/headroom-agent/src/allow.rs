//! Who may do what over the socket: the rules of `[allow]`, and users and groups by their names.

use std::fs;
use std::path::Path;

use headroom_api::paths;

use crate::config::Allow;
use crate::http::caller::{Local, Right};

/// The names of a node's users and groups. Those of a directory service go by number in the rules.
#[derive(Debug)]
pub(crate) struct Names {
    users: String,
    groups: String,
}

impl Names {
    /// Reads passwd(5) and group(5): anew for each connection, so that a user added is known.
    pub(crate) fn read(root: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(paths::under(root, path)).unwrap_or_default();
        Self { users: read("/etc/passwd"), groups: read("/etc/group") }
    }

    /// A user's name, or the number where there is no name.
    pub(crate) fn user(&self, uid: u32) -> String {
        let found = entries(&self.users).find(|(_, id)| *id == uid);
        found.map_or_else(|| format!("uid {uid}"), |(name, _)| name.to_owned())
    }

    fn uid(&self, name: &str) -> Option<u32> {
        entries(&self.users)
            .find(|(n, _)| *n == name)
            .map(|(_, id)| id)
            .or_else(|| name.parse().ok())
    }

    fn gid(&self, name: &str) -> Option<u32> {
        entries(&self.groups)
            .find(|(n, _)| *n == name)
            .map(|(_, id)| id)
            .or_else(|| name.parse().ok())
    }
}

/// Names and numbers: the first and the third field of a line in both files.
fn entries(text: &str) -> impl Iterator<Item = (&str, u32)> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?.parse().ok()?))
    })
}

/// The rights of a process: all of them for root, else those that a rule gives its user or one of the
/// groups it had when it connected.
pub(crate) fn rights_of(allow: &Allow, names: &Names, local: &Local) -> [bool; Right::ALL.len()] {
    let is_meant = |rule: &String| match rule.strip_prefix('@') {
        _ if rule == "*" => true,
        None => names.uid(rule) == Some(local.peer.uid),
        Some(group) => {
            names.gid(group).is_some_and(|gid| gid == local.peer.gid || local.groups.contains(&gid))
        }
    };
    Right::ALL.map(|right| {
        let rules = match right {
            Right::Read => &allow.read,
            Right::Settings => &allow.settings,
            Right::Services => &allow.services,
            Right::Protect => &allow.protect,
            Right::Release => &allow.release,
        };
        local.peer.uid == 0 || rules.iter().any(is_meant)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_sys::peer::Peer;

    fn rights(allow: &Allow, uid: u32, gid: u32, groups: &[u32]) -> String {
        let names = Names {
            users: "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n1001:x:7:7::/:/\n"
                .into(),
            groups: "root:x:0:\nheadroom:x:990:\ndev:x:1500:app\n".into(),
        };
        let peer = Peer { pid: 1, uid, gid };
        let local = Local { peer, groups: groups.to_vec(), pidfd: None };
        let rights = rights_of(allow, &names, &local);
        let named = Right::ALL.iter().zip(rights).filter(|(_, has)| *has);
        named.map(|(right, _)| right.name()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn without_rules_everybody_reads_and_the_group_does_the_rest() {
        let allow = Allow::default();
        assert_eq!(rights(&allow, 0, 0, &[]), "read settings services protect release");
        assert_eq!(rights(&allow, 1000, 990, &[]), "read settings services protect release");
        assert_eq!(rights(&allow, 1000, 1000, &[4, 990]), "read settings services protect release");
        assert_eq!(rights(&allow, 1000, 1000, &[1500]), "read");
    }

    #[test]
    fn a_rule_names_a_user_a_group_or_a_number() {
        let rules =
            |rule: &str| Allow { read: Vec::new(), settings: vec![rule.into()], ..no_one() };
        for rule in ["app", "1000", "@dev", "@1500", "*"] {
            assert_eq!(rights(&rules(rule), 1000, 1000, &[1500]), "settings", "{rule}");
        }
        for rule in ["root", "@headroom", "nobody-there", "@", "", "1001"] {
            assert_eq!(rights(&rules(rule), 1000, 1000, &[1500]), "", "{rule}");
        }
        assert_eq!(
            rights(&rules("1001"), 7, 7, &[]),
            "settings",
            "a name of digits is a name first"
        );
        assert_eq!(rights(&rules("1001"), 1001, 7, &[]), "");
    }

    fn no_one() -> Allow {
        let (read, settings, services) = (Vec::new(), Vec::new(), Vec::new());
        Allow { read, settings, services, protect: Vec::new(), release: Vec::new() }
    }
}
