//! `advise` for people and for programs.

use std::fmt::Write;
use std::io::{self, IsTerminal};

use headroom_api::advise::{self as wire, Advices, Risk};
use headroom_api::explain::Confidence;
use headroom_core::advise::{self, Advice, Facts};
use headroom_core::units::Kib;

use super::harmless;
use super::status::WIDTH;

/// Evidence that is listed; JSON and the page have all of it.
const LISTED: usize = 8;

/// The advices in the form of the contract.
pub(crate) fn told(facts: &Facts, advices: &[Advice]) -> Advices {
    let ram = Some(facts.node.ram.0).filter(|ram| *ram > 0);
    let unread = facts
        .unread
        .iter()
        .map(|unread| wire::Unread { source: unread.source.clone(), why: unread.why.clone() });
    Advices {
        version: wire::VERSION,
        ram_kib: ram,
        advices: advices.iter().map(advice).collect(),
        unread: unread.collect(),
    }
}

fn advice(advice: &Advice) -> wire::Advice {
    let evidence = advice.evidence.iter().map(|evidence| wire::Evidence {
        source: evidence.source.clone(),
        what: evidence.what.clone(),
    });
    wire::Advice {
        id: advice.kind.id().into(),
        title: advice.title.clone(),
        evidence: evidence.collect(),
        saves_kib: advice.saves.map(|size| size.0),
        cuts_peak_kib: advice.cuts_peak.map(|size| size.0),
        risk: match advice.risk {
            advise::Risk::Low => Risk::Low,
            advise::Risk::Medium => Risk::Medium,
            advise::Risk::High => Risk::High,
        },
        command: advice.command.clone(),
        check: advice.check.clone(),
        confidence: match advice.confidence {
            advise::Confidence::High => Confidence::High,
            advise::Confidence::Medium => Confidence::Medium,
            advise::Confidence::Low => Confidence::Low,
        },
    }
}

/// `saves 300 MiB now, cuts the peak by 1.2 GiB`.
pub(super) fn gives(advice: &wire::Advice) -> String {
    let saves = advice.saves_kib.map(|kib| format!("saves {}", Kib(kib)));
    let cuts = advice.cuts_peak_kib.map(|kib| format!("cuts the peak by {}", Kib(kib)));
    let words: Vec<String> = saves.into_iter().chain(cuts).collect();
    if words.is_empty() { "saves nothing by itself".into() } else { words.join(", ") }
}

/// How sure it is, in the words `explain` uses.
pub(super) const fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "sure",
        Confidence::Medium => "likely",
        Confidence::Low => "possible",
    }
}

/// What it may break.
pub(super) const fn risk(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "low risk",
        Risk::Medium => "some risk",
        Risk::High => "high risk",
    }
}

/// The whole answer.
pub(crate) fn text(told: &Advices) -> String {
    let colour = io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut out = String::new();
    let bold = |text: &str| {
        if colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_string() }
    };
    if told.advices.is_empty() {
        out.push_str("Nothing to advise: what was looked at fits this node.\n");
    }
    for (advice, number) in told.advices.iter().zip(1..) {
        if number > 1 {
            out.push('\n');
        }
        let first = format!("{number}. ");
        let mut title = String::new();
        wrapped(&mut title, &first, "   ", &advice.title);
        out.extend(title.lines().map(|line| bold(line) + "\n"));
        let about = format!(
            "{}; {}, {} ({})",
            gives(advice),
            sure(advice.confidence),
            risk(advice.risk),
            advice.id
        );
        wrapped(&mut out, "   ", "   ", &about);
        for evidence in advice.evidence.iter().take(LISTED) {
            let line = format!("{}: {}", evidence.source, evidence.what);
            wrapped(&mut out, "     - ", "       ", &line);
        }
        let more = advice.evidence.len().saturating_sub(LISTED);
        if more > 0 {
            let _ = writeln!(out, "       and {more} more (--format json has all)");
        }
        for line in advice.command.lines() {
            // Meant to be copied: never broken.
            let _ = writeln!(out, "     > {}", harmless(line));
        }
        wrapped(&mut out, "     check: ", "       ", &advice.check);
    }
    if told.advices.len() > 1 {
        out.push_str("\nEach stands for itself: what two of them give does not always add up.\n");
    }
    if !told.unread.is_empty() {
        out.push_str("\nNot read or not understood:\n");
        for unread in &told.unread {
            wrapped(&mut out, "  ", "    ", &format!("{}: {}", unread.source, unread.why));
        }
    }
    out
}

/// Breaks a text at blanks so that no line is longer than the page, a word that is longer excepted.
fn wrapped(out: &mut String, first: &str, indent: &str, text: &str) {
    let mut line = first.to_string();
    let mut is_empty = true;
    for word in harmless(text).split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = indent.to_string();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_core::advise::Kind;

    #[test]
    fn an_advice_is_one_block_with_its_figure_its_command_and_its_check() {
        let mut advice = Advice::of(Kind::TmpfsHeavy);
        advice.title = "Files under /tmp hold 300 MiB of memory".into();
        advice.because("/tmp", "tmpfs, 300 MiB in use");
        advice.saves = Some(Kib::from_mib(300));
        advice.command = "one\ntwo".into();
        advice.check = "df /tmp".into();
        let text = text(&told(&Facts::default(), &[advice]));
        assert_eq!(
            text,
            "1. Files under /tmp hold 300 MiB of memory\n   saves 300 MiB; likely, low risk (tmpfs-heavy)\n     \
             - /tmp: tmpfs, 300 MiB in use\n     > one\n     > two\n     check: df /tmp\n"
        );
    }

    #[test]
    fn no_line_but_a_command_is_longer_than_the_page() {
        let mut out = String::new();
        wrapped(&mut out, "- ", "  ", &"word ".repeat(60));
        assert!(out.lines().count() > 2 && out.lines().all(|line| line.chars().count() <= WIDTH));
    }
}
