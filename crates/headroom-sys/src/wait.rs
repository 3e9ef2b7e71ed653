//! The one place where the guard waits: for any of its files, or for a time to pass.

use core::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;

use crate::error::ReadError;

/// Waits shorter than this, in nanoseconds, are to be exact.
const SHORT: i64 = 10_000_000;

/// What is waited for on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read: sockets, pidfds, signals, bells, `/dev/kmsg`.
    Readable,
    /// Something that happened: PSI triggers and `memory.events`.
    Priority,
}

/// One file on which something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The number it was added under.
    pub token: u64,
    /// There is something to read.
    pub readable: bool,
    /// What was waited for with [`Interest::Priority`] happened.
    pub priority: bool,
    /// An error or the other side's end. `memory.events` always says so along with `priority`; of
    /// a PSI trigger it means that its cgroup is gone.
    pub closed: bool,
}

/// A set of files waited for together (epoll(7)).
///
/// The kernel keeps the set, so that waiting hands it nothing to copy or to allocate. A file that
/// is closed leaves the set by itself.
pub struct Waiter {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Waiter {
    /// An empty set, which tells of at most `capacity` files at a time; those left over come next.
    ///
    /// # Errors
    /// When the process has too many files open.
    pub fn new(capacity: usize) -> Result<Self, ReadError> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(capacity.max(1)) })
    }

    /// Adds a file under a number of the caller's.
    ///
    /// # Errors
    /// [`ReadError::Forbidden`] for a regular file, on which nothing can be waited for.
    pub fn add(&self, file: impl AsFd, interest: Interest, token: u64) -> Result<(), ReadError> {
        let flags = match interest {
            Interest::Readable => EventFlags::IN,
            Interest::Priority => EventFlags::PRI,
        };
        Ok(epoll::add(&self.epoll, file, EventData::new_u64(token), flags)?)
    }

    /// Takes a file out of the set that stays open elsewhere.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it is not in the set.
    pub fn remove(&self, file: impl AsFd) -> Result<(), ReadError> {
        Ok(epoll::delete(&self.epoll, file)?)
    }

    /// Waits until something happens or the time is over, whichever comes first; without a limit,
    /// for as long as it takes. Gives nothing when the time is over or a signal came. Hot.
    ///
    /// # Errors
    /// None that a correct caller meets.
    pub fn wait(
        &mut self,
        limit: Option<Duration>,
    ) -> Result<impl Iterator<Item = Ready> + '_, ReadError> {
        let mut limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        self.events.clear();
        // epoll_wait(2) knows whole milliseconds alone, and epoll_pwait2(2) not every kernel.
        if let Some(short) =
            limit.filter(|limit| limit.tv_sec == 0 && (1..SHORT).contains(&limit.tv_nsec))
        {
            let mut itself = [PollFd::new(&self.epoll, PollFlags::IN)];
            let _told_below = rustix::event::poll(&mut itself, Some(&short));
            limit = Some(Timespec::default());
        }
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(self.events.iter().map(|event| {
            let (flags, data) = (event.flags, event.data);
            Ready {
                token: data.u64(),
                readable: flags.contains(EventFlags::IN),
                priority: flags.contains(EventFlags::PRI),
                closed: flags.intersects(EventFlags::ERR | EventFlags::HUP),
            }
        }))
    }
}

/// Wakes a [`Waiter`] from another thread (eventfd(2)). Readable once it was rung.
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// A bell that is silent.
    ///
    /// # Errors
    /// When the process has too many files open.
    pub fn new() -> Result<Self, ReadError> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Rings it. Hot; never waits, and ringing often is as good as once.
    pub fn ring(&self) {
        // The only failure is a counter at its end, and then it rings already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Silences it and says whether it had been rung. Hot.
    #[must_use]
    pub fn silence(&self) -> bool {
        rustix::io::read(&self.0, &mut [0; 8]).is_ok()
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Option<Duration> = Some(Duration::from_secs(30));
    const NONE: Option<Duration> = Some(Duration::ZERO);

    fn ready(waiter: &mut Waiter, limit: Option<Duration>) -> Vec<Ready> {
        waiter.wait(limit).unwrap().collect()
    }

    #[test]
    fn a_bell_wakes_the_waiter_until_it_is_silenced() {
        let mut waiter = Waiter::new(4).unwrap();
        let (bell, other) = (Bell::new().unwrap(), Bell::new().unwrap());
        waiter.add(&bell, Interest::Readable, 7).unwrap();
        waiter.add(&other, Interest::Readable, 8).unwrap();
        assert!(ready(&mut waiter, NONE).is_empty());
        assert!(!bell.silence());
        bell.ring();
        bell.ring();
        let rung = Ready { token: 7, readable: true, priority: false, closed: false };
        assert_eq!(ready(&mut waiter, LONG), [rung]);
        assert_eq!(ready(&mut waiter, LONG), [rung], "it rings until it is silenced");
        assert!(bell.silence());
        assert!(ready(&mut waiter, NONE).is_empty());
    }

    #[test]
    fn a_short_wait_is_over_in_its_time_and_sooner_when_something_happens() {
        let mut waiter = Waiter::new(4).unwrap();
        let bell = Bell::new().unwrap();
        waiter.add(&bell, Interest::Readable, 7).unwrap();
        let short = Duration::from_micros(250);
        let began = std::time::Instant::now();
        assert!(ready(&mut waiter, Some(short)).is_empty());
        assert!(began.elapsed() >= short);
        bell.ring();
        assert_eq!(ready(&mut waiter, Some(short)).len(), 1);
    }

    #[test]
    fn what_does_not_fit_comes_the_next_time() {
        let mut waiter = Waiter::new(1).unwrap();
        let bells = [Bell::new().unwrap(), Bell::new().unwrap()];
        for (token, bell) in (0..).zip(&bells) {
            waiter.add(bell, Interest::Readable, token).unwrap();
            bell.ring();
        }
        let mut tokens: Vec<_> =
            (0..2).flat_map(|_| ready(&mut waiter, LONG)).map(|ready| ready.token).collect();
        tokens.sort_unstable();
        assert_eq!(tokens, [0, 1]);
    }

    #[test]
    fn a_closed_file_leaves_the_set_and_a_removed_one_is_heard_no_more() {
        let mut waiter = Waiter::new(4).unwrap();
        let (closed, removed) = (Bell::new().unwrap(), Bell::new().unwrap());
        waiter.add(&closed, Interest::Readable, 1).unwrap();
        waiter.add(&removed, Interest::Readable, 2).unwrap();
        closed.ring();
        removed.ring();
        drop(closed);
        waiter.remove(&removed).unwrap();
        assert!(ready(&mut waiter, NONE).is_empty());
        assert_eq!(waiter.remove(&removed), Err(ReadError::Gone));
    }

    #[test]
    fn a_regular_file_cannot_be_waited_for() {
        let waiter = Waiter::new(1).unwrap();
        let file = tempfile::tempfile().unwrap();
        assert_eq!(waiter.add(&file, Interest::Priority, 0), Err(ReadError::Forbidden));
    }

    #[test]
    fn the_end_of_the_other_side_is_told() {
        let mut waiter = Waiter::new(1).unwrap();
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        waiter.add(&near, Interest::Readable, 3).unwrap();
        drop(far);
        assert!(ready(&mut waiter, LONG).iter().all(|ready| ready.closed));
    }
}
