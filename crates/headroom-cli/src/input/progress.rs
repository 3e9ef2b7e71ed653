//! The progress of reading, shown on a terminal for what takes longer than a second.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Read};
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less than this needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far reading a log has come.
pub(super) struct Progress {
    began: Instant,
    position: Cell<u64>,
    length: Option<u64>,
    name: String,
    bar: RefCell<Option<ProgressBar>>,
}

impl Progress {
    pub(super) fn new(name: &str, length: Option<u64>) -> Self {
        Self {
            began: Instant::now(),
            position: Cell::new(0),
            length,
            name: name.to_string(),
            bar: RefCell::new(None),
        }
    }

    /// Reading has come to this place; shows it once that has taken long enough.
    pub(super) fn at(&self, position: u64) {
        self.position.set(position);
        let mut bar = self.bar.borrow_mut();
        if bar.is_none() && self.began.elapsed() >= PATIENCE && io::stderr().is_terminal() {
            let target = ProgressDrawTarget::stderr_with_hz(5);
            let shown = ProgressBar::with_draw_target(self.length, target);
            let template = match self.length {
                Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
                None => "{msg} {spinner} {bytes}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                shown.set_style(style);
            }
            shown.set_message(crate::print::harmless(&self.name).into_owned());
            *bar = Some(shown);
        }
        if let Some(bar) = &*bar {
            bar.set_position(position);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &*self.bar.borrow() {
            bar.finish_and_clear();
        }
    }
}

/// A reader whose progress shows. What counts are the bytes of the file, compressed as they are.
pub(super) struct Watched<R> {
    reader: R,
    progress: Rc<Progress>,
}

impl<R: Read> Watched<R> {
    pub(super) fn new(reader: R, progress: Rc<Progress>) -> Self {
        Self { reader, progress }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        let read = u64::try_from(count).unwrap_or(0);
        self.progress.at(self.progress.position.get().saturating_add(read));
        Ok(count)
    }
}
