//! What kernels and their users make of one report: columns that are new, names and cgroups that nobody
//! expects, parts that are missing. Each row says what is changed and what must be read all the same.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

use std::fs;
use std::path::Path;

use headroom_core::oomlog::{Event, Parser, Position};

const SPLIT: &str = "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents \
                     oom_score_adj name";
const HEAD: &str =
    "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name";
const ROW: &str = "[    480]     0   480    80239    21016   233472        0             0 python3";
const UNIT: &str = "/system.slice/job-a.service";

/// What is to be read: the victim, its resident pages by the table, the cgroup.
struct Read {
    comm: &'static str,
    rss: Option<u64>,
    cgroup: &'static str,
}

const AS_IT_IS: Read = Read { comm: "python3", rss: Some(21016), cgroup: UNIT };

const fn named(comm: &'static str) -> Read {
    Read { comm, ..AS_IT_IS }
}

const fn within(cgroup: &'static str) -> Read {
    Read { cgroup, ..AS_IT_IS }
}

type Change = &'static [(&'static str, &'static str)];

const VARIANTS: &[(&str, Change, Read)] = &[
    ("as it is", &[], AS_IT_IS),
    (
        "6.8 and later split the resident size",
        &[
            (HEAD, SPLIT),
            (
                ROW,
                "[    480]     0   480    80239    21016    20385      631         0   233472        0             0 python3",
            ),
        ],
        AS_IT_IS,
    ),
    (
        "columns nobody knows yet",
        &[
            (
                HEAD,
                "[  pid  ]   uid  tgid total_vm      rss rss_thp hugetlb pgtables_bytes swapents zswapents oom_score_adj flags name",
            ),
            (
                ROW,
                "[    480]     0   480    80239    21016       17       18   233472        0         9             0     4 python3",
            ),
        ],
        AS_IT_IS,
    ),
    (
        "columns in another order",
        &[
            (
                HEAD,
                "[  pid  ]  tgid   uid      rss total_vm swapents pgtables_bytes oom_score_adj name",
            ),
            (
                ROW,
                "[    480]   480     0    21016    80239        0   233472             0 python3",
            ),
        ],
        AS_IT_IS,
    ),
    (
        "a table in kB",
        &[("(memory values in pages)", "(memory values in kB)")],
        Read { rss: None, ..AS_IT_IS },
    ),
    (
        "a PID of seven digits",
        &[
            ("[    480]", "[4194301]"),
            ("pid=480", "pid=4194301"),
            ("process 480", "process 4194301"),
        ],
        AS_IT_IS,
    ),
    ("the user in the CPU line, 6.11", &[("CPU: 1 PID: 480", "CPU: 1 UID: 0 PID: 480")], AS_IT_IS),
    ("a constraint of another kernel", &[("CONSTRAINT_MEMCG", "CONSTRAINT_BPF")], AS_IT_IS),
    ("more behind the kill", &[("oom_score_adj:0", "oom_score_adj:0 swap:12kB")], AS_IT_IS),
    (
        "no UID and page tables in the kill",
        &[(", UID:0 pgtables:228kB oom_score_adj:0", "")],
        AS_IT_IS,
    ),
    (
        "a name with blanks and a colon",
        &[
            (" python3", " a b) x:y[1]"),
            ("task=python3", "task=a b) x:y[1]"),
            ("(python3)", "(a b) x:y[1])"),
        ],
        named("a b) x:y[1]"),
    ),
    (
        "a name in parentheses",
        &[
            (" python3", " (sd-pam)"),
            ("task=python3", "task=(sd-pam)"),
            ("(python3)", "((sd-pam))"),
        ],
        named("(sd-pam)"),
    ),
    (
        "a name that is a number",
        &[(" python3", " 531"), ("task=python3", "task=531"), ("(python3)", "(531)")],
        named("531"),
    ),
    (
        "a name in Cyrillic",
        &[
            (" python3", " \u{444}\u{438}\u{434}"),
            ("task=python3", "task=\u{444}\u{438}\u{434}"),
            ("(python3)", "(\u{444}\u{438}\u{434})"),
        ],
        named("\u{444}\u{438}\u{434}"),
    ),
    (
        "a name like the kernel's words",
        &[("] python3 invoked", "] Killed process invoked")],
        AS_IT_IS,
    ),
    (
        "a worker of the kernel invoked it",
        &[("] python3 invoked", "] kworker/0:1H+x: y invoked")],
        AS_IT_IS,
    ),
    (
        "a pod",
        &[(
            UNIT,
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a2b_3c.slice/cri-containerd-9f.scope",
        )],
        within(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a2b_3c.slice/cri-containerd-9f.scope",
        ),
    ),
    (
        "a pod by cgroupfs",
        &[(UNIT, "/kubepods/burstable/pod1a2b-c/9f8e7d")],
        within("/kubepods/burstable/pod1a2b-c/9f8e7d"),
    ),
    ("a container", &[(UNIT, "/docker/aab1")], within("/docker/aab1")),
    (
        "a cgroup with a comma and an equals sign",
        &[(UNIT, "/user.slice/a,b=c")],
        within("/user.slice/a,b=c"),
    ),
    (
        "a cgroup with a blank",
        &[(UNIT, "/system.slice/my app.service")],
        within("/system.slice/my app.service"),
    ),
    (
        "an escaped unit",
        &[(UNIT, "/system.slice/php\\x2dfpm@8.2.service")],
        within("/system.slice/php\\x2dfpm@8.2.service"),
    ),
    ("a cgroup that names a PID", &[(UNIT, "/a/pid=77/task=x")], within("/a/pid=77/task=x")),
    ("seen from within a namespace", &[(UNIT, "/../../foo")], within("/../../foo")),
    ("a cpuset above the namespace's root", &[("cpuset=/,", "cpuset=/../../..,")], AS_IT_IS),
    ("no cpusets", &[("cpuset=/,mems_allowed=0,", "")], AS_IT_IS),
    ("no title above the table", &[("Tasks state (memory values in pages):", "")], AS_IT_IS),
    ("no heading of the table", &[(HEAD, "")], AS_IT_IS),
    ("no choice", &[("oom-kill:constraint", "x")], AS_IT_IS),
    (
        "blanks at the ends of lines",
        &[("python3\n", "python3   \n"), ("pages):\n", "pages):  \n")],
        AS_IT_IS,
    ),
    (
        "the firewall between the lines",
        &[
            (
                "[   23.159075]",
                "[   23.159070] [UFW BLOCK] IN=eth0 OUT= SRC=192.0.2.1 DST=192.0.2.2 LEN=40 PROTO=TCP SPT=4 DPT=5\n[   23.159075]",
            ),
            (
                "[   23.159164]",
                "[   23.159100] audit: type=1400 audit(1795472423.1:45): apparmor=\"DENIED\" pid=480 comm=\"python3\"\n[   23.159164]",
            ),
        ],
        AS_IT_IS,
    ),
    (
        "a reaper that failed",
        &[(
            "oom_score_adj:0\n",
            "oom_score_adj:0\n[   24.000000] oom_reaper: unable to reap pid:480 (python3)\n",
        )],
        AS_IT_IS,
    ),
];

