//! Takes back the memory of the dying (process_mrelease(2)), on a thread of its own: the kernel waits there for the
//! victim's mmap lock (mm/oom_kill.c), which the victim may hold for as long as hundreds of others leave it no
//! processor. A guard that called it in its loop stood still for half a minute in a fork bomb.

use std::sync::Arc;
use std::{io, thread};

use headroom_sys::own;
use headroom_sys::process::Target;

use crate::desk::Desk;

/// Whose memory is to be taken back next.
type Next = Option<Target>;

/// The reaping thread's other end.
#[derive(Debug)]
pub(crate) struct Reaper(Arc<Desk<Next>>);

impl Reaper {
    /// Starts the thread; it runs for as long as the program.
    pub(crate) fn start() -> io::Result<Self> {
        let desk = Arc::new(Desk::new(None));
        let of_thread = Arc::clone(&desk);
        let run = move || {
            // As the loop: the memory is wanted at once, and it always comes back to wait.
            let _as_it_is_without_the_right = own::run_in_real_time();
            loop {
                // One that was not killed lives on; else its own end frees what is left.
                let _the_rest_comes_by_itself = take(&of_thread).reap();
            }
        };
        thread::Builder::new().name("reaper".into()).stack_size(64 * 1024).spawn(run)?;
        Ok(Self(desk))
    }

    /// Has the memory of a process taken back that was sent a signal to end. Never waits, never allocates: while
    /// the thread hangs, only the last one asked for is kept, and the others end by themselves.
    pub(super) fn reap(&self, target: &Target) {
        if let Ok(target) = target.try_clone() {
            *self.0.at() = Some(target);
            self.0.ring();
        }
    }
}

fn take(desk: &Desk<Next>) -> Target {
    loop {
        if let Some(target) = desk.wait_for(Option::is_some).take() {
            return target;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;

    use headroom_core::snapshot::ProcessId;
    use headroom_sys::proc::Proc;

    use super::*;

    #[test]
    fn whoever_asks_while_it_hangs_goes_on_and_the_last_one_is_next() {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let mut children: Vec<_> =
            (0..2).map(|_| Command::new("sleep").arg("600").spawn().unwrap()).collect();
        let targets: Vec<_> = children
            .iter()
            .map(|child| {
                let pid = i32::try_from(child.id()).unwrap();
                let start_ticks = proc.stat(pid).unwrap().start_ticks;
                Target::open(&mut proc, ProcessId { pid, start_ticks }).unwrap()
            })
            .collect();
        // No thread takes any.
        let reaper = Reaper(Arc::default());
        targets.iter().for_each(|target| reaper.reap(target));
        assert_eq!(take(&reaper.0).id(), targets[1].id());
        assert!(reaper.0.at().is_none());

        let reaper = Reaper::start().unwrap();
        targets[0].kill().unwrap();
        reaper.reap(&targets[0]);
        reaper.reap(&targets[1]);
        assert!(targets[0].ends_within(Duration::from_secs(60)));
        assert!(!targets[1].has_ended(), "it was not killed");
        for child in &mut children {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
