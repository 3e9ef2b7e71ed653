//! The sentences of `headroom explain`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::diagnose::Holder;
use crate::oomlog::{Constraint, Ending, Event, Killer, Part, Victim};
use crate::units::Kib;

/// What ran out: the first of the answer's three lines.
#[must_use]
pub fn what_ran_out(event: &Event) -> String {
    let info = event.mem_info.as_ref();
    match (event.killer, event.constraint) {
        (Killer::Kernel, Some(Constraint::Manual)) => {
            "Somebody asked the kernel for an OOM kill (sysrq-f); nothing need have run out"
                .to_string()
        }
        (Killer::Kernel, Some(Constraint::Memcg)) => {
            let cgroup = event.cgroup.as_deref().unwrap_or("a cgroup this log does not name");
            match event.memcg.memory {
                Some(memory) => match memory.limit {
                    Some(limit) => {
                        format!(
                            "{cgroup} was at its memory limit: {} in use of {limit}",
                            memory.usage
                        )
                    }
                    None => format!(
                        "{cgroup} was out of memory with {} in use and no limit of its own",
                        memory.usage
                    ),
                },
                None => format!("{cgroup} was at its memory limit, which this log does not show"),
            }
        }
        (Killer::Kernel, Some(Constraint::Cpuset)) => {
            let cpuset = event.cpuset.as_deref().unwrap_or("?");
            format!("The memory nodes of cpuset {cpuset} were full; other nodes may have had room")
        }
        (Killer::Kernel, Some(Constraint::MemoryPolicy)) => {
            "The memory nodes a process is bound to were full; other nodes may have had room"
                .to_string()
        }
        (Killer::Kernel, _) => {
            let mut text = "The machine ran out of memory".to_string();
            if let Some(ram) = info.and_then(|info| info.ram_pages) {
                text += &format!(": {} of RAM", event.pages(ram));
                match info.and_then(|info| info.swap_total.zip(info.swap_free)) {
                    Some((Kib::ZERO, _)) => text += ", no swap",
                    Some((total, free)) => text += &format!(", {free} of {total} swap free"),
                    None => {}
                }
            } else if event.constraint.is_none() {
                text =
                    "Memory ran out; this log does not tell whether of the machine or of a cgroup"
                        .to_string();
            }
            text
        }
        (killer, _) => {
            let reason = event.reason.as_deref().map(|reason| format!(": {}", brief(reason)));
            format!(
                "{} acted before the kernel did{}",
                killer_name(killer),
                reason.unwrap_or_default()
            )
        }
    }
}

/// A daemon's reason with the paths in it cut down to their last part.
fn brief(reason: &str) -> String {
    let words = reason.split(' ').map(|word| match word.rsplit_once('/') {
        Some((front, last)) if word.starts_with('/') && !front.is_empty() => format!("…/{last}"),
        _ => word.to_string(),
    });
    words.collect::<Vec<String>>().join(" ")
}

/// Who died, over all events of an incident: the second line.
#[must_use]
pub fn who_died(events: &[&Event], expected: Option<bool>) -> String {
    let victims: Vec<(&Event, &Victim)> = events
        .iter()
        .flat_map(|event| event.victims.iter().map(move |victim| (*event, victim)))
        .collect();
    let Some((event, first)) = victims.first() else {
        return match events.last().and_then(|event| event.ending) {
            Some(Ending::NoKillable) => {
                let panicked = events.iter().any(|event| event.panicked);
                let end = if panicked { ", and the machine panicked" } else { "" };
                format!("Nobody died: there was no process the kernel was allowed to kill{end}")
            }
            Some(Ending::PanicOnOom) => {
                "The machine panicked at once, as vm.panic_on_oom tells it to".to_string()
            }
            _ => "The log breaks off before it says who was killed".to_string(),
        };
    };
    let killer = killer_name(event.killer);
    if victims.len() > 1 {
        let mut killers: Vec<Killer> = Vec::new();
        for (event, _) in &victims {
            if !killers.contains(&event.killer) {
                killers.push(event.killer);
            }
        }
        // Whoever ended the most is told first: the line may be cut short.
        let freed = |killer: &Killer| {
            let own = victims.iter().filter(|(event, _)| event.killer == *killer);
            own.filter_map(|(_, victim)| held(victim)).fold(Kib::ZERO, Kib::saturating_add)
        };
        killers.sort_by_key(|killer| core::cmp::Reverse(freed(killer)));
        let group = events.iter().any(|event| event.group_kill);
        let told = killers.iter().map(|killer| killed_by(*killer, &victims, group));
        // Within a sentence the kernel is no beginning.
        return told.collect::<Vec<_>>().join("; ").replace("; The", "; the");
    }
    let holding = held(first).map(|size| format!(", which held {size}")).unwrap_or_default();
    let pid = first.pid.map(|pid| format!(" (PID {pid})")).unwrap_or_default();
    let choice = match expected {
        Some(true) => ", as its badness score asked for",
        Some(false) => ", though another had a higher badness score",
        None => "",
    };
    format!("{killer} killed {}{pid}{holding}{choice}", first.comm)
}

