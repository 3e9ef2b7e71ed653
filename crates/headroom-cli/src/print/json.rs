//! The answer as JSON: core's types turned into those of the contract.

use std::io::{self, Write};

use headroom_api::explain as wire;
use headroom_core::diagnose::{self, Confidence, Dated, IncidentKind};
use headroom_core::oomlog::{Constraint, Ending, Event, Killer, Position, Task, Victim};
use headroom_core::units::Kib;
use headroom_core::words;

use crate::explained::Explained;
use crate::input::{Gathered, when};

/// Prints the whole explanation.
pub(crate) fn explanation(
    out: &mut dyn Write,
    gathered: &Gathered,
    explained: &[Explained<'_>],
) -> io::Result<()> {
    let explanation = wire::Explanation {
        version: wire::VERSION,
        incidents: explained.iter().map(|explained| incident(gathered, explained)).collect(),
        skipped: wire::Skipped {
            truncated_reports: gathered.truncated_reports,
            unparsed_lines: gathered.unparsed_lines,
        },
    };
    serde_json::to_writer_pretty(&mut *out, &explanation)?;
    writeln!(out)
}

/// An incident's name: its time, or its place where it has none, and its first victim.
pub(crate) fn incident_id(gathered: &Gathered, events: &[&Dated]) -> String {
    let Some(first) = events.first() else { return String::new() };
    let place = || gathered.place(first.event.first);
    let when = first.at_us.and_then(when::utc_id).unwrap_or_else(place);
    let victim = events.iter().flat_map(|event| &event.event.victims).next();
    match victim.and_then(|victim| victim.pid) {
        Some(pid) => format!("{when}-{pid}"),
        None => when,
    }
}

fn incident(gathered: &Gathered, explained: &Explained<'_>) -> wire::Incident {
    let Explained { dated, facts, .. } = explained;
    let time = |event: Option<&&Dated>| event.and_then(|event| event.at_us).and_then(when::rfc3339);
    wire::Incident {
        id: incident_id(gathered, dated),
        kind: match explained.incident.kind {
            IncidentKind::Incidental => wire::IncidentKind::Incidental,
            IncidentKind::Structural => wire::IncidentKind::Structural,
        },
        first: time(dated.first()),
        last: time(dated.last()),
        events: dated.iter().map(|dated| event(gathered, dated)).collect(),
        holders: facts.holders.iter().map(holder).collect(),
        not_in_processes: facts.beside.iter().map(beside).collect(),
        next: explained.next.iter().map(|candidate| next(facts.event, candidate)).collect(),
        context: explained.context.near.iter().map(|near| context(gathered, near)).collect(),
        findings: explained.findings.iter().map(|found| finding(gathered, found)).collect(),
    }
}

fn beside(beside: &diagnose::Beside) -> wire::NotInProcesses {
    wire::NotInProcesses {
        what: beside.usage.id().into(),
        size_kib: beside.size.0,
        share: rounded(beside.share),
    }
}

fn next(event: &Event, candidate: &diagnose::Candidate<'_>) -> wire::Next {
    let task = candidate.task;
    wire::Next {
        pid: task.pid,
        comm: task.comm.clone(),
        rss_kib: task.rss.map(|pages| event.pages(pages).0),
        oom_score_adj: task.oom_score_adj,
        badness: candidate.badness.thousandths,
    }
}

fn context(gathered: &Gathered, near: &diagnose::Near<'_>) -> wire::Context {
    wire::Context {
        time: when::rfc3339(near.at_us),
        distance_s: Some(signed_seconds(near.distance_us)),
        source: gathered.place(near.entry.at),
        what: words::context::what(near),
        text: near.entry.text.clone(),
    }
}

fn event(gathered: &Gathered, dated: &Dated) -> wire::Event {
    let event = &dated.event;
    let info = event.mem_info.as_ref();
    wire::Event {
        time: dated.at_us.and_then(when::rfc3339),
        uptime_s: event.stamp.uptime_us.map(seconds),
        source: source(gathered, event.first),
        host: event.host.clone(),
        kernel: event.kernel.clone(),
        invoker: event.invoker.as_ref().map(|invoker| wire::Invoker {
            pid: invoker.pid,
            comm: invoker.comm.clone(),
            oom_score_adj: invoker.oom_score_adj,
        }),
        gfp_mask: event.gfp_mask.clone(),
        order: event.order,
        constraint: event.constraint.map(|constraint| match constraint {
            Constraint::None => wire::Constraint::None,
            Constraint::Memcg => wire::Constraint::Memcg,
            Constraint::Cpuset => wire::Constraint::Cpuset,
            Constraint::MemoryPolicy => wire::Constraint::MemoryPolicy,
            Constraint::Manual => wire::Constraint::Manual,
        }),
        constraint_name: event.constraint_name.clone(),
        killer: match event.killer {
            Killer::Kernel => wire::Killer::Kernel,
            Killer::Headroom => wire::Killer::Headroom,
            Killer::Earlyoom => wire::Killer::Earlyoom,
            Killer::SystemdOomd => wire::Killer::SystemdOomd,
            Killer::Nohang | Killer::Oomd => wire::Killer::Other,
        },
        reason: event.reason.clone(),
        cgroup: event.cgroup.clone(),
        task_cgroup: event.task_cgroup.clone(),
        usage_kib: event.memcg.memory.map(|memory| memory.usage.0),
        limit_kib: event.memcg.memory.and_then(|memory| memory.limit).map(|limit| limit.0),
        ram_kib: info.and_then(|info| info.ram_pages).map(|pages| event.pages(pages).0),
        swap_free_kib: info.and_then(|info| info.swap_free).map(|size| size.0),
        swap_total_kib: info.and_then(|info| info.swap_total).map(|size| size.0),
        page_kib: event.page_kib,
        tasks: event.tasks.iter().map(|row| task(event, row)).collect(),
        victims: event.victims.iter().map(|victim| self::victim(event, victim)).collect(),
        ending: event.ending.map(|ending| match ending {
            Ending::Killed => wire::Ending::Killed,
            Ending::NoKillable => wire::Ending::NoKillable,
            Ending::PanicOnOom => wire::Ending::PanicOnOom,
        }),
        panicked: event.panicked,
        group_kill: event.group_kill,
        interleaved: event.interleaved,
        suppressed: event.suppressed,
        complete: event.complete,
        missing: event.missing.iter().map(|part| words::explain::part_id(*part).into()).collect(),
    }
}

fn task(event: &Event, task: &Task) -> wire::Task {
    let kib = |pages: Option<u64>| pages.map(|pages| event.pages(pages).0);
    wire::Task {
        pid: task.pid,
        uid: task.uid,
        tgid: task.tgid,
        total_vm_kib: kib(task.total_vm),
        rss_kib: kib(task.rss),
        pgtables_kib: kib(task.page_table_pages)
            .or_else(|| task.page_table_bytes.map(|bytes| Kib::from_bytes(bytes).0)),
        swap_kib: kib(task.swap),
        oom_score_adj: task.oom_score_adj,
        comm: task.comm.clone(),
        badness: diagnose::badness(task, event).and_then(|badness| badness.thousandths),
    }
}

fn victim(event: &Event, victim: &Victim) -> wire::Victim {
    let kib = |size: Option<Kib>| size.map(|size| size.0);
    wire::Victim {
        pid: victim.pid,
        comm: victim.comm.clone(),
        total_vm_kib: kib(victim.total_vm),
        anon_rss_kib: kib(victim.anon_rss),
        file_rss_kib: kib(victim.file_rss),
        shmem_rss_kib: kib(victim.shmem_rss),
        pgtables_kib: kib(victim.pgtables),
        uid: victim.uid,
        oom_score_adj: victim.oom_score_adj,
        reaped: victim.reaped,
        expected: diagnose::expected_victim(event, victim),
    }
}

fn holder(holder: &diagnose::Holder) -> wire::Holder {
    wire::Holder {
        group: holder.group.clone(),
        processes: holder.processes,
        rss_kib: holder.rss.0,
        swap_kib: holder.swap.map(|swap| swap.0),
        pgtables_kib: holder.page_tables.map(|size| size.0),
        shared_kib: holder.shared.map(|size| size.0),
        share: rounded(holder.share),
        unkillable: holder.unkillable,
    }
}

fn finding(gathered: &Gathered, finding: &diagnose::Finding) -> wire::Finding {
    wire::Finding {
        id: finding.kind.id().into(),
        group: finding.group.clone(),
        title: finding.title.clone(),
        evidence: finding.evidence.iter().map(|at| gathered.place(*at)).collect(),
        advice: finding.advice.clone(),
        saves_kib: finding.saves.map(|size| size.0),
        confidence: match finding.confidence {
            Confidence::High => wire::Confidence::High,
            Confidence::Medium => wire::Confidence::Medium,
            Confidence::Low => wire::Confidence::Low,
        },
    }
}

fn source(gathered: &Gathered, at: Position) -> wire::Source {
    wire::Source { file: gathered.source(at).into(), line: (at.line > 0).then_some(at.line) }
}

fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

#[expect(clippy::cast_precision_loss, reason = "a distance in time is at most a day")]
fn signed_seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "microseconds since boot fit a float for 285 years")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
