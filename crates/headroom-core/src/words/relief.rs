//! What is said about a verdict and its outcome.

use core::fmt;
use core::time::Duration;

use crate::action::{Because, Ending, Measured, Outcome, Relief, Trigger, Verdict, Way};
use crate::snapshot::Process;
use crate::units::Kib;

/// Why relief began, with the figures that say so.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a>(pub Trigger, pub &'a Measured);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(trigger, measured) = self;
        let (available, floor) = (measured.available, measured.floor);
        match trigger {
            Trigger::Kills => {
                write!(f, "the kernel killed {} in a second", measured.kills)?;
                write!(f, "; {available} available, floor {floor}")?;
            }
            Trigger::Floor => write!(f, "{available} available is under the floor of {floor}")?,
            Trigger::Horizon => {
                let headroom = measured.headroom();
                write!(f, "{headroom} above the floor of {floor} will be gone at once")?;
            }
            Trigger::Thrashing => {
                write!(
                    f,
                    "thrashing: stalled {} % of a second",
                    measured.stall_percent.unwrap_or(0)
                )?;
                write!(f, ", {} pages read again a second", measured.refaults.unwrap_or(0))?;
                write!(f, "; {available} available")?;
            }
            Trigger::TakenOver => {
                write!(f, "jobs wait since before this guard was started")?;
                write!(f, "; {available} available, floor {floor}")?;
            }
        }
        match measured.falling_kib_s {
            0 => Ok(()),
            rate => write!(f, ", falling {}/s", Kib(rate)),
        }
    }
}

/// A verdict's reason: why now, and why this process.
#[derive(Clone, Copy, Debug)]
pub struct Reason<'a> {
    /// The verdict.
    pub verdict: &'a Verdict,
    /// The rule that classed its process, by name.
    pub rule: Option<&'a str>,
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.verdict;
        let headroom = v.measured.headroom();
        match v.relief {
            Relief::Pause { need, room, way } => {
                write!(
                    f,
                    "may need {need} more and {room} is left for it; {headroom} above the floor"
                )?;
                return match way {
                    Way::Stop => Ok(()),
                    Way::Freeze => write!(f, "; its unit is frozen with it"),
                };
            }
            Relief::Thaw { waited, because } => {
                match because {
                    Because::Room => {
                        write!(f, "waited {} s; {headroom} above the floor", waited.as_secs())?;
                    }
                    Because::Lock => write!(
                        f,
                        "was stopped for {} ms and may hold a lock; it is asked to wait again soon",
                        waited.as_millis()
                    )?,
                    Because::Waited => write!(
                        f,
                        "was stopped for {} ms and may hold what others wait for",
                        waited.as_millis()
                    )?,
                    Because::Ended => write!(
                        f,
                        "waited {} s; somebody asked it to end, for which it has to run",
                        waited.as_secs()
                    )?,
                }
                return Ok(());
            }
            Relief::KillFamily { members, gives_back } => {
                let cause = Cause(v.trigger, &v.measured);
                write!(f, "{cause}; {members} that belong together give back {gives_back}")?;
                return self.rule.map_or(Ok(()), |rule| write!(f, ", expendable by rule {rule}"));
            }
            Relief::Trim { usual } => {
                let has = v.process.map_or(Kib::ZERO, |p| p.gives_back);
                let cause = Cause(v.trigger, &v.measured);
                return write!(
                    f,
                    "{cause}; nothing expendable is left, and this worker has {has} where {usual} is \
                     usual: one request is lost, its master starts another"
                );
            }
            Relief::Useless { ends } => {
                let cause = Cause(v.trigger, &v.measured);
                return write!(
                    f,
                    "{cause}; {ends} ends in a row gave nothing back, so the memory goes elsewhere \
                     (tmpfs, kernel, something that may not be slain): headroom status"
                );
            }
            Relief::Terminate | Relief::Kill | Relief::Nothing => {}
        }
        write!(f, "{}", Cause(v.trigger, &v.measured))?;
        if v.escalated {
            return write!(f, "; SIGTERM did not end it in time");
        }
        match &v.process {
            None => write!(f, "; nothing that may be slain would give back enough"),
            Some(p) => {
                write!(f, "; gives back {} for {} s of work", p.gives_back, v.age.as_secs())?;
                write!(f, ", {}", p.class)?;
                self.rule.map_or(Ok(()), |rule| write!(f, " by rule {rule}"))
            }
        }
    }
}

