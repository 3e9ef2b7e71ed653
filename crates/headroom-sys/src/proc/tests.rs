//! Captured and hand-made trees, odd names, and this very process.

use super::*;
use headroom_core::snapshot::Comm;
use headroom_core::units::Kib;
use std::path::PathBuf;

fn tree(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn recent() -> Proc {
    Proc::open(&tree("linux-6.18")).unwrap()
}

fn old() -> Proc {
    Proc::open(&tree("linux-old")).unwrap()
}

fn running() -> Proc {
    Proc::open(Path::new("/")).unwrap()
}

fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

const MALFORMED: fn(ReadError) -> bool = |error| matches!(error, ReadError::Malformed { .. });

#[test]
fn a_recent_kernel_gives_every_value_of_the_node() {
    let mut proc = recent();
    let memory = proc.memory().unwrap();
    assert_eq!(memory.total, Kib(24_684_084));
    assert!(memory.free < memory.available && memory.available < memory.total);
    assert_eq!((memory.swap_total, memory.swap_free), (Kib::ZERO, Kib::ZERO));
    assert_eq!(proc.pressure(), Ok(Some(Pressure::default())));
    let counters = proc.vm_counters().unwrap();
    assert_eq!(counters.oom_kill, Some(0));
    assert_eq!(counters.refault_anon, Some(0));
    assert_eq!(counters.swap_in, Some(0));
    assert!(counters.refault_file.is_some_and(|count| count > 0));
    assert!(counters.major_faults.is_some_and(|count| count > 0));
    assert_eq!(counters.scan_direct, Some(0));
}

#[test]
fn what_an_old_kernel_lacks_is_unknown_and_not_zero() {
    let mut proc = old();
    let memory = proc.memory().unwrap();
    // MemFree + Buffers + Cached - Shmem.
    assert_eq!(memory.available, Kib(254_832 + 40_960 + 1_310_720 - 327_680));
    assert_eq!((memory.swap_total, memory.swap_free), (Kib(1_048_572), Kib(524_288)));
    assert_eq!(proc.pressure(), Ok(None));
    let counters = proc.vm_counters().unwrap();
    assert_eq!((counters.oom_kill, counters.refault_anon), (None, None));
    assert_eq!(counters.refault_file, Some(81_412));
    assert_eq!(counters.swap_in, Some(5120));
    assert_eq!(counters.scan_direct, Some(4321), "the throttled are no pages");
}

#[test]
fn pids_are_the_names_that_are_numbers() {
    let mut pids = Vec::new();
    for _ in 0..2 {
        pids.clear();
        old().each_pid(&mut |pid| pids.push(pid)).unwrap();
        pids.sort_unstable();
        assert_eq!(pids, [777, 811, 888, 999, 25_219]);
    }
}

#[test]
fn a_sleeping_process_reads_whole() {
    let mut proc = recent();
    let stat = proc.stat(4242).unwrap();
    assert_eq!(stat.comm, Comm::new(b"sleep"));
    assert_eq!((stat.state, stat.parent, stat.session, stat.tty), (b'S', 15_821, 4466, 0));
    assert_eq!((stat.start_ticks, stat.cpu_ticks, stat.threads), (203_277, 0, 1));
    assert!(!stat.is_kernel_thread() && !stat.is_zombie() && !stat.is_stopped());
    let page_kib = (rustix::param::page_size() / 1024) as u64;
    assert_eq!(stat.rss, Kib::from_pages(406, page_kib));
    let statm = proc.statm(4242).unwrap();
    assert_eq!(statm.resident, Kib::from_pages(449, page_kib));
    assert_eq!(statm.shared, Kib::from_pages(422, page_kib));
    let status = proc.status(4242).unwrap();
    assert_eq!((status.uid_real, status.uid_effective), (0, 0));
    assert_eq!((status.swap, status.rss_anon), (Kib::ZERO, Some(Kib(108))));
    assert!(!status.kill_pending);
    assert_eq!(proc.oom_score_adj(4242), Ok(0));
}

#[test]
fn a_kernel_thread_is_known_by_its_flag_and_has_no_memory() {
    let mut proc = recent();
    let stat = proc.stat(14).unwrap();
    assert_eq!(stat.comm, Comm::new(b"ksoftirqd/0"));
    assert!(stat.is_kernel_thread());
    assert_eq!(stat.rss, Kib::ZERO);
    let status = proc.status(14).unwrap();
    assert_eq!((status.swap, status.rss_anon), (Kib::ZERO, None));
    assert_eq!(proc.cmdline(14, &mut [0; 64]), Ok(&b""[..]));
}

#[test]
fn an_old_kernels_process_reads_as_far_as_it_goes() {
    let mut proc = old();
    let stat = proc.stat(25_219).unwrap();
    assert_eq!((stat.parent, stat.threads, stat.cpu_ticks), (811, 14, 812 + 301));
    assert_eq!(stat.start_ticks, 844_613);
    let status = proc.status(25_219).unwrap();
    assert_eq!((status.uid_real, status.uid_effective), (1000, 1001));
    assert_eq!((status.swap, status.rss_anon, status.locked), (Kib(20_480), None, Kib(64)));
    assert!(status.kill_pending);
    assert_eq!(proc.oom_score_adj(25_219), Ok(1000));
}

#[test]
fn a_name_cannot_forge_the_fields_after_it() {
    let mut proc = old();
    let stat = proc.stat(811).unwrap();
    assert_eq!(stat.comm, Comm::new(b"a) R 1 (b\n"));
    assert_eq!((stat.state, stat.parent, stat.tty), (b'Z', 1, 34_817));
    assert!(stat.is_zombie());
    assert_eq!(proc.status(811).unwrap().uid_effective, 33);
}

#[test]
fn names_with_brackets_spaces_and_line_feeds_come_through() {
    let rest = b" S 1 2 3 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 99 0 7 0";
    for (written, name) in [
        (&b"with space"[..], &b"with space"[..]),
        (b") (", b") ("),
        (b"))))", b"))))"),
        (b"(", b"("),
        (b"", b""),
        (b"raw\nline", b"raw\nline"),
        (b"a\\nb", b"a\nb"),
        (b"back\\\\slash", b"back\\slash"),
        (b"end\\", b"end\\"),
        (b"kworker/R-pool_workqueue_release", b"kworker/R-pool_"),
        (b"\xff\xfe", b"\xff\xfe"),
    ] {
        let text = [b"7 (", written, b")", rest].concat();
        let stat = Stat::parse(&text, 4).unwrap();
        assert_eq!(stat.comm, Comm::new(name));
        assert_eq!((stat.start_ticks, stat.cpu_ticks, stat.rss), (99, 11, Kib(28)));
    }
}

#[test]
fn gone_malformed_and_empty_are_told_apart() {
    let mut proc = old();
    assert_eq!(proc.stat(4), Err(ReadError::Gone));
    assert_eq!(proc.stat(0), Err(ReadError::Gone));
    assert_eq!(proc.stat(-1), Err(ReadError::Gone));
    for pid in [777, 888, 999] {
        assert!(proc.stat(pid).is_err_and(MALFORMED), "{pid}");
    }
    assert!(proc.statm(888).is_err_and(MALFORMED));
    assert!(proc.status(888).is_err_and(MALFORMED));
    assert!(proc.oom_score_adj(888).is_err_and(MALFORMED));
    assert!(proc.oom_score_adj(999).is_err_and(MALFORMED));
    assert_eq!(Proc::open(&tree("nowhere")).err(), Some(ReadError::Gone));
    let bare = tempfile::tempdir().unwrap();
    std::fs::create_dir(bare.path().join("proc")).unwrap();
    let mut proc = Proc::open(bare.path()).unwrap();
    assert_eq!(proc.memory(), Err(ReadError::Gone));
    assert_eq!(proc.vm_counters(), Err(ReadError::Gone));
    std::fs::write(bare.path().join("proc/meminfo"), "MemFree: 1 kB\nMemTotal: many kB\n").unwrap();
    std::fs::write(bare.path().join("proc/vmstat"), "\0\0\0").unwrap();
    assert!(proc.memory().is_err_and(MALFORMED));
    assert!(proc.vm_counters().is_err_and(MALFORMED));
}

#[test]
fn a_command_line_keeps_its_separators_and_loses_its_end() {
    let mut proc = old();
    let mut into = [0; 64];
    assert_eq!(
        proc.cmdline(25_219, &mut into),
        Ok(&b"/usr/bin/searchd\0--config\0/etc/sphinx.conf"[..])
    );
    assert_eq!(proc.cmdline(25_219, &mut into[..8]), Ok(&b"/usr/bin"[..]));
}

#[test]
fn a_deleted_program_is_said_to_be_deleted() {
    let root = tempfile::tempdir().unwrap();
    for (pid, target) in [(5, "/usr/bin/php8.2"), (6, "/usr/bin/php8.2 (deleted)")] {
        let dir = root.path().join("proc").join(pid.to_string());
        std::fs::create_dir_all(&dir).unwrap();
        std::os::unix::fs::symlink(target, dir.join("exe")).unwrap();
    }
    let mut proc = Proc::open(root.path()).unwrap();
    let mut into = [0; 64];
    assert_eq!(proc.exe(5, &mut into), Ok((&b"/usr/bin/php8.2"[..], false)));
    assert_eq!(proc.exe(6, &mut into), Ok((&b"/usr/bin/php8.2"[..], true)));
    assert_eq!(proc.exe(7, &mut into), Err(ReadError::Gone));
    assert!(proc.exe(5, &mut into[..15]).is_err_and(MALFORMED));
}

#[test]
fn the_cgroup_is_the_one_that_tells_the_unit() {
    fn best<'b>(text: &str, into: &'b mut [u8]) -> Result<&'b [u8], ReadError> {
        let mut found = membership::MembershipLines::new(into);
        text.lines().for_each(|line| found.line(line.as_bytes()));
        found.finish()
    }
    for (text, path) in [
        ("0::/system.slice/cron.service", "/system.slice/cron.service"),
        ("0::/system.slice/cron.service (deleted)", "/system.slice/cron.service"),
        ("0::/", "/"),
        ("", "/"),
        ("9:name=systemd:/a\n7:memory:/b\n0::/", "/a"),
        ("7:memory:/b\n9:name=systemd:/a\n0::/c:d", "/c:d"),
        ("9:name=systemd:/\n7:memory:/b\n1:cpu:/x\n0::/", "/b"),
        ("5:cpu,cpuacct:/x\n4:hugetlb,memory:/m", "/m"),
        ("3:cpuset:/x", "/"),
    ] {
        let mut into = [0; 64];
        assert_eq!(best(text, &mut into), Ok(path.as_bytes()), "{text}");
    }
    assert!(best("0::/too/long", &mut [0; 4]).is_err_and(MALFORMED));
    let mut into = [0; 64];
    assert_eq!(old().cgroup(25_219, &mut into), Ok(&b"/limited.slice"[..]));
    assert_eq!(recent().cgroup(4242, &mut into), Ok(&b"/jobs"[..]));
}

