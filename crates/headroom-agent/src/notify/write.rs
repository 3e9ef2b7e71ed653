//! An incident as it stands, written as a notice.

use headroom_api::notice::{Notice, NoticeIncident, NoticeKind};
use headroom_core::units::Kib;
use headroom_core::words::notice::{self as words, Ended, Stage, Subject};

use super::frame::{Frame, wire};
use super::track::Tracked;

/// The title, which stays the same for all notices of an incident.
pub(super) fn title(frame: &Frame, tracked: &Tracked) -> String {
    let first = tracked.victims.first().map(|victim| victim.comm.as_str());
    let subject = match tracked.guard {
        Some(_) => Subject::Storm(&tracked.zone),
        None => Subject::KernelKill(first),
    };
    words::title(&frame.node, subject, &frame.short(tracked.first_ms))
}

/// The notice of that moment.
pub(super) fn notice(frame: &Frame, tracked: &Tracked, kind: NoticeKind, now_ms: i64) -> Notice {
    let until = tracked.closed_ms.unwrap_or(now_ms);
    let lasted_s = u64::try_from((until - tracked.first_ms) / 1000).unwrap_or(0);
    let kernel_only = tracked.guard.is_none();
    let stage = match kind {
        NoticeKind::Closed if tracked.end_unseen => Stage::EndUnseen,
        NoticeKind::Closed => Stage::Over(lasted_s),
        NoticeKind::Ongoing => Stage::Lasts(lasted_s),
        _ => Stage::Begun,
    };
    let moment = match kind {
        NoticeKind::Ongoing => format!("{}/{}", kind.name(), tracked.told_ongoing + 1),
        _ => kind.name().to_owned(),
    };
    let since = frame.readable(tracked.first_ms);
    let note = (kind != NoticeKind::Closed && !kernel_only).then(|| {
        let every = u64::try_from(frame.still_every_ms / 1000).ok().filter(|every| *every > 0);
        words::next_message(every)
    });
    Notice {
        version: 1,
        id: format!("{}/{moment}", tracked.id),
        kind,
        node: frame.node.clone(),
        time: wire(now_ms),
        title: tracked.title.clone(),
        state: format!(
            "{}. It began at {since}.",
            words::state(stage, kernel_only, tracked.dry_run)
        ),
        explanation: explanation(frame, tracked),
        look_further: frame.commands(tracked.first_ms, tracked.reported_kills > 0),
        incident: Some(incident(frame, tracked, lasted_s)),
        gathered: None,
        note,
    }
}

fn explanation(frame: &Frame, tracked: &Tracked) -> Vec<String> {
    let mut lines = tracked.kernel.clone();
    if !tracked.cause.is_empty() {
        lines.insert(0, tracked.cause.clone());
    }
    let ended: Vec<Ended<'_>> = tracked
        .victims
        .iter()
        .filter(|victim| victim.by == "headroom")
        .map(|victim| Ended { comm: &victim.comm, pid: victim.pid, held: victim.kib.map(Kib) })
        .collect();
    lines.extend(words::slain(&ended, tracked.slain, tracked.dry_run));
    let most = tracked.victims.iter().find(|victim| victim.by == "headroom");
    let most = most.filter(|_| frame.command_lines);
    if let Some((victim, line)) = most.and_then(|v| v.cmdline.as_ref().map(|line| (v, line))) {
        lines.push(words::held_most(&victim.comm, line));
    }
    let waiting = u64::try_from(tracked.waiting.len()).unwrap_or(0);
    let longest_s = tracked.longest_wait_ms.div_ceil(1000);
    lines.extend(words::paused(tracked.paused, waiting, longest_s, tracked.dry_run));
    if tracked.nobody_left {
        lines.push(words::NOBODY_LEFT.to_owned());
    }
    // The kernel's own reports say it better, where there are any.
    if tracked.kernel.is_empty() {
        lines.extend(words::kernel_killed(tracked.killed_by_kernel().unwrap_or(0)));
    }
    lines.extend(tracked.to_do.clone());
    lines
}

fn incident(frame: &Frame, tracked: &Tracked, lasted_s: u64) -> NoticeIncident {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut victims = tracked.victims.clone();
    if !frame.command_lines {
        victims.iter_mut().for_each(|victim| victim.cmdline = None);
    }
    let killed = tracked.killed_by_kernel();
    let died = tracked.slain + killed.unwrap_or(0);
    let listed = u64::try_from(victims.len()).unwrap_or(0);
    NoticeIncident {
        id: tracked.id.clone(),
        source: if tracked.guard.is_some() { "guard" } else { "kernel" }.to_owned(),
        number: tracked.guard.map(|(_, number)| number),
        zone: given(&tracked.zone),
        policy: given(&tracked.policy),
        trigger: given(&tracked.trigger),
        dry_run: tracked.dry_run,
        first: wire(tracked.first_ms),
        last: tracked.closed_ms.filter(|_| !tracked.end_unseen).and_then(wire),
        lasted_s,
        slain: tracked.slain,
        paused: tracked.paused,
        waiting: u64::try_from(tracked.waiting.len()).unwrap_or(0),
        kernel_oom_kills: killed,
        victims,
        more_victims: died.saturating_sub(listed),
    }
}
