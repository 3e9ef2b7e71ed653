//! Brings the events of several logs into one order, and each event into it once.

use headroom_core::diagnose::Dated;

/// Two loggers date the same kernel line within this: the ring buffer's clock may have drifted.
const LOGGERS_APART_US: u64 = 120_000_000;

/// Orders by time; within a source an event without a time follows the one before it. Then drops
/// events another source has too: syslog, kern.log and the journal hold the same lines.
pub(super) fn in_order(events: &mut Vec<Dated>) {
    let mut known = i64::MIN;
    let mut source = None;
    let mut keyed: Vec<(i64, Dated)> = Vec::with_capacity(events.len());
    for event in events.drain(..) {
        if source != Some(event.event.first.source) {
            (known, source) = (i64::MIN, Some(event.event.first.source));
        }
        known = event.at_us.unwrap_or(known);
        keyed.push((known, event));
    }
    keyed.sort_by_key(|(at, event)| (*at, event.event.first));
    for (_, event) in keyed {
        match events.iter_mut().rev().take(32).find(|other| same(other, &event)) {
            // The fuller of the two stays.
            Some(other) if wealth(&event) > wealth(other) => *other = event,
            Some(_) => {}
            None => events.push(event),
        }
    }
}

fn same(a: &Dated, b: &Dated) -> bool {
    let (x, y) = (&a.event, &b.event);
    let near = match (a.at_us, b.at_us) {
        (Some(a), Some(b)) => a.abs_diff(b) <= LOGGERS_APART_US,
        _ => x.stamp.uptime_us.is_some() && x.stamp.uptime_us == y.stamp.uptime_us,
    };
    let other_copy =
        x.first.source != y.first.source || x.stamp == y.stamp && x.stamp.uptime_us.is_some();
    let victims = |event: &headroom_core::oomlog::Event| -> Vec<_> {
        event.victims.iter().map(|v| (v.pid, v.comm.clone(), v.total_vm, v.anon_rss)).collect()
    };
    let comm =
        |event: &headroom_core::oomlog::Event| event.invoker.as_ref().map(|i| i.comm.clone());
    near && other_copy
        && x.killer == y.killer
        && comm(x) == comm(y)
        && x.cgroup == y.cgroup
        && victims(x) == victims(y)
        && (!x.victims.is_empty() || !x.tasks.is_empty() && x.tasks == y.tasks)
}

fn wealth(event: &Dated) -> (bool, usize, bool) {
    (event.event.complete, event.event.tasks.len(), event.at_us.is_some())
}