/// What is done, as the first words of a log line: `slay php (4711) with SIGTERM`.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a>(pub &'a Verdict);

impl fmt::Display for Deed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, signal) = match self.0.relief {
            Relief::Terminate => ("slay", " with SIGTERM"),
            Relief::Kill => ("slay", " with SIGKILL"),
            Relief::KillFamily { .. } => ("slay the family of", " with SIGKILL"),
            Relief::Trim { .. } => ("trim", " with SIGKILL"),
            Relief::Useless { .. } => return write!(f, "relief does not help, resting for 2 s"),
            Relief::Pause { way: Way::Stop, .. } => ("pause", ""),
            Relief::Pause { way: Way::Freeze, .. } => ("freeze", " with its unit"),
            Relief::Thaw { .. } => ("thaw", ""),
            Relief::Nothing => return write!(f, "nothing left to slay"),
        };
        match &self.0.process {
            Some(p) => write!(f, "{verb} {} ({}){signal}", p.comm, p.id.pid),
            None => write!(f, "{verb} nobody"),
        }
    }
}

/// What whoever waits for a paused job reads on the terminal.
#[derive(Clone, Copy, Debug)]
pub struct Waits<'a> {
    /// The job.
    pub process: &'a Process,
    /// How long it may have to.
    pub at_most: Duration,
}

impl fmt::Display for Waits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process: p, at_most } = self;
        let (minutes, seconds) = (at_most.as_secs() / 60, at_most.as_secs() % 60);
        write!(f, "headroom: {} ({}) waits until there is memory for it, for ", p.comm, p.id.pid)?;
        match (minutes, seconds) {
            (0, seconds) => write!(f, "{seconds} s")?,
            (minutes, _) => write!(f, "{minutes} min")?,
        }
        write!(f, " at most, and goes on by itself; headroom status shows who runs")
    }
}

/// What came of it: `php (4711) gone after 12 ms, 96 MiB available before, 480 MiB after`.
#[derive(Clone, Copy, Debug)]
pub struct Result<'a>(pub &'a Outcome);

impl fmt::Display for Result<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let o = self.0;
        write!(f, "{} ({}) ", o.process.comm, o.process.id.pid)?;
        match o.ending {
            Ending::Gone => write!(f, "gone after {} ms", o.took.as_millis())?,
            Ending::Vanished => write!(f, "had ended by itself")?,
            Ending::Refused => write!(f, "could not be signalled: the kernel refused")?,
            Ending::Stuck => write!(f, "does not end: it sleeps uninterruptibly")?,
        }
        write!(f, ", {} available before, {} after", o.available_before, o.available_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Class;
    use crate::snapshot::{Comm, Process, ProcessId, ZoneIndex};
    use alloc::string::ToString;
    use core::time::Duration;

    #[test]
    fn a_verdict_says_why_now_and_why_this_one() {
        let verdict = Verdict {
            incident: 3,
            zone: ZoneIndex::ROOT,
            trigger: Trigger::Floor,
            measured: Measured {
                limit: Kib::from_mib(1200),
                available: Kib::from_mib(96),
                floor: Kib::from_mib(120),
                falling_kib_s: 210 * 1024,
                ..Measured::default()
            },
            relief: Relief::Terminate,
            process: Some(Process {
                id: ProcessId { pid: 4711, start_ticks: 1 },
                comm: Comm::new(b"php"),
                class: Class::Expendable,
                gives_back: Kib::from_mib(398),
                ..Process::default()
            }),
            age: Duration::from_secs(31),
            escalated: false,
        };
        assert_eq!(Deed(&verdict).to_string(), "slay php (4711) with SIGTERM");
        assert_eq!(
            Reason { verdict: &verdict, rule: Some("job") }.to_string(),
            "96 MiB available is under the floor of 120 MiB, falling 210 MiB/s; \
             gives back 398 MiB for 31 s of work, expendable by rule job"
        );
    }
}
