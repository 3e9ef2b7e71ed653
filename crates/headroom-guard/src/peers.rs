//! Other guards of memory on this node. They act on the same memory by other rules, so they are named.
//! Nothing is done about them but this: whoever is on its way out, by whomever sent, is waited for before
//! another is chosen (`decide`).

use headroom_api::status::Missing;
use headroom_core::policy::Class;
use headroom_core::snapshot::Snapshot;

use crate::view::missing;

/// Names of the peers' processes (the kernel keeps 15 bytes), and the unit to switch off.
const PEERS: [(&[u8], &str); 5] = [
    (b"earlyoom", "earlyoom.service"),
    (b"nohang", "nohang.service"),
    (b"systemd-oomd", "systemd-oomd.service"),
    (b"oomd", "oomd.service"),
    (b"bustd", "bustd.service"),
];

/// The peers that run now. Only what the node's own user runs is one: anybody may call a script so.
pub(crate) fn running(snapshot: &Snapshot) -> impl Iterator<Item = Missing> {
    let runs = |comm: &[u8]| {
        let mut processes = snapshot.processes.iter();
        processes.any(|p| p.class != Class::Expendable && p.comm.as_bytes() == comm)
    };
    PEERS.iter().filter(move |(comm, _)| runs(comm)).map(|(comm, unit)| {
        missing(
            "the node to itself",
            format!("{} guards the same memory by rules of its own", String::from_utf8_lossy(comm)),
            &format!(
                "whoever is on its way out is waited for before another is chosen; \
                 `systemctl disable --now {unit}` ends the rivalry"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use headroom_core::snapshot::{Comm, Process};

    use super::*;

    #[test]
    fn a_peer_is_named_and_a_users_script_of_its_name_is_not() {
        let process = |class| Process { comm: Comm::new(b"earlyoom"), class, ..Process::default() };
        let with = |class| Snapshot { processes: vec![process(class)], ..Snapshot::default() };
        let found: Vec<_> = running(&with(Class::System)).collect();
        assert!(found[0].instead.contains("disable --now earlyoom.service"), "{found:?}");
        assert_eq!(running(&with(Class::Expendable)).count(), 0);
    }
}