/// `The kernel killed 3 processes holding 1.0 GiB: 2 × php, mariadbd`.
fn killed_by(killer: Killer, victims: &[(&Event, &Victim)], group: bool) -> String {
    let of_it = || victims.iter().filter(|(event, _)| event.killer == killer).map(|(_, v)| *v);
    let mut names: Vec<(&str, usize)> = Vec::new();
    for victim in of_it() {
        match names.iter_mut().find(|(name, _)| *name == victim.comm) {
            Some((_, count)) => *count += 1,
            None => names.push((&victim.comm, 1)),
        }
    }
    let shown = names.iter().take(4).map(|(name, count)| match count {
        1 => (*name).to_string(),
        _ => format!("{count} × {name}"),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = if names.len() > 4 { " and others" } else { "" };
    let group = if group { ", a whole group at once (memory.oom.group)" } else { "" };
    let freed = of_it().filter_map(held).fold(Kib::ZERO, Kib::saturating_add);
    let count = of_it().count();
    let what = if count == 1 { "process" } else { "processes" };
    let killer = killer_name(killer);
    format!("{killer} killed {count} {what} holding {freed}{group}: {shown}{more}")
}

/// Who held the memory: the third line, before what to do about it.
#[must_use]
pub fn who_held(holders: &[Holder], most: usize) -> String {
    let Some(first) = holders.first() else {
        return "Who held the memory is not in this log".to_string();
    };
    let worth = |h: &&Holder| h.portion >= 0.05 || *h == first;
    let shown: Vec<String> = holders.iter().take(most).filter(worth).map(holder).collect();
    format!("Held by {}", shown.join(", "))
}

/// `43 × php-fpm with 3.1 GiB (58 %, unkillable)`.
#[must_use]
pub fn holder(holder: &Holder) -> String {
    let name = if holder.processes > 1 {
        format!("{} × {}", holder.processes, holder.group)
    } else {
        holder.group.clone()
    };
    let unkillable = if holder.unkillable { ", unkillable" } else { "" };
    format!("{name} with {} ({} %{unkillable})", holder.rss, percent(holder.share))
}

/// Why, by the first finding: the third line.
#[must_use]
pub fn why(title: &str) -> String {
    format!("Why: {title}")
}

/// Over what no process explains.
pub const BESIDE: &str = "beside the processes:";

/// Over what other logs say.
pub const CONTEXT: &str = "What else happened then (near in time is not a cause)";

/// Who would have been killed next.
#[must_use]
pub fn next_in_line(names: &[String]) -> String {
    format!("next in line for the kernel: {}", names.join(", "))
}

/// What to do, after why.
#[must_use]
pub fn to_do(advice: &str) -> String {
    format!("To do: {advice}")
}

/// A share as whole percents.
#[must_use]
pub fn percent(share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "held between 0 and 100"
    )]
    let percent = (share.clamp(0.0, 1.0) * 100.0 + 0.5) as u64;
    percent
}

/// The killer as one says it.
#[must_use]
pub fn killer_name(killer: Killer) -> &'static str {
    match killer {
        Killer::Kernel => "The kernel",
        Killer::Headroom => "Headroom's guard",
        Killer::Earlyoom => "earlyoom",
        Killer::SystemdOomd => "systemd-oomd",
        Killer::Nohang => "nohang",
        Killer::Oomd => "oomd",
    }
}

