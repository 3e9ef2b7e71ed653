//! What jobs took, by kind of command line: a small JSON file that outlives the guard, and the JSON of
//! `headroom history --jobs`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use headroom_core::decide::{JobRun, expected_peak, kind_of};
use headroom_core::units::Kib;
use serde::{Deserialize, Serialize};

/// Kinds kept; the one not seen for longest makes room.
pub const MOST: usize = 256;
/// The version of the form.
pub const VERSION: u32 = 1;
/// A file longer than this is not one of ours.
const LONGEST: u64 = 1 << 20;

/// All kinds, those seen last at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Jobs {
    /// [`VERSION`].
    pub version: u32,
    /// The kinds.
    pub jobs: Vec<Job>,
}

/// Jobs of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// The command line with its numbers, ids and temporary paths folded.
    pub command: String,
    /// How many ended by themselves.
    pub runs: u64,
    /// How many of all had to wait.
    pub waits: u64,
    /// How many were slain.
    pub slain: u64,
    /// What the next one is expected to take; `null` while none ended by itself.
    pub peak_kib: Option<u64>,
    /// What the last one took.
    pub last_peak_kib: u64,
    /// The most that one took, slain ones included.
    pub highest_peak_kib: u64,
    /// How long one ran on average, the waiting left out; `null` while none ended by itself.
    pub mean_ms: Option<u64>,
    /// How long the last one ran.
    pub last_ms: u64,
    /// How long all of them waited.
    pub waited_ms: u64,
    /// The longest that one waited.
    pub longest_wait_ms: u64,
    /// When the last one ended, milliseconds since 1970.
    pub seen_unix_ms: i64,
}

impl Jobs {
    /// Reads the file; none there is nothing known.
    ///
    /// # Errors
    ///
    /// `InvalidData` for a file that is not of this form; what the disk says.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e),
        };
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes)?;
        let refuse = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let mut jobs: Self = serde_json::from_slice(&bytes).map_err(|e| refuse(e.to_string()))?;
        if jobs.version != VERSION {
            return Err(refuse(format!("version {}, not {VERSION}", jobs.version)));
        }
        let surplus = jobs.jobs.len().saturating_sub(MOST);
        jobs.jobs.drain(..surplus);
        Ok(jobs)
    }

    /// Writes the file anew beside the old one and puts it in its place: whatever happens meanwhile,
    /// one of the two is whole.
    ///
    /// # Errors
    ///
    /// What the disk says; the old file stands then.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("new");
        let written = (|| {
            let mut file = File::create(&beside)?;
            file.write_all(&serde_json::to_vec(&Self { version: VERSION, ..self.clone() })?)?;
            file.sync_data()?;
            fs::rename(&beside, path)
        })();
        if written.is_err() {
            // It may not even be there.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    /// Takes in what one job took.
    pub fn learn(&mut self, run: &JobRun, unix_ms: i64) {
        let command = run.command.to_string();
        let mut job = match self.jobs.iter().position(|job| job.command == command) {
            Some(at) => self.jobs.remove(at),
            None => Job { command, ..Job::default() },
        };
        let ms = |time: core::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (ran, waited) = (ms(run.ran), ms(run.waited));
        if run.slain {
            job.slain += 1;
        } else {
            let known = job.peak_kib.map_or(run.peak, |known| expected_peak(Kib(known), run.peak));
            job.peak_kib = Some(known.0);
            let total = job.mean_ms.unwrap_or(0).saturating_mul(job.runs).saturating_add(ran);
            job.runs += 1;
            job.mean_ms = Some(total / job.runs);
            job.last_peak_kib = run.peak.0;
            job.last_ms = ran;
        }
        job.highest_peak_kib = job.highest_peak_kib.max(run.peak.0);
        job.waits += u64::from(waited > 0);
        job.waited_ms = job.waited_ms.saturating_add(waited);
        job.longest_wait_ms = job.longest_wait_ms.max(waited);
        job.seen_unix_ms = unix_ms;
        if self.jobs.len() >= MOST {
            self.jobs.remove(0);
        }
        self.jobs.push(job);
    }

    /// What to expect of each kind, those seen longest ago first.
    pub fn expected(&self) -> impl Iterator<Item = (u64, Kib)> + '_ {
        self.jobs.iter().filter_map(|job| {
            // A folded command line folds to itself, so that its kind is that of the job.
            Some((kind_of(job.command.as_bytes()), Kib(job.peak_kib?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use headroom_core::decide::folded;

    fn run(command: &str, mib: u64, ran_s: u64, waited_s: u64) -> JobRun {
        JobRun {
            kind: kind_of(command.as_bytes()),
            command: folded(command.as_bytes()),
            peak: Kib::from_mib(mib),
            ran: Duration::from_secs(ran_s),
            waited: Duration::from_secs(waited_s),
            slain: false,
        }
    }

    #[test]
    fn runs_of_a_kind_are_kept_together_across_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jobs.json");
        let mut jobs = Jobs::read(&path).unwrap();
        jobs.learn(&run("php import.php --batch 17", 160, 10, 0), 1);
        jobs.learn(&run("php export.php", 40, 1, 0), 2);
        jobs.learn(&run("php import.php --batch 18", 80, 20, 5), 3);
        jobs.learn(&JobRun { slain: true, ..run("php import.php --batch 19", 700, 3, 2) }, 4);
        jobs.write(&path).unwrap();

        let jobs = Jobs::read(&path).unwrap();
        assert_eq!(jobs.jobs.len(), 2);
        let job = &jobs.jobs[1];
        assert_eq!(job.command, "php import.php --batch #");
        assert_eq!((job.runs, job.waits, job.slain), (2, 2, 1));
        assert_eq!(job.peak_kib, Some(140 * 1024), "an eighth less than what the first took");
        assert_eq!((job.last_peak_kib, job.highest_peak_kib), (80 * 1024, 700 * 1024));
        assert_eq!((job.mean_ms, job.waited_ms, job.longest_wait_ms), (Some(15_000), 7000, 5000));
        let expected: Vec<_> = jobs.expected().collect();
        assert_eq!(expected[1], (kind_of(b"php import.php --batch 4711"), Kib::from_mib(140)));
    }

    #[test]
    fn of_too_many_kinds_those_not_seen_for_longest_make_room() {
        let mut jobs = Jobs::default();
        for n in 0..MOST + 10 {
            let name: String =
                format!("{n:04}").chars().map(|c| char::from(c as u8 + 49)).collect();
            jobs.learn(&run(&format!("php {name}"), 20, 1, 0), 1);
        }
        assert_eq!(jobs.jobs.len(), MOST);
        assert_eq!(jobs.jobs[0].command, "php aaba");
    }

    #[test]
    fn a_file_of_another_form_is_refused_and_not_half_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jobs.json");
        for text in ["", "{", "[]", "{\"version\":2,\"jobs\":[]}", "{\"version\":1,\"jobs\":7}"] {
            fs::write(&path, text).unwrap();
            let error = Jobs::read(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text}");
        }
    }
}
