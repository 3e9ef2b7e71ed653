//! The text of each file: what is set, and why, for whoever finds it on a node.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{DROP_IN, File, MGLRU_FILE, Part, UNIT_DIR, Unit, ZONE};
use crate::policy::SetupValues;
use crate::units::Kib;

const HEAD: &str = "\
# Written by `headroom setup`, taken back by `headroom setup --undo`. The numbers come from [setup] in
# Headroom's policy and from this node; to change one for good put a drop-in of a later name beside this.
";

/// The zone itself.
pub(super) fn zone(limit: Kib, low: Kib, values: &SetupValues) -> File {
    let mut contents = format!(
        "{HEAD}\
[Unit]
Description=The limited zone: the shop and its jobs
Documentation=man:headroom(1)
Before=slices.target

[Slice]
# All but the reserve: whatever happens in here, the system and root's own have that left.
MemoryMax={}
",
        mib(limit)
    );
    if low > Kib::ZERO {
        contents += &format!(
            "# A unit's MemoryLow counts only as far as the slice above it has some.\nMemoryLow={}\n",
            mib(low)
        );
    }
    // Weights of units within a slice count among themselves alone.
    contents +=
        "# The shop before people's logins, which lie beside this slice and not within it.\n";
    contents += &weights(values.essential_weight);
    File { path: format!("{UNIT_DIR}/{ZONE}"), contents }
}

/// One unit's drop-in.
pub(super) fn unit(unit: &Unit, low: Option<Kib>, high: Kib, values: &SetupValues) -> File {
    let mut contents = format!("{HEAD}[Service]\nSlice={ZONE}\n");
    match unit.service.part {
        Part::Essential { .. } => {
            if let Some(low) = low {
                contents += "# The kernel takes from others first while this one is below it.\n";
                contents += &format!("MemoryLow={}\n", mib(low));
            }
            contents += &weights(values.essential_weight);
            contents += "# One process that the kernel killed does not end the rest of the unit.\n";
        }
        Part::Normal => {
            contents += "# One program that the kernel killed does not end the others.\n";
        }
        Part::Expendable => {
            contents += "# A net below the guard: above it the kernel slows jobs down.\n";
            contents += &format!("MemoryHigh={}\n", mib(high));
            contents += &weights(values.expendable_weight);
            contents += "# One job that the kernel killed does not take the daemon along.\n";
        }
    }
    contents += "OOMPolicy=continue\n";
    File { path: drop_in(&unit.name), contents }
}

/// People's logins. A slice's place follows from its name, so they cannot move into the zone; they get
/// its limits instead.
pub(super) fn sessions(uids: &[u32], limit: Kib, high: Kib, values: &SetupValues) -> Vec<File> {
    let limits = format!(
        "{HEAD}[Slice]\nMemoryMax={}\nMemoryHigh={}\n{}",
        mib(limit),
        mib(high),
        weights(values.expendable_weight)
    );
    if !uids.is_empty() {
        let of =
            |uid| File { path: drop_in(&format!("user-{uid}.slice")), contents: limits.clone() };
        return uids.iter().map(of).collect();
    }
    let root = format!(
        "{HEAD}\
# In place of the drop-in of this name for all users: root's logins are not limited.
"
    );
    alloc::vec![
        // Root's first: a crash between the two must not limit root.
        File { path: drop_in("user-0.slice"), contents: root },
        File { path: drop_in("user-.slice"), contents: limits },
    ]
}

/// MGLRU's thrashing prevention.
pub(super) fn mglru(values: &SetupValues) -> File {
    let contents = format!(
        "{HEAD}\
# The working set of the last min_ttl_ms is not evicted; when that cannot be done the kernel kills.
w /sys/kernel/mm/lru_gen/enabled - - - - y
w /sys/kernel/mm/lru_gen/min_ttl_ms - - - - {}
",
        values.mglru_min_ttl_ms
    );
    File { path: MGLRU_FILE.into(), contents }
}

fn weights(weight: u32) -> String {
    format!("CPUWeight={weight}\nIOWeight={weight}\n")
}

fn drop_in(unit: &str) -> String {
    format!("{UNIT_DIR}/{unit}.d/{DROP_IN}")
}

/// In systemd's words: M is 1024².
fn mib(size: Kib) -> String {
    format!("{}M", size.0 / 1024)
}