/// Who set the killer off, said so that nobody takes it for the culprit.
#[must_use]
pub fn invoked_by(event: &Event) -> Option<String> {
    let invoker = event.invoker.as_ref()?;
    (event.constraint != Some(Constraint::Manual)).then(|| {
        format!(
            "{} asked for memory when there was none left; that alone makes it no culprit",
            invoker.comm
        )
    })
}

/// One victim.
#[must_use]
pub fn died(victim: &Victim, expected: Option<bool>) -> String {
    let pid = victim.pid.map(|pid| format!(" (PID {pid})")).unwrap_or_default();
    let holding = held(victim).map(|size| format!(", {size}")).unwrap_or_default();
    let adj = victim.oom_score_adj.filter(|adj| *adj != 0);
    let adj = adj.map(|adj| format!(", oom_score_adj {adj}")).unwrap_or_default();
    let reaped = if victim.reaped { ", memory taken back by the oom_reaper" } else { "" };
    let choice = match expected {
        Some(true) => ", as its badness score asked for",
        Some(false) => ", though another had a higher badness score",
        None => "",
    };
    format!("{}{pid} died{holding}{adj}{reaped}{choice}", victim.comm)
}

/// The heading of an incident that stands alone.
pub const INCIDENTAL: &str = "incidental: it stands alone";

/// The heading of an incident that is one of many.
pub const STRUCTURAL: &str = "structural: kills in quick succession, or again within the hour";

/// When a log says nothing of time.
pub const NO_TIME: &str = "at a time this log does not say";

/// An event whose head is gone.
pub const NO_HEAD: &str = "a kill whose report lost its head";

/// A time by a boot nobody knows the date of.
#[must_use]
pub fn since_boot(us: u64) -> String {
    let seconds = us / 1_000_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let day = if days > 0 { format!("{days} d ") } else { String::new() };
    format!("{day}{hours:02}:{minutes:02}:{:02} after boot", seconds % 60)
}

/// How many incidents follow the newest.
#[must_use]
pub fn earlier_incidents(count: usize) -> String {
    match count {
        1 => "One earlier incident follows".to_string(),
        count => format!("{count} earlier incidents follow, the newest first"),
    }
}

/// What was seen and could not be used.
#[must_use]
pub fn skipped(truncated: u64, unparsed: u64) -> String {
    format!(
        "{truncated} of these reports are cut or incomplete; {unparsed} of their lines could not be understood"
    )
}

/// Nothing to explain.
#[must_use]
pub fn nothing_found(sources: usize) -> String {
    match sources {
        0 => "No log could be read".to_string(),
        1 => "No OOM kill in this log".to_string(),
        count => format!("No OOM kill in these {count} logs"),
    }
}

/// What a report lacks.
#[must_use]
pub fn missing(parts: &[Part]) -> Option<String> {
    let names: Vec<&str> = parts.iter().map(|part| missing_part(*part)).collect();
    (!names.is_empty()).then(|| format!("Not in this log: {}", names.join(", ")))
}

fn missing_part(part: Part) -> &'static str {
    match part {
        Part::Head => "the report's head",
        Part::MemInfo => "the memory block",
        Part::Usage => "the cgroup's usage and limit",
        Part::Tasks => "the task table",
        Part::Rows => "rows beyond those kept",
        Part::Kill => "the kill",
        Part::Sizes => "the victim's sizes",
        Part::Elided => "lines that were left out",
        Part::PageSize => "the page size (4 KiB assumed)",
    }
}

/// The part's name for scripts.
#[must_use]
pub fn part_id(part: Part) -> &'static str {
    match part {
        Part::Head => "head",
        Part::MemInfo => "mem_info",
        Part::Usage => "usage",
        Part::Tasks => "tasks",
        Part::Rows => "rows",
        Part::Kill => "kill",
        Part::Sizes => "sizes",
        Part::Elided => "elided",
        Part::PageSize => "page_size",
    }
}

/// What a victim held in memory, from its kill line.
#[must_use]
pub fn held(victim: &Victim) -> Option<Kib> {
    let sizes = [victim.anon_rss, victim.file_rss, victim.shmem_rss];
    victim.anon_rss?;
    Some(sizes.into_iter().flatten().fold(Kib::ZERO, Kib::saturating_add))
}
