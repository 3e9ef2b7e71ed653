//! What the report says outright.

use super::{Confidence, Finding, Kind, View};
use crate::diagnose::group;
use crate::oomlog::{Constraint, Ending, Killer};
use crate::words::finding as words;

/// Somebody asked for the kill.
pub(super) fn manual_run(view: &View<'_>) -> Option<Finding> {
    let event = view.event();
    (event.constraint == Some(Constraint::Manual)).then(|| {
        Finding::new(Kind::ManualRun, Confidence::High, words::MANUAL_RUN.into())
            .seen(&[event.evidence.head])
            .advise(words::manual_run_advice())
    })
}

/// Nobody was left to kill.
pub(super) fn no_killable(view: &View<'_>) -> Option<Finding> {
    let event = view.case.events.iter().find(|e| e.ending == Some(Ending::NoKillable))?;
    Some(
        Finding::new(Kind::NoKillable, Confidence::High, words::NO_KILLABLE.into())
            .seen(&[event.evidence.end])
            .advise(words::no_killable_advice()),
    )
}

/// The machine was told to panic.
pub(super) fn panic_on_oom(view: &View<'_>) -> Option<Finding> {
    let event = view.case.events.iter().find(|e| e.ending == Some(Ending::PanicOnOom))?;
    Some(
        Finding::new(Kind::PanicOnOom, Confidence::High, words::PANIC_ON_OOM.into())
            .seen(&[event.evidence.end])
            .advise(words::panic_on_oom_advice()),
    )
}

/// A setting had whoever asked for memory killed.
pub(super) fn allocating_task(view: &View<'_>) -> Option<Finding> {
    let event = view.event();
    event.allocating_task.then(|| {
        Finding::new(Kind::AllocatingTask, Confidence::High, words::ALLOCATING_TASK.into())
            .seen(&[event.evidence.end])
            .advise(words::allocating_task_advice())
    })
}

/// Another guard was faster than the kernel.
pub(super) fn daemon_kill(view: &View<'_>) -> Option<Finding> {
    let events = view.case.events;
    let event = events.iter().find(|event| event.killer != Killer::Kernel)?;
    let victims = events.iter().filter(|event| event.killer != Killer::Kernel);
    let names: alloc::vec::Vec<&str> =
        victims.flat_map(|event| &event.victims).map(|victim| victim.comm.as_str()).collect();
    let kernel_too = events.iter().any(|event| event.killer == Killer::Kernel);
    let title = words::daemon_kill(event.killer, &names, kernel_too);
    let finding = Finding::new(Kind::DaemonKill, Confidence::High, title)
        .seen(&[event.evidence.end.or(Some(event.first))])
        .advise(words::daemon_kill_advice(event.killer));
    Some(match names.first() {
        Some(name) => finding.about(group::family(name)),
        None => finding,
    })
}

/// The log does not suffice.
pub(super) fn not_enough(view: &View<'_>) -> Finding {
    let event = view.event();
    Finding::new(Kind::NotEnough, Confidence::High, words::NOT_ENOUGH.into())
        .seen(&[event.evidence.head.or(event.evidence.end).or(Some(event.first))])
        .advise(words::not_enough_advice(&event.missing))
}
