//! Proves that nothing marked hot allocates once it has been called: the guard does so when there
//! is no memory left.

#[cfg(test)]
mod no_allocation {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;
    use std::os::unix::net::UnixDatagram;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command};
    use std::time::Duration;

    use headroom_core::snapshot::ProcessId;
    use headroom_sys::cgroup::{Cgroups, Layout as CgroupLayout};
    use headroom_sys::connector::{Connector, Kind};
    use headroom_sys::file::Preallocated;
    use headroom_sys::kmsg::KernelLog;
    use headroom_sys::notify::Notifier;
    use headroom_sys::own;
    use headroom_sys::proc::Proc;
    use headroom_sys::process::Target;
    use headroom_sys::signals::Signals;
    use headroom_sys::wait::{Bell, Interest, Waiter};

    /// The system's allocator, counting what each thread asks of it.
    struct Counting;

    thread_local! {
        static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    }

    fn count() {
        // A thread that is ending has no counter any more, and is not the one that is measured.
        let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
    }

    // SAFETY: every call is handed on unchanged to the system's allocator, which keeps the contract;
    // counting touches no memory but a thread's own cell, which needs no allocation.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count();
            // SAFETY: the caller's promise about `layout` is passed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            count();
            // SAFETY: as above.
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            count();
            // SAFETY: `block` came from the same allocator with that layout.
            unsafe { System.realloc(block, layout, size) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    /// Calls `f` once to warm it up, and gives the number of allocations of a second call.
    fn allocations(mut f: impl FnMut()) -> u64 {
        f();
        let before = ALLOCATIONS.get();
        f();
        ALLOCATIONS.get() - before
    }

    fn tree(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    /// A child that ends with its test.
    struct Sleeper(Child);

    impl Sleeper {
        fn start() -> Self {
            Self(Command::new("sleep").arg("600").spawn().unwrap())
        }

        fn pid(&self) -> i32 {
            i32::try_from(self.0.id()).unwrap()
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn the_counter_counts() {
        assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
        assert_eq!(allocations(|| ()), 0);
    }

    #[test]
    fn a_scan_of_all_processes() {
        for root in [PathBuf::from("/"), tree("linux-6.18"), tree("linux-old")] {
            let mut proc = Proc::open(&root).unwrap();
            let mut pids = Vec::with_capacity(100_000);
            let mut text = [0; 4096];
            let made = allocations(|| {
                let _ = std::hint::black_box((proc.memory(), proc.pressure(), proc.vm_counters()));
                pids.clear();
                proc.each_pid(&mut |pid| pids.push(pid)).unwrap();
                for pid in &pids {
                    let _ = std::hint::black_box((proc.stat(*pid), proc.statm(*pid)));
                    let _ = std::hint::black_box((proc.status(*pid), proc.oom_score_adj(*pid)));
                    let _ = std::hint::black_box(proc.cmdline(*pid, &mut text));
                    let _ = std::hint::black_box(proc.exe(*pid, &mut text));
                    let _ = std::hint::black_box(proc.cgroup(*pid, &mut text));
                }
                let _ = std::hint::black_box((proc.stat(i32::MAX), proc.status(-1)));
            });
            assert_eq!(made, 0, "{}", root.display());
            assert!(!pids.is_empty());
        }
    }

    #[test]
    fn from_the_choice_to_the_signal_and_the_end() {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let children = [Sleeper::start(), Sleeper::start()];
        let mut next = children.iter();
        let made = allocations(|| {
            let pid = next.next().unwrap().pid();
            let id = ProcessId { pid, start_ticks: proc.stat(pid).unwrap().start_ticks };
            proc.set_oom_score_adj_of(id, 1000).unwrap();
            let Ok(target) = Target::open(&mut proc, id) else { return };
            let other = ProcessId { start_ticks: id.start_ticks + 1, ..id };
            assert!(Target::open(&mut proc, other).is_err());
            target.stop().unwrap();
            target.resume().unwrap();
            target.terminate().unwrap();
            target.kill().unwrap();
            let _ = std::hint::black_box(target.reap());
            assert!(target.ends_within(Duration::from_secs(30)));
            assert!(target.has_ended());
        });
        assert_eq!(made, 0);
    }

    #[test]
    fn a_look_at_one_that_is_held_ready_and_its_signal() {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let children = [Sleeper::start(), Sleeper::start()];
        let mut next = children.iter();
        let made = allocations(|| {
            let pid = next.next().unwrap().pid();
            let id = ProcessId { pid, start_ticks: proc.stat(pid).unwrap().start_ticks };
            proc.hold_ready(id).unwrap();
            assert!(proc.is_ready(id));
            let mut into = [0; 512];
            std::hint::black_box(proc.statm(pid).unwrap());
            std::hint::black_box(proc.status(pid).unwrap());
            std::hint::black_box(proc.oom_score_adj(pid).unwrap());
            std::hint::black_box(proc.exe(pid, &mut into).unwrap());
            Target::open(&mut proc, id).unwrap().kill().unwrap();
            proc.let_ended_go();
            proc.keep_ready(|_| false);
        });
        assert_eq!(made, 0);
    }

    #[test]
    fn reading_a_zone() {
        let cgroups = Cgroups::detect(Path::new("/"));
        // In a v1 tree the root is a zone; v2's root is none, and its first child mostly is one.
        let path = match cgroups.layout() {
            CgroupLayout::V1 | CgroupLayout::Hybrid => "/",
            CgroupLayout::V2 | CgroupLayout::None => "/system.slice",
        };
        let Ok(mut zone) = cgroups.zone(path) else { return };
        let made = allocations(|| {
            zone.read().unwrap();
        });
        assert_eq!(made, 0);
    }

    #[test]
    fn waiting_ringing_signals_clocks_and_the_kernels_log() {
        let mut waiter = Waiter::new(16).unwrap();
        let bell = Bell::new().unwrap();
        let signals = Signals::block().unwrap();
        waiter.add(&bell, Interest::Readable, 1).unwrap();
        waiter.add(&signals, Interest::Readable, 2).unwrap();
        let mut log = KernelLog::open_from_start(Path::new("/")).ok();
        let made = allocations(|| {
            bell.ring();
            let woken = waiter.wait(Some(Duration::from_secs(30))).unwrap();
            assert_eq!(woken.map(|ready| ready.token).sum::<u64>(), 1);
            assert!(bell.silence());
            assert_eq!(waiter.wait(Some(Duration::ZERO)).unwrap().count(), 0);
            assert_eq!(signals.take(), None);
            if let Some(log) = &mut log {
                let _ = std::hint::black_box(log.next_record());
            }
            std::hint::black_box((own::now(), own::wall_clock()));
        });
        assert_eq!(made, 0);
    }

    #[test]
    fn hearing_of_what_was_born() {
        let Ok(mut connector) = Connector::open(&[Kind::Exec, Kind::Exit]) else { return };
        for _ in 0..8 {
            drop(Sleeper::start());
        }
        let mut told = 0;
        let made = allocations(|| {
            for _ in 0..4 {
                told += usize::from(connector.next_event().unwrap().is_some());
            }
        });
        assert_eq!((told, made), (8, 0));
    }

    #[test]
    fn telling_systemd_and_writing_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let limit = Duration::from_secs(30);
        let mut notifier = Notifier::to(path.as_os_str(), Some(limit)).unwrap();
        let journal = Preallocated::open(&dir.path().join("journal"), 4096).unwrap();
        let made = allocations(|| {
            notifier.watchdog(own::now()).unwrap();
            journal.write_at(10, b"verdict").unwrap();
            journal.read_at(10, &mut [0; 7]).unwrap();
        });
        assert_eq!(made, 0);
    }
}
