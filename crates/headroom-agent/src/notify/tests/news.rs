//! What becomes a notice, and what it says.

use headroom_api::journal::{Entry, VerdictEntry};
use headroom_api::notice::NoticeKind;

use super::super::kernel;
use super::*;

#[test]
fn an_incident_is_told_when_it_begins_while_it_lasts_and_when_it_is_over() {
    let mut node = Node::new();
    node.opens(7);
    node.goes_on();
    node.later(31 * MINUTE);
    node.slays(7, 4711, "php", "php bin/magento import:run");
    node.goes_on();
    node.later(29 * MINUTE);
    node.goes_on();
    node.later(2 * MINUTE);
    node.goes_on();
    node.closes(7);
    node.goes_on();
    node.later(HOUR);
    node.goes_on();
    let id = "2026-11-24T14:00:00Z-7";
    let expected = ["opened", "ongoing/1", "ongoing/2", "closed"].map(|m| format!("{id}/{m}"));
    assert_eq!(node.receiver.ids(), expected);
    let got = node.receiver.got();
    assert_eq!(
        got[0].explanation,
        ["96 MiB available is under the floor of 120 MiB, falling 210 MiB/s"]
    );
    assert!(got[0].state.starts_with("Memory is short; Headroom is acting"));
    assert!(got[1].state.starts_with("Still going on after 31 min"), "{}", got[1].state);
    assert!(got[3].state.starts_with("Over after 1 h 2 min"), "{}", got[3].state);
    assert_eq!(got[3].explanation[1], "Headroom ended php (4711) with 398 MiB");
    assert_eq!(got[3].explanation[2], "php was: php bin/magento import:run");
    assert!(
        got.iter().all(|n| n.title == "shop1: memory ran short in limited.slice, 24 Nov 14:00")
    );
    let follows: Vec<bool> =
        node.receiver.got.lock().unwrap().iter().map(|(_, follows)| *follows).collect();
    assert_eq!(follows, [false, true, true, true]);
}

#[test]
fn a_short_incident_is_one_message_where_its_beginning_is_held_back() {
    let mut node = Node::with(12, 60);
    node.opens(1);
    node.goes_on();
    node.later(20 * SECOND);
    node.closes(1);
    node.goes_on();
    node.later(HOUR);
    node.goes_on();
    let got = node.receiver.got();
    let [notice] = got.as_slice() else { panic!("{:?}", node.receiver.ids()) };
    assert_eq!(notice.kind, NoticeKind::Closed);
    assert_eq!(node.states(), BTreeMap::from([("merged".into(), 1), ("sent".into(), 1)]));
}

#[test]
fn a_long_one_is_told_when_the_hold_is_over() {
    let mut node = Node::with(12, 60);
    node.opens(1);
    node.turn();
    assert_eq!(node.pass(), Some(NOON + 60 * SECOND));
    assert!(node.receiver.ids().is_empty());
    node.later(60 * SECOND);
    node.pass();
    assert_eq!(node.receiver.got()[0].kind, NoticeKind::Opened);
}

#[test]
fn records_are_never_told_twice_however_often_the_desk_looks() {
    let mut node = Node::new();
    node.opens(1);
    node.closes(1);
    for _ in 0..5 {
        node.goes_on();
        node.later(MINUTE);
    }
    // Held by nothing, but over before it could be told that it began.
    assert_eq!(node.receiver.ids(), ["2026-11-24T14:00:00Z-1/closed"]);
}

#[test]
fn what_was_over_before_the_first_start_is_not_told_and_what_lasts_is() {
    let mut node = Node::new();
    node.clock.0.set(NOON - HOUR);
    node.opens(1);
    node.closes(1);
    node.opens(2);
    node.clock.0.set(NOON + SECOND);
    node.goes_on();
    assert!(node.receiver.ids().is_empty(), "its end may still come");
    node.later(15 * SECOND);
    node.goes_on();
    assert_eq!(node.receiver.ids(), ["2026-11-24T13:00:00Z-2/opened"]);
}

#[test]
fn a_guard_that_starts_anew_ends_what_was_open() {
    let mut node = Node::new();
    node.opens(1);
    node.goes_on();
    node.starts_anew();
    node.goes_on();
    let last = node.receiver.got().pop().unwrap();
    assert_eq!(last.kind, NoticeKind::Closed);
    assert!(last.state.contains("nobody saw its end"), "{}", last.state);
    assert_eq!(last.incident.unwrap().last, None);
}

#[test]
fn an_incident_whose_beginning_was_lost_is_told_by_what_was_done() {
    let mut node = Node::new();
    node.slays(9, 4711, "php", "php a.php");
    node.goes_on();
    assert_eq!(node.receiver.ids(), ["2026-11-24T14:00:00Z-9/opened"]);
}

