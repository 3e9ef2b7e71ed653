//! What a cron job takes: what was recorded of it, or what its kind usually takes.

use alloc::format;
use alloc::string::String;

use crate::advise::facts::{CronJob, Facts};
use crate::advise::parse::cronlog::Run;
use crate::units::Kib;

/// The memory of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) size: Kib,
    /// Where the figure comes from, in words.
    pub(super) words: String,
    pub(super) is_measured: bool,
}

/// What runs of a kind usually take at their highest, by the words of their command line. The first that
/// fits counts.
const USUAL: [(&[&str], u64); 9] = [
    (&["magento", "n98-magerun"], 160),
    (&["artisan", "bin/console", "wp-cron", "wp ", "drush"], 96),
    (&["php"], 64),
    (&["java"], 256),
    (&["node", "npm"], 96),
    (&["python", "ruby", "perl"], 48),
    (&["mysqldump", "mariadb-dump", "indexer", "rsync"], 32),
    (&["tar", "gzip", "zstd", "find"], 16),
    (&[""], 6),
];

pub(super) fn need(job: &CronJob) -> Need {
    if let Some(peak) = &job.peak {
        let words = format!("{} ({})", peak.value, peak.at);
        return Need { size: peak.value, words, is_measured: true };
    }
    let shell = job.job.shell();
    let usual = USUAL.iter().find(|(words, _)| words.iter().any(|word| shell.contains(word)));
    let size = Kib::from_mib(usual.map_or(6, |(_, mib)| *mib));
    Need { size, words: format!("{size} assumed for its kind"), is_measured: false }
}

/// Runs of a job that were logged. cron logs the command as the crontab has it.
pub(super) fn runs<'a>(facts: &'a Facts, job: &CronJob) -> impl Iterator<Item = &'a Run> {
    let (user, raw, shell) = (job.job.user.clone(), job.job.command.clone(), job.job.shell());
    facts
        .runs
        .iter()
        .filter(move |run| run.user == user && (run.command == raw || run.command == shell))
}

/// The command in as few words as still name it.
pub(super) fn short(job: &CronJob) -> String {
    let shell = job.job.shell();
    match shell.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", shell.get(..at).unwrap_or(&shell)),
        None => shell,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::advise::parse::Said;
    use crate::advise::parse::crontab::{Form, read};

    /// A job of a line of `/etc/cron.d`, with its peak in MiB and its longest run in seconds.
    pub(in super::super) fn job(line: &str, mib: Option<u64>, longest_s: Option<u64>) -> CronJob {
        let (mut jobs, unread) =
            read("/etc/cron.d/shop", &format!("{line}\n"), Form::System, &|_| None);
        assert!(unread.is_empty(), "{unread:?}");
        CronJob {
            job: jobs.remove(0),
            offset_min: 0,
            peak: mib.map(|mib| Said::new(Kib::from_mib(mib), "journal")),
            longest_s: longest_s.map(|s| Said::new(s, "syslog")),
            running: 0,
        }
    }

    #[test]
    fn a_recorded_peak_counts_more_than_the_usual() {
        let line = "0 3 * * * app php /srv/bin/magento cron:run";
        assert_eq!(need(&job(line, None, None)).size, Kib::from_mib(160));
        assert_eq!(need(&job(line, Some(300), None)).size, Kib::from_mib(300));
        assert_eq!(need(&job("0 3 * * * app true", None, None)).size, Kib::from_mib(6));
    }
}
