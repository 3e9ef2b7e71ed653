//! The progress of reading, shown on a terminal for what takes longer than a second.

use std::io::{self, IsTerminal, Read};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less than this needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A reader whose progress shows. What counts are the bytes of the file, compressed as they are.
pub(super) struct Watched<R> {
    reader: R,
    began: Instant,
    read: u64,
    length: Option<u64>,
    name: String,
    bar: Option<ProgressBar>,
}

impl<R: Read> Watched<R> {
    pub(super) fn new(reader: R, name: &str, length: Option<u64>) -> Self {
        Self { reader, began: Instant::now(), read: 0, length, name: name.to_string(), bar: None }
    }

    fn show(&mut self) {
        if self.bar.is_none() && self.began.elapsed() >= PATIENCE && io::stderr().is_terminal() {
            let target = ProgressDrawTarget::stderr_with_hz(5);
            let bar = ProgressBar::with_draw_target(self.length, target);
            let template = match self.length {
                Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
                None => "{msg} {spinner} {bytes}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(crate::print::harmless(&self.name).into_owned());
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.read);
        }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(0));
        self.show();
        Ok(count)
    }
}

impl<R> Drop for Watched<R> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
