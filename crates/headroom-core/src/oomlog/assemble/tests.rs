use super::*;
use crate::oomlog::{Ending, Part};
use alloc::format;
use alloc::vec::Vec;

fn read(text: &str) -> Vec<Event> {
    let mut parser = Parser::new();
    for (line, number) in text.lines().zip(1..) {
        parser.feed(line.as_bytes(), Position { source: 0, line: number });
    }
    parser.finish();
    assert!(parser.is_idle());
    let mut events: Vec<Event> = core::iter::from_fn(|| parser.next_event()).collect();
    events.sort_by_key(|event| event.first);
    events
}

const HEAD: &str = "a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0";
const KILL: &str = "Out of memory: Killed process 5 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0";

#[test]
fn a_report_wrapped_by_a_mail_client_is_put_together() {
    let events = read(
        "[   36.148879] mkfs.ext4 invoked\noom-killer: gfp_mask=0x101cc0(GFP_USER|__GFP_WRITE), order=0,\noom_score_adj=0\n\
         [   36.158626] CPU: 1 PID: 391 Comm: mkfs.ext4 Not tainted\n5.7.0-rc6 #1\n\
         [   36.560621] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes\nswapents oom_score_adj name\n\
         [   36.838791] [    225]     0   225     3425     1294    24576\n0             0 systemd-journal\n\
         [   36.846621] Out of memory: Killed process 225 (systemd-journal)\ntotal-vm:13700kB, anon-rss:1396kB, file-rss:12704k\nB, sh\nmem-rss:0kB,\nUID:0 pgtables:24kB oom_score_adj:0\n",
    );
    let [event] = &events[..] else { panic!("{} events", events.len()) };
    assert_eq!(event.kernel.as_deref(), Some("5.7.0-rc6"));
    assert_eq!(
        event.invoker.as_ref().map(|i| (i.pid, i.oom_score_adj)),
        Some((Some(391), Some(0)))
    );
    assert_eq!(
        event.tasks.iter().map(|t| (t.rss, t.oom_score_adj, t.comm.as_str())).collect::<Vec<_>>(),
        [(Some(1294), Some(0), "systemd-journal")]
    );
    let victim = &event.victims[0];
    assert_eq!(
        (victim.file_rss.map(|k| k.0), victim.shmem_rss.map(|k| k.0), victim.oom_score_adj),
        (Some(12704), Some(0), Some(0))
    );
}

#[test]
fn other_sources_lines_are_not_merged() {
    let text = format!(
        "Jan  5 15:19:27 h kernel: [ 1.000001] {HEAD}\n\
         Jan  5 15:19:27 h kernel: [ 1.000002] [UFW BLOCK] IN=eth0 OUT= MAC=00 SRC=1.2.3.4\n\
         Jan  5 15:19:27 h monitor[7]: Out of memory: Killed process 9 (b) total-vm:8kB, anon-rss:4kB\n\
         Jan  5 15:19:27 h php-fpm[8]: Out of memory (allocated 1234) (tried to allocate 12345 bytes)\n\
         Jan  5 15:19:27 h kernel: [ 1.000003] {KILL}\n"
    );
    let events = read(&text);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].victims.iter().map(|v| v.pid).collect::<Vec<_>>(), [Some(5)]);
}

#[test]
fn a_kill_after_an_ended_report_stands_alone() {
    let events = read(&format!(
        "[ 1.0] {HEAD}\n[ 1.1] {KILL}\n[ 1.2] {}\n",
        KILL.replace("process 5", "process 6")
    ));
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].missing.first(), Some(&Part::Head));
    assert!(!events[1].complete);
}

