//! Sleeps until the guard's list of stopped processes changes (inotify(7)).

use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headroom_api::trial::{HELD, HELD_LEN, Held, SERVED, Served};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

/// How often a directory is looked for that is not there.
const MISSING: Duration = Duration::from_secs(5);

/// The list and whoever tells that it changed.
pub(super) struct Watch {
    dir: PathBuf,
    events: AsyncFd<OwnedFd>,
    is_watched: bool,
}

impl Watch {
    /// Watches that directory, which the file may come into later.
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "what comes instead is unsafe; an OwnedFd stays what it is")]
        let events = AsyncFd::new(events)?;
        let mut watch = Self { dir: dir.into(), events, is_watched: false };
        watch.begin();
        Ok(watch)
    }

    fn begin(&mut self) {
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        self.is_watched =
            inotify::add_watch(self.events.get_ref(), self.dir.as_path(), flags).is_ok();
    }

    /// Who is stopped and could hold a lock behind a connection.
    pub(super) fn connected(&self) -> Vec<Held> {
        // A few KiB in memory: not worth a thread of its own.
        let Ok(bytes) = std::fs::read(self.dir.join(HELD)) else { return Vec::new() };
        Held::all(bytes.get(..HELD_LEN).unwrap_or(&bytes)).filter(|held| held.connected).collect()
    }

    /// Whose connections are served by which threads, as far as the guard knows.
    pub(super) fn served(&self) -> Vec<Served> {
        std::fs::read(self.dir.join(SERVED)).map_or_else(|_| Vec::new(), |file| Served::all(&file))
    }

    /// Waits until something happened to the list. Nothing is lost if the waiting is given up.
    pub(super) async fn changed(&mut self) {
        loop {
            if !self.is_watched {
                sleep(MISSING).await;
                self.begin();
                if self.is_watched {
                    return;
                }
                continue;
            }
            let Ok(mut ready) = self.events.readable().await else {
                sleep(MISSING).await;
                return;
            };
            let (concerns, is_gone) = drain(ready.get_inner());
            ready.clear_ready();
            if is_gone {
                self.is_watched = false;
                self.begin();
            }
            if concerns || is_gone {
                return;
            }
        }
    }
}

/// Takes out all that has been told: whether the list is concerned, and whether its directory went.
fn drain(events: &OwnedFd) -> (bool, bool) {
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    let (mut concerns, mut is_gone) = (false, false);
    loop {
        match reader.next() {
            Ok(event) => {
                let name = event.file_name().map(core::ffi::CStr::to_bytes);
                let is_lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
                concerns |= name == Some(HELD.as_bytes()) || is_lost;
                is_gone |= event.events().intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT);
            }
            Err(Errno::INTR) => {}
            Err(_) => return (concerns, is_gone),
        }
    }
}
