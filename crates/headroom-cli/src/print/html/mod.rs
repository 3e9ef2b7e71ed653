//! The answer as one page that needs nothing else: charts as inline SVG, no script, nothing loaded.
//!
//! Readable on a screen in light and dark, and printed. Every text from a log goes through
//! [`escape::esc`].

mod escape;
mod memory;
mod timeline;

use std::fmt::Write;

use headroom_core::diagnose::{self, Confidence, Finding, IncidentKind, badness};
use headroom_core::oomlog::{Event, Task};
use headroom_core::words;

use self::escape::{esc, rich};
use crate::explained::Explained;
use crate::input::{Gathered, when};

const STYLE: &str = include_str!("style.css");

/// Rows of the table of processes.
const ROWS: usize = 14;

/// Incidents with a section of their own; of older ones only the headline is listed.
const SECTIONS: usize = 25;

/// Events listed of one incident.
const EVENTS: usize = 20;

/// The whole page.
pub(crate) fn page(gathered: &Gathered, explained: &[Explained<'_>]) -> String {
    let host = explained.iter().find_map(|e| e.events.first()?.host.as_deref());
    let title = match host {
        Some(host) => format!("{host}: why memory ran out"),
        None => "Why memory ran out".to_string(),
    };
    let mut out = format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{}</title><style>{STYLE}</style></head><body>\n<header><b>Headroom</b><span>{}</span></header><main>",
        esc(&title),
        esc(host.unwrap_or(""))
    );
    if explained.is_empty() {
        let nothing = words::explain::nothing_found(gathered.sources.len());
        // Writing to a String cannot fail.
        let _ = write!(out, "<article><h1>{}</h1></article>", esc(&nothing));
    }
    for (number, explained) in explained.iter().rev().take(SECTIONS).enumerate() {
        out += &section(gathered, explained, number);
    }
    if explained.len() > 1 {
        out += &list(explained);
    }
    let _ = write!(
        out,
        "</main><footer>headroom {} · {}</footer></body></html>",
        env!("CARGO_PKG_VERSION"),
        esc(&gathered.sources.join(", "))
    );
    out.push('\n');
    out
}

fn headline(explained: &Explained<'_>) -> String {
    explained.findings.first().map_or_else(
        || words::explain::what_ran_out(explained.facts.event),
        |finding| finding.title.clone(),
    )
}

fn moment(explained: &Explained<'_>) -> String {
    let Some(first) = explained.dated.first() else { return String::new() };
    match (first.at_us.and_then(when::readable), first.event.stamp.uptime_us) {
        (Some(when), _) => when,
        (None, Some(us)) => words::explain::since_boot(us),
        (None, None) => words::explain::NO_TIME.to_string(),
    }
}

fn section(gathered: &Gathered, explained: &Explained<'_>, number: usize) -> String {
    let Explained { events, facts, findings, .. } = explained;
    let expected = match events[..] {
        [event] => event.victims.first().and_then(|v| diagnose::expected_victim(event, v)),
        _ => None,
    };
    let (class, kind) = match explained.incident.kind {
        IncidentKind::Incidental => ("tag", "incidental"),
        IncidentKind::Structural => ("tag bad", "structural"),
    };
    let kernel = facts.event.kernel.as_deref().map(|k| format!(" · kernel {}", esc(k)));
    let advice = findings.first().and_then(|finding| finding.advice.first());
    let mut out = format!(
        "\n<article id=i{number}><p class=when>{}{} <span class=\"{class}\">{kind}</span></p><h1>{}</h1><dl class=answer>\
         <div><dt>What ran out</dt><dd>{}</dd></div><div><dt>Who died</dt><dd>{}</dd></div><div><dt>What to do first</dt><dd>{}</dd></div></dl>",
        esc(&moment(explained)),
        kernel.unwrap_or_default(),
        esc(&headline(explained)),
        esc(&words::explain::what_ran_out(facts.event)),
        esc(&words::explain::who_died(events, expected)),
        advice.map_or_else(|| "–".to_string(), |advice| rich(advice)),
    );
    let memory = memory::chart(facts);
    if !memory.is_empty() {
        let _ = write!(out, "<h2>Who held the memory</h2>{memory}");
    }
    let timeline = timeline::chart(explained);
    if !timeline.is_empty() {
        let _ = write!(out, "<h2>When<small>near in time is not a cause</small></h2>{timeline}");
    }
    let _ = write!(out, "<h2>Findings</h2><ol class=findings>");
    for finding in findings {
        out += &self::finding(gathered, finding);
    }
    out += "</ol>";
    out += &context(gathered, explained);
    out += &processes(explained);
    out += &happened(gathered, explained);
    out + "</article>"
}

fn finding(gathered: &Gathered, finding: &Finding) -> String {
    let (class, sure) = match finding.confidence {
        Confidence::High => ("sure high", "sure"),
        Confidence::Medium => ("sure", "likely"),
        Confidence::Low => ("sure", "possible"),
    };
    let mut out = format!(
        "<li><div><h3>{}<span class=\"{class}\">{sure}</span></h3><ul>",
        esc(&finding.title)
    );
    for advice in &finding.advice {
        let _ = write!(out, "<li>{}</li>", rich(advice));
    }
    let places: Vec<String> = finding.evidence.iter().map(|at| esc(&gathered.place(*at))).collect();
    let saves = finding.saves.map(|saves| format!(" · saves {saves}")).unwrap_or_default();
    let _ = write!(
        out,
        "</ul><div class=meta>{}{saves} · {}</div></div></li>",
        finding.kind.id(),
        places.join(", ")
    );
    out
}