#[test]
fn the_same_kill_pasted_twice_is_one() {
    let events = read(&format!("[ 1.0] {HEAD}\n[ 1.1] {KILL}\n[ 1.1] {KILL}\n"));
    assert_eq!(events.iter().map(|e| e.victims.len()).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_report_that_was_logged_twice_is_one() {
    let report = format!("[ 1.0] {HEAD}\n[ 1.1] {KILL}\n");
    assert_eq!(read(&format!("{report}{report}")).len(), 1);
    let each = format!("[ 1.0] {HEAD}\n[ 1.0] {HEAD}\n[ 1.1] {KILL}\n[ 1.1] {KILL}\n");
    assert_eq!(
        read(&each).iter().map(|e| e.complete).collect::<Vec<_>>(),
        [read(&report)[0].complete]
    );
}

#[test]
fn a_process_killed_again_later_is_a_second_event() {
    let events = read(&format!("[ 1.0] {HEAD}\n[ 1.1] {KILL}\n[ 4.0] {HEAD}\n[ 4.1] {KILL}\n"));
    assert_eq!(events.iter().map(|e| e.victims.len()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_group_kill_is_one_event_and_each_victim_counts_once() {
    let member = KILL.replace("Out of", "Memory cgroup out of").replace("process 5", "process 6");
    let first = KILL.replace("Out of", "Memory cgroup out of");
    let group = "Tasks in /a are going to be killed due to memory.oom.group set";
    let events = read(&format!(
        "[ 1.0] {HEAD}\n[ 1.1] {first}\n[ 1.2] {group}\n[ 1.3] {member}\n[ 1.4] {first}\n"
    ));
    assert_eq!(
        events.iter().map(|e| (e.victims.len(), e.group_kill)).collect::<Vec<_>>(),
        [(2, true)]
    );
}

#[test]
fn reports_of_two_callers_do_not_mix() {
    let events = read(&format!(
        "[ 1.0][ T1] {HEAD}\n[ 1.0][ T2] {}\n[ 1.1][ T1] Task in /x killed as a result of limit of /x\n\
         [ 1.1][ T2] Task in /y killed as a result of limit of /y\n[ 1.2][ T2] {}\n[ 1.2][ T1] {KILL}\n",
        HEAD.replace("a invoked", "b invoked"),
        KILL.replace("process 5 (a)", "process 6 (b)"),
    ));
    let seen: Vec<_> = events.iter().map(|e| (e.cgroup.as_deref(), e.victims[0].pid)).collect();
    assert_eq!(seen, [(Some("/x"), Some(5)), (Some("/y"), Some(6))]);
}

#[test]
fn a_page_allocation_failure_is_no_event() {
    let events = read(
        "[ 1.0] rb: page allocation failure: order:0, mode:0x24010c0\n[ 1.1] Mem-Info:\n\
         [ 1.1] active_anon:1 inactive_anon:2 isolated_anon:0\n[ 1.2] Node 0 DMA free:1kB min:2kB low:3kB\n",
    );
    assert_eq!(events, []);
}

#[test]
fn a_table_without_its_heading_is_read_by_its_shape() {
    let events = read(&format!(
        "[ 1.0] [    480]     0   480    80239    21016   233472        0             0 python3\n[ 1.1] {KILL}\n"
    ));
    assert_eq!(
        events[0].tasks.first().map(|t| (t.rss, t.page_table_bytes)),
        Some((Some(21016), Some(233_472)))
    );
    assert_eq!(events[0].ending, Some(Ending::Killed));
}

#[test]
fn what_is_kept_is_bounded() {
    let mut parser = Parser::new();
    let head = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name";
    parser.feed(head.as_bytes(), Position::default());
    for pid in 0..20_000 {
        let row = format!("[{pid}] 0 {pid} 1 1 1 0 0 x");
        parser.feed(row.as_bytes(), Position::default());
    }
    parser.feed(KILL.as_bytes(), Position::default());
    parser.finish();
    let event = parser.next_event().expect("an event");
    assert_eq!(event.tasks.len(), TABLE_ROWS);
    assert!(event.missing.contains(&Part::Rows));
    for number in 0..1000 {
        let text =
            format!("c{number} invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0");
        let line = format!("1500316299 host{number} [1.000000] {text}");
        parser.feed(line.as_bytes(), Position::default());
        assert!(parser.open.len() <= OPEN_REPORTS);
    }
}

#[test]
fn nohangs_choice_and_signal_are_one_event() {
    let events = read(
        "Aug 10 16:53:26 h nohang[530]: TOP printed in 1ms; process with highest badness:\n\
         Aug 10 16:53:26 h nohang[530]:   PID: 903309, name: mysqld, badness: 849\n\
         Aug 10 16:53:26 h nohang[530]: Implementing a corrective action:\n\
         Aug 10 16:53:26 h nohang[530]:   Sending SIGTERM to the victim\n\
         Aug 10 16:53:36 h nohang[530]:   Sending SIGKILL to the victim\n",
    );
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].victims[0].comm, "mysqld");
    assert_eq!(events[0].killer, crate::oomlog::Killer::Nohang);
}

#[test]
fn what_systemd_says_of_its_oomds_kill_is_the_same_kill() {
    let oomd = "Jul 25 14:31:34 h systemd-oomd[7]: Marked /system.slice/x.service for killing due to memory used";
    let unit =
        "Jul 25 14:31:34 h systemd[1]: x.service: systemd-oomd killed 14 process(es) in this unit.";
    for log in [format!("{oomd}\n{unit}"), format!("{unit}\n{oomd}")] {
        let events = read(&log);
        assert_eq!(events.len(), 1, "{log}");
        assert_eq!(events[0].victims[0].comm, "/system.slice/x.service");
        assert_eq!(events[0].reason.as_deref(), Some("memory used"));
    }
    assert_eq!(read(unit).len(), 1);
}

#[test]
fn what_earlyoom_only_pretends_is_no_kill() {
    let events = read(
        "Jul 25 14:31:34 h earlyoom[7]: sending SIGTERM to process 9 uid 1 \"a\": badness 8, VmRSS 5 MiB\n\
         Jul 25 14:31:34 h earlyoom[7]: dryrun, not actually sending any signal\n",
    );
    assert_eq!(events, []);
}

#[test]
fn reports_within_one_another_are_marked_both() {
    let report = |comm: &str, cgroup: &str, usage: u32, pid: u32| {
        [
            format!(
                "{comm} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
            ),
            format!("CPU: 1 PID: {pid} Comm: {comm} Not tainted 6.1.0 #1"),
            format!("memory: usage {usage}kB, limit {usage}kB, failcnt 5"),
            format!(
                "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={cgroup},task_memcg={cgroup},task={comm},pid={pid},uid=0"
            ),
            KILL.replace("Out of", "Memory cgroup out of")
                .replace("process 5 (a)", &format!("process {pid} ({comm})")),
        ]
    };
    let (a, b) = (report("a", "/a", 100, 7), report("b", "/b", 200, 8));
    let stamped = |lines: &[&String]| -> alloc::string::String {
        lines.iter().zip(0..).map(|(text, us)| format!("[ 1.{us:06}] {text}\n")).collect()
    };
    let mixed: Vec<_> = a.iter().zip(&b).flat_map(|(a, b)| [a, b]).collect();
    let events = read(&stamped(&mixed));
    let seen: Vec<_> = events
        .iter()
        .map(|e| (e.victims.first().and_then(|v| v.pid), e.interleaved, e.complete))
        .collect();
    assert_eq!(events.len(), 2);
    assert!(seen.iter().all(|(_, interleaved, complete)| *interleaved && !complete), "{seen:?}");
    for event in &events {
        // What was kept together belongs together.
        let pid = event.victims.first().and_then(|victim| victim.pid);
        let expected = if event.cgroup.as_deref() == Some("/a") { 7 } else { 8 };
        assert_eq!(pid, Some(expected));
    }
    // One after the other, the first of them cut, is no such thing.
    let after: Vec<_> = a[..2].iter().chain(&b).collect();
    let events = read(&stamped(&after));
    assert_eq!(events.iter().map(|e| e.interleaved).collect::<Vec<_>>(), [false, false]);
    assert_eq!(events[1].cgroup.as_deref(), Some("/b"));
}

#[test]
fn lines_that_a_logger_says_it_lost_are_missing() {
    for lost in [
        "[ 1.1] ** 54 printk messages dropped **",
        "Nov 23 22:20:23 h systemd-journald[123]: Missed 24 kernel messages",
    ] {
        let events = read(&format!("[ 1.0] {HEAD}\n{lost}\n[ 1.2] {KILL}\n"));
        assert!(events[0].missing.contains(&Part::Elided), "{lost}");
        assert!(!events[0].complete);
    }
}
