//! What leaves the node: lines on the second serial port, and a folder of logs on the third disk.

use std::fs::{self, OpenOptions};
use std::io::Write;

use lab_facts::{FACTS, SAYS};
use serde::Serialize;

use crate::{Outcome, clock, shell};

/// The console's port has a getty; this one is the director's alone.
const PORT: &str = "/dev/ttyS1";
/// What is collected, until it is sent.
pub(crate) const FOLDER: &str = "/run/lab/out";
/// A raw disk that the host reads as a tar archive.
const DISK: &str = "/dev/vdc";

/// Makes the folder.
pub(crate) fn prepare() -> Outcome {
    fs::create_dir_all(FOLDER)?;
    Ok(())
}

/// Makes a folder for the files of one part of a run.
pub(crate) fn make_folder(name: &str) -> Outcome {
    Ok(fs::create_dir_all(format!("{FOLDER}/{name}"))?)
}

/// Tells the host how far things are. Nothing depends on it, so a failure is passed over.
pub(crate) fn say(text: &str) {
    send(&format!("{SAYS}{:8.1} {text}\n", clock::now().as_secs_f64()));
}

/// Gives the host the run's facts.
pub(crate) fn report(facts: &impl Serialize) -> Outcome {
    send(&format!("{FACTS}{}\n", serde_json::to_string(facts)?));
    Ok(())
}

/// Keeps a file for the host. A log that cannot be kept must not end the run.
pub(crate) fn keep(name: &str, text: &str) {
    if let Err(error) = fs::write(format!("{FOLDER}/{name}"), text) {
        say(&format!("{name} is not kept: {error}"));
    }
}

/// Collects the logs of this boot and writes the folder to the disk.
pub(crate) fn collect(guard_unit: Option<&str>) -> Outcome {
    keep("kernel.log", &shell::output("dmesg", &[]));
    keep("kern.log", &fs::read_to_string("/var/log/kern.log").unwrap_or_default());
    keep(
        "journal.log",
        &shell::output("journalctl", &["-b", "--no-pager", "-o", "short-monotonic"]),
    );
    if let Some(unit) = guard_unit {
        let arguments = ["-b", "--no-pager", "-o", "short-monotonic", "-u", unit];
        keep("guard.log", &shell::output("journalctl", &arguments));
    }
    if fs::exists("/usr/bin/headroom")? {
        // A build under test may hang; the run's figures must not hang with it.
        for word in ["history", "status"] {
            let arguments = ["30", "headroom", word, "--format", "json"];
            keep(&format!("{word}.json"), &shell::output("timeout", &arguments));
        }
    }
    pack()
}

/// Writes what was kept so far to the disk, instead of what was there.
pub(crate) fn pack() -> Outcome {
    shell::run("tar", &["-C", FOLDER, "-cf", DISK, "."])?;
    shell::run("sync", &[])
}

fn send(line: &str) {
    let port = OpenOptions::new().write(true).open(PORT);
    let sent = port.and_then(|mut port| port.write_all(line.as_bytes()));
    // Outside the node there is no such port and nobody to tell.
    drop(sent);
}
