//! The answer for people: three lines that say it, then what speaks for it. Fits 100 columns.

use std::io::{self, Write};

use headroom_core::diagnose::{
    self, Confidence, Dated, Facts, Finding, Holder, Incident, IncidentKind,
};
use headroom_core::oomlog::{Event, Killer};
use headroom_core::words;

use super::{colour, harmless};
use crate::input::{Gathered, when};

/// The width nothing exceeds.
const WIDTH: usize = 100;

/// Events of an incident that are listed one by one.
const LISTED_EVENTS: usize = 12;

/// Holders that are listed.
const LISTED_HOLDERS: usize = 8;

/// Prints the explanation, the newest incident first.
pub(crate) fn explanation(
    out: &mut dyn Write,
    gathered: &Gathered,
    incidents: &[Incident],
) -> io::Result<()> {
    let mut page = Page { out, colour: colour::is_on() };
    if incidents.is_empty() {
        return page.line("", &words::explain::nothing_found(gathered.sources.len()));
    }
    for (number, incident) in incidents.iter().rev().enumerate() {
        if number > 0 {
            page.line("", &"─".repeat(WIDTH))?;
        }
        page.incident(gathered, incident)?;
        if number == 0 && incidents.len() > 1 {
            page.line("", "")?;
            page.line("", &words::explain::earlier_incidents(incidents.len() - 1))?;
        }
    }
    let (cut, odd) = (gathered.truncated_reports, gathered.unparsed_lines);
    if cut + odd > 0 {
        page.line("", "")?;
        page.line("", &words::explain::skipped(cut, odd))?;
    }
    Ok(())
}

struct Page<'o> {
    out: &'o mut dyn Write,
    colour: bool,
}