/// What other logs say, as a table.
fn context(gathered: &Gathered, explained: &Explained<'_>) -> String {
    let near = &explained.context.near;
    if near.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<h2>What else happened then</h2><div class=scroll><table><tr><th>time<th>distance<th>what<th>where</tr>",
    );
    for near in near {
        let _ = write!(
            out,
            "<tr><td class=\"n num\">{}<td class=n>{}<td>{}<td class=place>{}</tr>",
            esc(&when::clock(near.began_us()).unwrap_or_default()),
            esc(&words::context::distance(near.distance_us)),
            esc(&words::context::what(near)),
            esc(&gathered.place(near.entry.at))
        );
    }
    out + "</table></div>"
}

/// The largest processes, with the kernel's score for each.
fn processes(explained: &Explained<'_>) -> String {
    let event = explained.facts.event;
    if event.tasks.is_empty() {
        return String::new();
    }
    let held = |task: &Task| task.rss.unwrap_or(0).saturating_add(task.swap.unwrap_or(0));
    let mut tasks: Vec<&Task> = event.tasks.iter().collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(held(task)));
    let mut out = format!(
        "<h2>Processes<small>the largest {} of {}; badness in thousandths, as this kernel counted</small></h2>\
         <div class=scroll><table><tr><th>process<th class=r>PID<th class=r>user<th class=r>resident<th class=r>in swap\
         <th class=r>oom_score_adj<th class=r>badness<th></tr>",
        tasks.len().min(ROWS),
        tasks.len()
    );
    for task in tasks.into_iter().take(ROWS) {
        out += &process(explained, event, task);
    }
    out + "</table></div>"
}

fn process(explained: &Explained<'_>, event: &Event, task: &Task) -> String {
    let number = |value: Option<String>| value.unwrap_or_else(|| "?".into());
    let size = |pages: Option<u64>| number(pages.map(|pages| event.pages(pages).to_string()));
    let died = explained.events.iter().flat_map(|e| &e.victims).any(|v| v.pid == Some(task.pid));
    let next = explained.next.iter().any(|candidate| candidate.task.pid == task.pid);
    let score = match (task.oom_score_adj, badness(task, event).and_then(|b| b.thousandths)) {
        (Some(-1000), _) => "never".to_string(),
        (_, score) => number(score.map(|score| score.to_string())),
    };
    let (class, fate) = match (died, next) {
        (true, _) => (" class=dead", "killed"),
        (_, true) => ("", "next in line"),
        _ => ("", ""),
    };
    format!(
        "<tr{class}><td>{}<td class=\"r num\">{}<td class=\"r num\">{}<td class=\"r num n\">{}<td class=\"r num n\">{}\
         <td class=\"r num\">{}<td class=\"r num\">{score}<td class=n>{fate}</tr>",
        esc(&task.comm),
        task.pid,
        number(task.uid.map(|uid| uid.to_string())),
        size(task.rss),
        size(task.swap),
        number(task.oom_score_adj.map(|adj| adj.to_string())),
    )
}

/// The events one by one.
fn happened(gathered: &Gathered, explained: &Explained<'_>) -> String {
    let mut out = String::from(
        "<h2>Kills</h2><div class=scroll><table><tr><th>time<th>asked for memory<th>who died<th>where</tr>",
    );
    for dated in explained.dated.iter().take(EVENTS) {
        let event = &dated.event;
        let time = dated.at_us.and_then(when::clock);
        let time = time.or_else(|| event.stamp.uptime_us.map(words::explain::since_boot));
        let died: Vec<String> = event
            .victims
            .iter()
            .map(|victim| {
                esc(&words::explain::died(victim, diagnose::expected_victim(event, victim)))
            })
            .collect();
        let died = if died.is_empty() {
            esc(&words::explain::who_died(&[event], None))
        } else {
            died.join("<br>")
        };
        let missing = words::explain::missing(&event.missing);
        let missing =
            missing.map(|m| format!("<div class=meta>{}</div>", esc(&m))).unwrap_or_default();
        let _ = write!(
            out,
            "<tr><td class=\"n num\">{}<td>{}<td>{died}{missing}<td class=place>{}</tr>",
            esc(&time.unwrap_or_default()),
            esc(event.invoker.as_ref().map_or("?", |invoker| invoker.comm.as_str())),
            esc(&gathered.place(event.first))
        );
    }
    out += "</table></div>";
    let more = explained.dated.len().saturating_sub(EVENTS);
    if more > 0 {
        let _ = write!(out, "<p class=meta>and {more} more</p>");
    }
    out
}

/// All incidents, the newest first, with links to those that have a section.
fn list(explained: &[Explained<'_>]) -> String {
    let mut out = String::from("<article><h2>All incidents</h2><ul class=list>");
    for (number, explained) in explained.iter().rev().enumerate() {
        let text = esc(&headline(explained));
        let text =
            if number < SECTIONS { format!("<a href=\"#i{number}\">{text}</a>") } else { text };
        let _ = write!(
            out,
            "<li><span class=d>{}</span><span>{text}</span></li>",
            esc(&moment(explained))
        );
    }
    out + "</ul></article>"
}
