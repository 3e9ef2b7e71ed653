//! `import-too-large`: an import or export that takes it all at once instead of piece by piece.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::advise::facts::Facts;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// What such a command line has in it.
const WORDS: [&str; 9] =
    ["import", "export", "feed", "sync", "reindex", "migrat", "catalog", "stock", "generate"];
/// A piece should take no more of the RAM than this, in per cent.
const PIECE: u64 = 10;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let cron = facts.jobs.iter().filter_map(|job| {
        let peak = job.peak.as_ref()?;
        Some((job.job.shell(), peak.value, peak.at.clone()))
    });
    let recorded =
        facts.record.jobs.iter().map(|job| (job.command.clone(), job.peak, job.at.clone()));
    let mut seen: Vec<String> = Vec::new();
    let mut advices = Vec::new();
    for (command, peak, at) in cron.chain(recorded) {
        let lower = command.to_lowercase();
        let is_import = WORDS.iter().any(|word| lower.contains(word));
        // The record has the process, the crontab the shell around it.
        let is_known =
            seen.iter().any(|known| known.contains(&command) || command.contains(known.as_str()));
        if !is_import || is_known || peak < facts.node.ram.percent(25) {
            continue;
        }
        seen.push(command.clone());
        advices.extend(of(facts, &command, peak, at));
    }
    advices
}

fn of(facts: &Facts, command: &str, peak: Kib, at: String) -> Option<Advice> {
    let piece = facts.node.ram.percent(PIECE).0.max(1);
    let pieces = peak.0.div_ceil(piece).max(2);
    let cut = peak.saturating_sub(Kib(peak.0 / pieces));
    if !worth(facts, cut) {
        return None;
    }
    let mut advice = Advice::of(Kind::ImportTooLarge);
    advice.title = format!("{command} takes {peak} at once");
    let share = peak.0.saturating_mul(100) / facts.node.ram.0.max(1);
    advice.because(at, format!("{peak} at its highest, {share} % of the RAM"));
    advice.cuts_peak = Some(cut);
    // That half the rows take half the memory is so for most, and for none for sure.
    advice.confidence = Confidence::Low;
    advice.risk = Risk::Medium;
    advice.command = format!(
        "read the input in {pieces} pieces and commit after each, about {} a piece; for a file:\n\
         split -n l/{pieces} INPUT part. && for f in part.*; do {command} \"$f\"; done\n\
         and bound it meanwhile: systemd-run --scope -p MemoryMax={}M {command}",
        Kib(peak.0 / pieces),
        peak.percent(110).0.div_ceil(1024)
    );
    advice.check = "headroom history: its peak at the next run".into();
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::super::need::tests::job;
    use super::*;
    use crate::advise::facts::RecordedJob;

    #[test]
    fn an_import_of_half_the_ram_is_cut_into_pieces_of_a_tenth() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(2000);
        facts.jobs.push(job("0 3 * * * app cd /srv && php import.php", Some(1000), None));
        let recorded = |command: &str, mib| RecordedJob {
            command: command.into(),
            peak: Kib::from_mib(mib),
            ..RecordedJob::default()
        };
        // The same one, one that is small, and one that is no import.
        facts.record.jobs = alloc::vec![
            recorded("php import.php", 990),
            recorded("php export.php", 90),
            recorded("php x.php", 900)
        ];
        let advices = advise(&facts);
        assert_eq!(advices.len(), 1);
        assert_eq!(advices[0].cuts_peak, Some(Kib::from_mib(800)));
        assert!(advices[0].command.contains("in 5 pieces"));
    }
}
