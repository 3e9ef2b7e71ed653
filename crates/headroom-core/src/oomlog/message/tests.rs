use super::*;
use alloc::borrow::Cow;

fn meaning(text: &str) -> Option<Message<'_>> {
    let record = Record {
        origin: Origin::Kernel,
        prefixed: true,
        text: Cow::Borrowed(""),
        ..Record::default()
    };
    // The record only lends its origin.
    let record: &'static Record<'static> = alloc::boxed::Box::leak(alloc::boxed::Box::new(record));
    recognise(record, text)
}

fn invoked(text: &str) -> Invoked<'_> {
    match meaning(text) {
        Some(Message::Invoked(invoked)) => invoked,
        other => panic!("{text}: {other:?}"),
    }
}

fn killed(text: &str) -> Killed<'_> {
    match meaning(text) {
        Some(Message::Killed(killed)) => killed,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_name_may_hold_blanks_colons_and_brackets() {
    for name in [
        "tmux: server",
        "runc:[2:INIT]",
        "in:imjournal",
        "kworker/0:2",
        "python batch/ke",
        "531",
        "(sd-pam)",
    ] {
        let text = alloc::format!(
            "{name} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
        );
        assert_eq!(invoked(&text).comm, name);
        let text = alloc::format!(
            "Out of memory: Killed process 649 ({name}) total-vm:216868kB, anon-rss:896kB"
        );
        assert_eq!(killed(&text).comm, name);
    }
}

#[test]
fn what_an_unknown_logger_put_before_a_name_is_not_part_of_it() {
    let text =
        "2026/03/01 12:00 node-7 logd 12345: php-fpm invoked oom-killer: gfp_mask=0xd0, order=0";
    assert_eq!(invoked(text).comm, "php-fpm");
}

#[test]
fn every_kernels_invoked_line_gives_mask_order_and_adjustment() {
    let rows = [
        (
            "a invoked oom-killer: gfp_mask=0x280da, order=0, oom_adj=0, oom_score_adj=5",
            "0x280da",
            0,
            5,
        ),
        (
            "a invoked oom-killer: gfp_mask=0x14000c0(GFP_KERNEL), nodemask=(null), order=2, oom_score_adj=939",
            "0x14000c0",
            2,
            939,
        ),
        (
            "a invoked oom-killer: gfp_mask=0x14200ca(GFP_HIGHUSER_MOVABLE), nodemask=(null),  order=0, oom_score_adj=0",
            "0x14200ca",
            0,
            0,
        ),
        ("a invoked oom-killer: gfp_mask=0x0(), order=-1, oom_score_adj=-1000", "0x0", -1, -1000),
    ];
    for (text, mask, order, adj) in rows {
        let found = invoked(text);
        assert_eq!(
            (found.gfp_mask, found.order, found.oom_score_adj),
            (Some(mask), Some(order), Some(adj)),
            "{text}"
        );
    }
}

#[test]
fn a_number_before_a_cut_is_not_believed() {
    let cut = killed(
        "Out of memory: Killed process 211 (stress) total-vm:5291948kB, anon-rss:758932kB, file-rss:0kB, shmem-rss:4kB, UID:1000 pgtables:103480",
    );
    assert_eq!((cut.anon_rss, cut.pgtables), (Some(758_932), None));
    let cut = killed(
        "Out of memory: Killed process 537 (login) total-vm:27584kB, anon-rss:860kB, shmem-rss:00",
    );
    assert_eq!(cut.shmem_rss, None);
}

#[test]
fn a_cut_choice_does_not_name_a_wrong_pid() {
    let text = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0-1,oom_memcg=/a,task_memcg=/a,task=alloc_anon,pid=10";
    let Some(Message::Choice(choice)) = meaning(text) else { panic!("no choice") };
    assert_eq!((choice.oom_memcg, choice.pid), (Some("/a"), None));
}

#[test]
fn a_choice_with_commas_in_its_values_is_read() {
    let text = "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=0,2,cpuset=a,b,mems_allowed=0,2-3,global_oom,task_memcg=/x,y,task=p,q,pid=7,uid=33";
    let Some(Message::Choice(choice)) = meaning(text) else { panic!("no choice") };
    assert_eq!(choice.constraint, Some("CONSTRAINT_CPUSET"));
    assert_eq!(choice.cpuset, Some("a,b"));
    assert_eq!(choice.task_memcg, Some("/x,y"));
    assert_eq!((choice.task, choice.pid, choice.uid), (Some("p,q"), Some(7), Some(33)));
}

#[test]
fn columns_are_found_by_name() {
    let head = "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name";
    let Some(Message::TableHead(columns)) = meaning(head) else { panic!("no heading") };
    let row = "[  15522]     0 15522     1243      575      224      351         0    49152        7         -250 bash -x";
    let Some(Message::Row(row)) = meaning(row) else { panic!("no row") };
    let task = columns.read(&row).expect("a task");
    assert_eq!(
        (task.rss, task.rss_anon, task.page_table_bytes, task.swap),
        (Some(575), Some(224), Some(49152), Some(7))
    );
    assert_eq!((task.oom_score_adj, task.comm.as_str()), (Some(-250), "bash -x"));

    let head = "[  pid  ]   uid  tgid total_vm      rss (01)nrss  pgtables_bytes swapents oom_score_adj name";
    let Some(Message::TableHead(columns)) = meaning(head) else { panic!("no heading") };
    assert_eq!(columns.unknown, ["(01)nrss"]);
    let Some(Message::Row(row)) = meaning("[1068864]  0 2 3 4 5 6 7 8 x") else { panic!("no row") };
    let task = columns.read(&row).expect("a task");
    assert_eq!((task.rss, task.page_table_bytes, task.oom_score_adj), (Some(4), Some(6), Some(8)));
}

#[test]
fn unlimited_is_no_limit() {
    for limit in ["9007199254740988", "18014398509481983"] {
        let text = alloc::format!("memory+swap: usage 554776kB, limit {limit}kB, failcnt 3");
        let Some(Message::Usage(Account::MemoryAndSwap, usage)) = meaning(&text) else {
            panic!("no usage")
        };
        assert_eq!((usage.usage.0, usage.limit, usage.failcnt), (554_776, None, Some(3)));
    }
}

#[test]
fn a_status_line_of_a_daemon_is_no_kill() {
    let program = |tag: &str| Record { origin: Origin::Program(tag.into()), ..Record::default() };
    let earlyoom = program("earlyoom");
    assert_eq!(
        recognise(&earlyoom, "sending SIGTERM when mem avail <=  2.70% and swap free <=  4.75%,"),
        None
    );
    let text = "sending SIGTERM to process 4711 uid 33 \"php\": badness 872, VmRSS 410 MiB";
    let Some(Message::Userspace(kill)) = recognise(&earlyoom, text) else { panic!("no kill") };
    assert_eq!(
        (kill.pid, kill.comm, kill.uid, kill.rss_kib),
        (Some(4711), "php", Some(33), Some(419_840))
    );
    let monitor = program("node-problem-detector");
    assert_eq!(recognise(&monitor, "Killed process 7 (a) total-vm:1kB, anon-rss:1kB"), None);
}

#[test]
fn every_earlyooms_kill_line_is_known() {
    let earlyoom = Record { origin: Origin::Program("earlyoom".into()), ..Record::default() };
    for (text, rss) in [
        ("Killing process 4711 php worker", None),
        ("Killing process: php worker, pid: 4711, badness: 870, VmRSS: 510 MiB", Some(522_240)),
        (
            "Killing process 'php worker' with signal 15, pid: 4711, badness: 870, VmRSS: 510 MiB",
            Some(522_240),
        ),
        (
            "killing process 4711 \"php worker\" with signal 15: badness 870, VmRSS 510 MiB",
            Some(522_240),
        ),
        (
            "sending SIGTERM to process 4711 \"php worker\": badness 870, VmRSS 510 MiB",
            Some(522_240),
        ),
        (
            "sending SIGKILL to process 4711 uid 33 \"php worker\": oom_score 870, oom_score_adj 500, VmRSS 510 MiB, cmdline \"php \"x\": oom_score 1\"",
            Some(522_240),
        ),
    ] {
        let Some(Message::Userspace(kill)) = recognise(&earlyoom, text) else { panic!("{text}") };
        assert_eq!((kill.pid, kill.comm, kill.rss_kib), (Some(4711), "php worker", rss), "{text}");
    }
}

#[test]
fn systemd_oomd_kills_by_two_words() {
    let oomd = Record { origin: Origin::Program("systemd-oomd".into()), ..Record::default() };
    for text in [
        "Killed /system.slice/x.service due to memory used (5) / total (6) and swap used (7)",
        "Marked /system.slice/x.service for killing due to memory used (5) / total (6) and swap used (7)",
    ] {
        let Some(Message::Userspace(kill)) = recognise(&oomd, text) else { panic!("{text}") };
        assert_eq!(kill.comm, "/system.slice/x.service");
        assert_eq!(kill.reason, Some("memory used (5) / total (6) and swap used (7)"));
    }
    let text = "Considered 60 cgroups for killing, top candidates were:";
    assert_eq!(recognise(&oomd, text), None);
}

#[test]
fn a_kill_in_an_openvz_container_is_read() {
    let text = "Out of memory in UB 1234: OOM killed process 2946 (npm) score 0 vm:1506164kB, rss:237752kB, swap:120052kB";
    let found = killed(text);
    assert_eq!((found.pid, found.comm), (2946, "npm"));
    assert_eq!(
        (found.total_vm, found.anon_rss, found.memcg),
        (Some(1_506_164), Some(237_752), Some(true))
    );
    let text = "php-cgi invoked oom-killer in ub 1234 generation 4 gfp 0x200d2";
    assert_eq!((invoked(text).comm, invoked(text).gfp_mask), ("php-cgi", Some("0x200d2")));
}

#[test]
fn the_kill_lines_of_the_oldest_kernels_are_read() {
    let found = killed("Out of memory: Killed process 4592, UID 27, (mysqld).");
    assert_eq!(
        (found.pid, found.comm, found.uid, found.total_vm),
        (4592, "mysqld", Some(27), None)
    );
    assert_eq!(killed("Out of Memory: Killed process 4592 (mysqld).").comm, "mysqld");
}

#[test]
fn the_other_daemons_kills_are_known_by_their_words() {
    let unknown = Record::default();
    let text =
        "oomd kill: 41.20 30.10 12.40 system.slice/x.service 4096 ruleset:[a] detectorgroup:[b]";
    let Some(Message::Userspace(kill)) = recognise(&unknown, text) else { panic!("no kill") };
    assert_eq!(
        (kill.comm, kill.reason),
        ("system.slice/x.service", Some("ruleset:[a] detectorgroup:[b]"))
    );
    let text = "  PID: 903309, name: a, b, badness: 849";
    assert_eq!(
        recognise(&unknown, text),
        Some(Message::NohangVictim { pid: 903_309, comm: "a, b" })
    );
    assert_eq!(recognise(&unknown, "  Sending SIGTERM to the victim"), Some(Message::NohangSignal));
}

#[test]
fn our_guards_lines_are_known_and_a_dry_runs_are_not() {
    let guard = Record { origin: Origin::Program("headroom-guard".into()), ..Record::default() };
    let text = "headroom-guard: slay php (x) (452) with SIGTERM: 26 MiB above the floor; gives back 392 MiB";
    let Some(Message::Userspace(kill)) = recognise(&guard, text) else { panic!("no kill") };
    assert_eq!((kill.pid, kill.comm), (Some(452), "php (x)"));
    assert_eq!(kill.reason, Some("26 MiB above the floor; gives back 392 MiB"));
    let dry = "headroom-guard: would slay php (452) with SIGTERM: 26 MiB above the floor";
    assert_eq!(recognise(&guard, dry), None);
}
