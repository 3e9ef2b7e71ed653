//! From the kernel's PSI event to the guard's signal: programs in a zone of the bench's own wait for memory
//! until the kernel's worker wakes the guard.

use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::figures::Figures;
use super::guard::Guard;
use super::reflex::ends_within;
use super::trace::{Happened, Trace};
use super::zone::Zone;
use crate::say;

/// Read by so many at once.
const READERS: usize = 3;
/// Larger than the zone.
const FILE: &[u8] = &[0; 1024 * 1024];
const MIB: usize = 256;
/// Nothing waits any more, and the guard has seen it.
const CALM: Duration = Duration::from_secs(4);
/// The kernel tells of stalls once in 2 s where the guard has no CAP_SYS_RESOURCE.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came of all rounds.
#[derive(Default)]
pub(super) struct Found {
    pub(super) event_to_signal: Figures,
    /// Rounds in which the guard looked by itself and acted before the kernel told it.
    pub(super) before_event: usize,
}

/// Ended when it is dropped, with what it started.
struct Reader(Child);

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Measures so many rounds.
pub(super) fn measure(program: &Path, rounds: usize) -> Result<Found> {
    let zone = Zone::make()?;
    let mark = std::process::id();
    let guard = Guard::start(program, &policy(mark))?;
    let waking = format!("pid=={}", guard.pid());
    let trace = Trace::of(&[
        ("signal/signal_generate", "sig==15||sig==9"),
        ("sched/sched_waking", &waking),
    ])?;
    let folder = tempfile::tempdir().context("making a folder")?;
    let file = folder.path().join("large");
    {
        let mut large = std::fs::File::create(&file).context("making a large file")?;
        for _ in 0..MIB {
            std::io::Write::write_all(&mut large, FILE).context("writing a large file")?;
        }
    }
    let mut found = Found::default();
    for round in 0..rounds {
        thread::sleep(CALM);
        let mut victim = zone.victim(mark)?;
        trace.take()?;
        // What is in the page cache already is nobody's wait.
        std::process::Command::new("dd")
            .arg(format!("of={}", file.display()))
            .args(["oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"])
            .status()
            .context("dropping a file from the page cache (dd)")?;
        let readers: Vec<_> =
            (0..READERS).map(|_| zone.reader(&file).map(Reader)).collect::<Result<_>>()?;
        let ended = ends_within(&mut victim, PATIENCE)?;
        drop(readers);
        if !ended {
            drop(victim.kill());
            drop(victim.wait());
        }
        match judge(&trace.take()?, victim.id()) {
            Some(took) if ended => found.event_to_signal.push(took),
            _ => found.before_event += usize::from(ended),
        }
        if round % 5 == 4 {
            say(&format!("reflex: {} of {rounds} stalls", round + 1));
        }
    }
    Ok(found)
}

/// From the guard's last wake-up before the signal to the signal, in µs, if the kernel's worker woke it:
/// `psimon` with CAP_SYS_RESOURCE, else the one that keeps the averages (kernel/sched/psi.c).
fn judge(happened: &[Happened], victim: u32) -> Option<f64> {
    let signal = happened
        .iter()
        .find(|h| h.what == "signal_generate" && h.number("pid") == Some(victim.into()))?;
    let mut wakes = happened.iter().filter(|h| h.what == "sched_waking" && h.at_us < signal.at_us);
    // The thread that reads names wakes the guard as well, on the way.
    let last = wakes.rfind(|h| !h.by.starts_with("names"))?;
    let is_psi = last.by.starts_with("psimon") || last.by.starts_with("kworker");
    is_psi.then_some(signal.at_us - last.at_us)
}

/// A stall alone calls for relief, nothing else does; only the victims may go.
fn policy(mark: u32) -> String {
    format!(
        r#"
        [strict]
        floor = "0%"
        floor_min = "0MiB"
        horizon = "0s"
        kernel_kills = 0
        stall = "1%"
        refaults = 0
        calm_time = "200ms"
        minimum_gain = "4MiB"
        pause_limit = "0s"
        [[rule]]
        name = "victim"
        class = "expendable"
        command = ["*count={mark} *"]
        [[rule]]
        name = "everybody-else"
        class = "system"
        comm = ["*"]
        "#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal_after(waker: &str) -> Option<f64> {
        let lines = [
            format!("  {waker}-9 [0] d. 10.000100: sched_waking: comm=g pid=1 prio=100"),
            "  names-7 [0] d. 10.000400: sched_waking: comm=g pid=1 prio=100".to_owned(),
            "  g-1 [0] d. 10.000900: signal_generate: sig=9 errno=0 code=0 comm=dd pid=60 grp=1 res=0"
                .to_owned(),
        ];
        let happened: Vec<_> = lines.iter().filter_map(|line| Happened::parse(line)).collect();
        judge(&happened, 60)
    }

    #[test]
    fn the_event_is_the_wake_up_by_the_kernels_worker() {
        assert!(signal_after("psimon").is_some_and(|us| (us - 800.0).abs() < 1.0));
        assert!(signal_after("kworker/0:1").is_some_and(|us| (us - 800.0).abs() < 1.0));
        assert_eq!(signal_after("<idle>"), None, "it was a look of its own");
    }
}