#[test]
fn a_captured_tree_is_not_live_and_the_running_one_is() {
    assert!(!recent().is_live());
    assert!(running().is_live());
    assert!(recent().hides_others(), "it holds no first process");
}

#[test]
fn this_process_is_read_from_the_running_kernel() {
    let mut proc = running();
    assert!(proc.memory().unwrap().total > Kib::ZERO);
    proc.vm_counters().unwrap();
    proc.pressure().unwrap();
    let pid = own_pid();
    let mut seen = false;
    proc.each_pid(&mut |each| seen |= each == pid).unwrap();
    assert!(seen);
    let stat = proc.stat(pid).unwrap();
    assert!(stat.rss > Kib::ZERO && stat.threads >= 1 && !stat.is_kernel_thread());
    assert_eq!(proc.stat(pid).unwrap().start_ticks, stat.start_ticks);
    assert!(proc.statm(pid).unwrap().resident > Kib::ZERO);
    let status = proc.status(pid).unwrap();
    assert_eq!(status.uid_effective, rustix::process::geteuid().as_raw());
    let mut into = [0; 4096];
    let program = std::env::current_exe().unwrap();
    assert_eq!(proc.exe(pid, &mut into).unwrap().0, program.as_os_str().as_encoded_bytes());
    assert!(
        proc.cmdline(pid, &mut into)
            .unwrap()
            .starts_with(std::env::args_os().next().unwrap().as_encoded_bytes())
    );
    assert!(proc.cgroup(pid, &mut into).unwrap().starts_with(b"/"));
}