impl Page<'_> {
    fn incident(&mut self, gathered: &Gathered, incident: &Incident) -> io::Result<()> {
        let dated: Vec<&Dated> =
            incident.events.iter().filter_map(|i| gathered.events.get(*i)).collect();
        let events: Vec<&Event> = dated.iter().map(|dated| &dated.event).collect();
        let history: Vec<&Event> = gathered.events.iter().map(|dated| &dated.event).collect();
        let Some(facts) = Facts::of(&events) else { return Ok(()) };
        let findings = diagnose::findings(&events, incident.kind, &history);
        self.answer(&events, &facts, &findings)?;
        self.heading(gathered, incident, &dated)?;
        self.findings(gathered, &findings)?;
        self.holders(&facts)?;
        self.events(gathered, &dated)
    }

    /// What ran out, who died, who held the memory and what to do: one line each.
    fn answer(
        &mut self,
        events: &[&Event],
        facts: &Facts<'_>,
        findings: &[Finding],
    ) -> io::Result<()> {
        let expected = match events {
            [event] => {
                event.victims.first().and_then(|victim| diagnose::expected_victim(event, victim))
            }
            _ => None,
        };
        self.bold(&shortened(&words::explain::what_ran_out(facts.event), WIDTH))?;
        self.bold(&shortened(&words::explain::who_died(events, expected), WIDTH))?;
        let advice = findings.iter().find_map(|finding| finding.advice.first());
        let advice = advice.map(|advice| words::explain::to_do(advice)).unwrap_or_default();
        // As many holders as leave room for the advice, and one at least.
        let held = |most: usize| words::explain::who_held(&facts.holders, most);
        let fits = |most: &usize| held(*most).chars().count() + advice.chars().count() + 2 <= WIDTH;
        let held = held([3, 2].into_iter().find(fits).unwrap_or(1));
        let line = if advice.is_empty() { held } else { format!("{held}. {advice}") };
        self.bold(&shortened(&line, WIDTH))
    }

    fn heading(
        &mut self,
        gathered: &Gathered,
        incident: &Incident,
        dated: &[&Dated],
    ) -> io::Result<()> {
        let (Some(first), Some(last)) = (dated.first(), dated.last()) else { return Ok(()) };
        let kind = match incident.kind {
            IncidentKind::Incidental => words::explain::INCIDENTAL,
            IncidentKind::Structural => words::explain::STRUCTURAL,
        };
        let when = match (first.at_us.and_then(when::readable), first.event.stamp.uptime_us) {
            (Some(when), _) => when,
            (None, Some(us)) => words::explain::since_boot(us),
            (None, None) => words::explain::NO_TIME.to_string(),
        };
        let lasted =
            first.at_us.zip(last.at_us).map(|(a, b)| (b - a) / 1_000_000).filter(|s| *s > 0);
        let lasted = lasted.map(|seconds| format!(", for {seconds} s")).unwrap_or_default();
        self.line("", "")?;
        self.line("", &format!("{when}{lasted}, {}; {kind}", gathered.place(first.event.first)))?;
        let kernel = first.event.kernel.as_ref().map(|kernel| format!("kernel {kernel}"));
        let host = first.event.host.as_ref().map(|host| format!("host {host}"));
        let about: Vec<String> = host.into_iter().chain(kernel).collect();
        if !about.is_empty() {
            self.line("", &about.join(", "))?;
        }
        Ok(())
    }

    fn findings(&mut self, gathered: &Gathered, findings: &[Finding]) -> io::Result<()> {
        self.title("Findings")?;
        for (finding, number) in findings.iter().zip(1..) {
            let sure = match finding.confidence {
                Confidence::High => "sure",
                Confidence::Medium => "likely",
                Confidence::Low => "possible",
            };
            let indent = "   ";
            self.wrapped(
                &format!("{number}. "),
                indent,
                &format!("{} ({sure}, {})", finding.title, finding.kind.id()),
            )?;
            for advice in &finding.advice {
                self.wrapped(indent, "     ", &format!("→ {advice}"))?;
            }
            if let Some(saves) = finding.saves {
                self.line(indent, &format!("saves {saves}"))?;
            }
            if !finding.evidence.is_empty() {
                let places: Vec<String> =
                    finding.evidence.iter().map(|at| gathered.place(*at)).collect();
                self.wrapped(indent, "     ", &format!("see {}", places.join(", ")))?;
            }
        }
        Ok(())
    }

    fn holders(&mut self, facts: &Facts<'_>) -> io::Result<()> {
        if facts.holders.is_empty() {
            return Ok(());
        }
        self.title("Who held the memory")?;
        self.line(
            "  ",
            &format!(
                "{:<28} {:>9} {:>10} {:>10} {:>6}",
                "", "processes", "resident", "in swap", "share"
            ),
        )?;
        let worth = |holder: &&Holder| holder.rss.0 > 0;
        for holder in facts.holders.iter().filter(worth).take(LISTED_HOLDERS) {
            let swap = holder.swap.map_or_else(|| "?".to_string(), |swap| swap.to_string());
            let unkillable = if holder.unkillable { "  unkillable" } else { "" };
            let name = shortened(&harmless(&holder.group), 28);
            let share = words::explain::percent(holder.share);
            let row = format!(
                "{name:<28} {:>9} {:>10} {swap:>10} {share:>4} %{unkillable}",
                holder.processes,
                holder.rss.to_string()
            );
            self.line("  ", &row)?;
        }
        let rest = facts.holders.len().saturating_sub(LISTED_HOLDERS);
        if rest > 0 {
            self.line("  ", &format!("and {rest} smaller ones; {} in all", facts.resident))?;
        }
        Ok(())
    }

    fn events(&mut self, gathered: &Gathered, dated: &[&Dated]) -> io::Result<()> {
        self.title("What happened")?;
        for dated in dated.iter().take(LISTED_EVENTS) {
            let event = &dated.event;
            let place = gathered.place(event.first);
            let head = words::explain::invoked_by(event).unwrap_or_else(|| {
                let told = event.killer != Killer::Kernel || event.invoker.is_some();
                if told {
                    words::explain::what_ran_out(event)
                } else {
                    words::explain::NO_HEAD.to_string()
                }
            });
            self.wrapped("  ", "    ", &format!("{place}: {head}"))?;
            for victim in event.victims.iter().take(LISTED_EVENTS) {
                let expected = diagnose::expected_victim(event, victim);
                self.wrapped(
                    "    ",
                    "      ",
                    &format!(
                        "{}: {}",
                        gathered.place(victim.at),
                        words::explain::died(victim, expected)
                    ),
                )?;
            }
            let more = event.victims.len().saturating_sub(LISTED_EVENTS);
            if more > 0 {
                self.line("    ", &format!("and {more} more"))?;
            }
            if let Some(missing) = words::explain::missing(&event.missing) {
                self.wrapped("    ", "      ", &missing)?;
            }
        }
        let more = dated.len().saturating_sub(LISTED_EVENTS);
        if more > 0 {
            self.line("  ", &format!("and {more} more events; `--format json` has them all"))?;
        }
        Ok(())
    }

    fn title(&mut self, text: &str) -> io::Result<()> {
        self.line("", "")?;
        self.bold(text)
    }

    fn bold(&mut self, text: &str) -> io::Result<()> {
        let text = harmless(text);
        if self.colour {
            writeln!(self.out, "\u{1b}[1m{text}\u{1b}[0m")
        } else {
            writeln!(self.out, "{text}")
        }
    }

    fn line(&mut self, indent: &str, text: &str) -> io::Result<()> {
        writeln!(
            self.out,
            "{}",
            format!("{indent}{}", shortened(&harmless(text), WIDTH - indent.len())).trim_end()
        )
    }

    /// Breaks a text at blanks; a word wider than the page is shortened in its middle.
    fn wrapped(&mut self, first: &str, indent: &str, text: &str) -> io::Result<()> {
        let text = harmless(text);
        let mut line = first.to_string();
        let mut empty = true;
        for word in text.split(' ') {
            let word = shortened(word, WIDTH - indent.len());
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                writeln!(self.out, "{line}")?;
                line = indent.to_string();
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(&word);
            empty = false;
        }
        writeln!(self.out, "{line}")
    }
}

/// The text, with a long word in it (a cgroup's path) cut in its middle, then the text at its end.
fn shortened(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_string();
    }
    let longest = text.split(' ').max_by_key(|word| word.chars().count()).unwrap_or("");
    let (long, excess) = (longest.chars().count(), length - width);
    if long >= excess + 24 {
        let keep = long - excess - 1;
        let (head, tail) = (keep / 2, keep - keep / 2);
        let front: String = longest.chars().take(head).collect();
        let back: String = longest.chars().skip(long - tail).collect();
        return text.replacen(longest, &format!("{front}…{back}"), 1);
    }
    let mut cut: String = text.chars().take(width - 1).collect();
    if let Some(blank) = cut.rfind(' ') {
        cut.truncate(blank);
    }
    cut + "…"
}