fn read(log: &str) -> Vec<Event> {
    let mut parser = Parser::new();
    for (line, number) in log.lines().zip(1..) {
        parser.feed(line.as_bytes(), Position { source: 0, line: number });
    }
    parser.finish();
    std::iter::from_fn(|| parser.next_event()).collect()
}

#[test]
fn every_variant_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/6.1-memcg2-dmesg.log");
    let report = fs::read_to_string(path).expect("a fixture");
    let mut wrong = Vec::new();
    for (name, changes, expected) in VARIANTS {
        let mut log = report.clone();
        for (from, to) in *changes {
            assert!(log.contains(from), "{name}: {from:?} is not in the report");
            log = log.replace(from, to);
        }
        let events = read(&log);
        let [event] = events.as_slice() else {
            wrong.push(format!("{name}: {} events", events.len()));
            continue;
        };
        let victim = event.victims.first();
        let task = event.tasks.first();
        let found = (
            victim.map(|v| (v.comm.as_str(), v.anon_rss.map(|k| k.0))),
            task.map(|t| t.comm.as_str()),
            event.cgroup.as_deref(),
            event.complete,
        );
        let (comm, cgroup) = (expected.comm, expected.cgroup);
        if found != (Some((comm, Some(81540))), Some(comm), Some(cgroup), true) {
            wrong.push(format!("{name}: {found:?}"));
        }
        if expected.rss.is_some() && task.and_then(|t| t.rss) != expected.rss {
            wrong.push(format!("{name}: rss {:?}", task.and_then(|t| t.rss)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        VARIANTS.len(),
        wrong.join("\n")
    );
}