#[test]
fn a_score_is_written_for_the_process_it_was_meant_for_only() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let mut proc = running();
    let before = proc.oom_score_adj(pid).unwrap();
    let raised = (before + 7).min(1000);
    let id = ProcessId { pid, start_ticks: proc.stat(pid).unwrap().start_ticks };
    let other = ProcessId { start_ticks: id.start_ticks + 1, ..id };
    assert_eq!(proc.set_oom_score_adj_of(other, raised), Err(ReadError::Gone));
    assert_eq!(proc.oom_score_adj(pid), Ok(before));
    assert_eq!(proc.set_oom_score_adj_of(id, raised), Ok(()));
    assert_eq!(proc.oom_score_adj(pid), Ok(raised));
    assert_eq!(proc.set_oom_score_adj(pid, 1000), Ok(()));
    assert_eq!(proc.oom_score_adj(pid), Ok(1000));
    assert_eq!(proc.set_oom_score_adj(pid, 1001), Err(ReadError::Other(rustix::io::Errno::INVAL)));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(proc.set_oom_score_adj_of(id, 1000), Err(ReadError::Gone));
}

/// A child that ends with the test.
struct Child(std::process::Child);

impl Child {
    fn of(program: &str, arguments: &[&str]) -> Self {
        Self(std::process::Command::new(program).args(arguments).spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `of` gives something, for as long as a busy machine may need.
fn eventually<T>(mut of: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(value) = of() {
            return value;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it never came");
}

#[test]
fn one_that_sleeps_gets_on_by_nothing_and_one_that_computes_runs() {
    let mut proc = Proc::open(Path::new("/")).unwrap();
    let sleeper = Child::of("sleep", &["1000"]);
    let waits = |proc: &mut Proc, pid| match proc.doing(pid).unwrap() {
        Doing::Waits { mark } => Some(mark),
        Doing::Runs | Doing::WaitsForClient => None,
    };
    // While it starts it runs, and waits for its own program now and then.
    eventually(|| {
        let mark = waits(&mut proc, sleeper.pid())?;
        std::thread::sleep(std::time::Duration::from_millis(50));
        (waits(&mut proc, sleeper.pid()) == Some(mark)).then_some(())
    });
    let busy = Child::of("sh", &["-c", "while :; do :; done"]);
    eventually(|| (proc.doing(busy.pid()) == Ok(Doing::Runs)).then_some(()));
}

#[test]
fn a_worker_without_a_request_waits_for_a_client() {
    let accepts = "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); listen(S, 1); accept(C, S)";
    let worker = Child::of("perl", &["-e", accepts]);
    let mut proc = Proc::open(Path::new("/")).unwrap();
    eventually(|| (proc.doing(worker.pid()) == Ok(Doing::WaitsForClient)).then_some(()));
}

#[test]
fn who_waits_for_whose_file_lock_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let holder = Child::of("flock", &["--no-fork", path, "sleep", "1000"]);
    let mut proc = Proc::open(Path::new("/")).unwrap();
    let holds = |pid| {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.split_whitespace().any(|f| f == format!("{pid}")))
    };
    eventually(|| holds(holder.pid()).then_some(()));
    let waiter = Child::of("flock", &["--no-fork", path, "true"]);
    eventually(|| {
        let mut found = false;
        let pair = (holder.pid(), waiter.pid());
        proc.lock_waiters(&mut |holder, waiter| found |= (holder, waiter) == pair).unwrap();
        found.then_some(())
    });
}

#[test]
fn pipes_are_told_apart_from_files() {
    use std::process::{Command, Stdio};
    let mut proc = Proc::open(Path::new("/")).unwrap();
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let pipes = proc.pipes(i32::try_from(cat.id()).unwrap()).unwrap();
    assert!(pipes.reads != 0 && pipes.writes == 0, "{pipes:?}");
    drop(cat.stdin.take());
    cat.wait().unwrap();
}

#[test]
fn a_thread_that_waits_for_a_request_is_known_by_its_connection() {
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::net::UnixStream;
    let mut proc = Proc::open(Path::new("/")).unwrap();
    let pid = crate::own::own_pid();
    // As MariaDB waits (poll, then recv), as others do (recv), and one that waits for nothing of the kind.
    let (polled, _held) = UnixStream::pair().unwrap();
    let (received, _held_too) = UnixStream::pair().unwrap();
    let descriptors = [polled.as_raw_fd(), received.as_raw_fd()];
    let inode = |stream: &UnixStream| {
        let file = std::fs::File::from(std::os::fd::OwnedFd::from(stream.try_clone().unwrap()));
        u32::try_from(file.metadata().unwrap().ino()).unwrap()
    };
    let inodes = [inode(&polled), inode(&received)];
    let (tell, told) = std::sync::mpsc::channel();
    let own_tid = || rustix::thread::gettid().as_raw_nonzero().get();
    let tell_too = tell.clone();
    std::thread::spawn(move || {
        tell.send(own_tid()).unwrap();
        let mut polled = [rustix::event::PollFd::new(&polled, rustix::event::PollFlags::IN)];
        let _for_ever = rustix::event::poll(&mut polled, None);
    });
    let first = told.recv().unwrap();
    std::thread::spawn(move || {
        tell_too.send(own_tid()).unwrap();
        let _for_ever = (&received).read(&mut [0]);
    });
    let second = told.recv().unwrap();
    for (tid, descriptor) in [first, second].into_iter().zip(descriptors) {
        eventually(|| (proc.reads_from(pid, tid) == Ok(Some(descriptor))).then_some(()));
    }
    assert_eq!(proc.reads_from(pid, own_tid()), Ok(None), "this one runs");
    let mut threads = Vec::new();
    proc.each_thread(pid, &mut |tid| threads.push(tid)).unwrap();
    assert!(threads.contains(&first) && threads.contains(&second));
    let mut sockets = Vec::new();
    proc.each_socket(pid, &mut |fd, inode| {
        sockets.push((fd, inode));
        core::ops::ControlFlow::Continue(())
    })
    .unwrap();
    for pair in descriptors.into_iter().zip(inodes) {
        assert!(sockets.contains(&pair), "{pair:?} of {sockets:?}");
    }
    assert_eq!(proc.has_connection(pid), Ok(true));
    assert_eq!(proc.reads_from(pid, i32::MAX), Err(ReadError::Gone));
    assert_eq!(proc.has_pids_of_here(pid), Ok(true));
}

#[test]
fn a_signal_that_asks_a_stopped_process_to_end_is_seen_waiting() {
    use rustix::process::{Pid, Signal, kill_process};
    let mut proc = Proc::open(Path::new("/")).unwrap();
    let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = i32::try_from(sleeper.id()).unwrap();
    let target = Pid::from_raw(pid).unwrap();
    kill_process(target, Signal::STOP).unwrap();
    while !proc.stat(pid).unwrap().is_stopped() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(!proc.status(pid).unwrap().end_pending);
    kill_process(target, Signal::TERM).unwrap();
    assert!(proc.status(pid).unwrap().end_pending);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}