#[test]
fn jobs_that_wait_are_counted_until_they_go_on() {
    let mut node = Node::new();
    node.opens(1);
    let verdict = |action: &str, pid| {
        let (action, pid) = (action.to_owned(), Some(pid));
        let waited_ms = (action == "thaw").then_some(42_000);
        Entry::Verdict(VerdictEntry {
            incident: 1,
            action,
            pid,
            waited_ms,
            ..VerdictEntry::default()
        })
    };
    for pid in [1, 2, 3] {
        node.records(verdict("pause", pid));
    }
    node.records(verdict("thaw", 1));
    node.goes_on();
    let said = node.receiver.got()[0].explanation.clone();
    assert!(said.contains(&"3 jobs had to wait for room: 2 of them still wait".into()), "{said:?}");
    node.records(verdict("thaw", 2));
    node.records(verdict("thaw", 3));
    node.closes(1);
    node.goes_on();
    let said = node.receiver.got()[1].explanation.clone();
    let over = "3 jobs had to wait for room: went on after at most 42 s".to_owned();
    assert!(said.contains(&over), "{said:?}");
}

/// The kernel's report of a kill, `after_s` after noon.
fn report(after_s: u64) -> Vec<kernel::Report> {
    let mut kernel = kernel::tests::followed(NOON - HOUR);
    kernel::tests::write(&mut kernel, 100 + after_s * 10, 3600 + after_s, 0);
    kernel.poll(HOUR)
}

#[test]
fn kills_by_the_kernel_alone_are_an_incident_of_their_own() {
    let mut node = Node::new();
    node.later(SECOND);
    let reports = report(1);
    assert_eq!(reports.len(), 1);
    node.turn_with(&reports);
    node.turn_with(&reports);
    node.later(11 * SECOND);
    node.goes_on();
    node.later(MINUTE);
    node.goes_on();
    let id = "2026-11-24T14:00:01Z-4711";
    assert_eq!(node.receiver.ids(), [format!("{id}/opened"), format!("{id}/closed")]);
    let got = node.receiver.got();
    assert_eq!(got[0].title, "shop1: out of memory, the kernel killed php, 24 Nov 14:00");
    assert_eq!(
        got[0].explanation[..3],
        [
            "/limited.slice was at its memory limit: 512 MiB in use of 512 MiB",
            "The kernel killed php (PID 4711), which held 469 MiB, as its badness score asked for",
            "Held by php with 469 MiB (92 %), mysql with 35 MiB (7 %)",
        ]
    );
    assert_eq!(got[0].look_further[0].command, "headroom explain --since '2026-11-24 13:59'");
    let incident = got[1].incident.clone().unwrap();
    assert_eq!((incident.kernel_oom_kills, incident.source.as_str()), (Some(1), "kernel"));
}

#[test]
fn a_report_that_comes_before_its_storm_or_in_it_or_late_belongs_to_it() {
    for (before_s, lasts) in [(1, true), (0, true), (0, false)] {
        let mut node = Node::new();
        if before_s > 0 {
            node.turn_with(&report(0));
            node.later(i64::from(before_s) * SECOND);
        }
        node.opens(3);
        node.turn();
        node.later(5 * SECOND);
        if !lasts {
            node.closes(3);
            node.turn();
        }
        if before_s == 0 {
            node.turn_with(&report(2));
        }
        if lasts {
            node.closes(3);
        }
        node.goes_on();
        node.later(10 * MINUTE);
        node.goes_on();
        let ids = node.receiver.ids();
        assert!(ids.iter().all(|id| id.contains("-3/")), "{ids:?}");
        let last = node.receiver.got().pop().unwrap();
        assert_eq!(last.kind, NoticeKind::Closed);
        let kernels = last.explanation.iter().any(|l| l.starts_with("The kernel killed php"));
        assert_eq!(kernels, lasts, "{last:?}");
    }
}

#[test]
fn a_store_that_was_lost_tells_nothing_again() {
    let mut node = Node::new();
    node.opens(1);
    node.closes(1);
    node.goes_on();
    assert_eq!(node.receiver.ids().len(), 1);
    // Moved aside as corrupt: the journal is taken over anew, into a new store.
    node.later(MINUTE);
    node.store
        .wait(|db| {
            db.execute_batch(
                "DELETE FROM notify_message; DELETE FROM notify_cursor; DELETE FROM notify_incident;",
            )
        })
        .unwrap();
    node.goes_on();
    node.later(MINUTE);
    node.goes_on();
    assert_eq!(node.receiver.ids().len(), 1);
}
