//! Images under the document roots that take much memory to decode: found by their headers alone, by a
//! walk on all processors.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use headroom_core::advise::facts::{Image, Images};
use headroom_core::advise::parse::Unread;
use headroom_core::advise::parse::webserver::Site;
use headroom_core::units::Kib;
use ignore::{WalkBuilder, WalkState};
use imagesize::ImageType;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::root::Root;

/// Names of images end in one of these.
const ENDINGS: [&str; 6] = ["jpg", "jpeg", "png", "gif", "webp", "avif"];
/// Where images are looked for when no web server names a root.
const USUAL: &str = "/var/www";
/// So many of the largest are kept.
const KEPT: usize = 20;
/// A header is mostly within so many bytes; where it is not, the file is read on.
const HEADER: usize = 4096;
/// A walk that takes less needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// What to look for, and where.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// The decoded size from which on an image counts.
    pub(crate) limit: Kib,
    /// Folders instead of the document roots.
    pub(crate) folders: Vec<PathBuf>,
}

/// Looks through the document roots, or the folders that were named.
pub(super) fn gather(
    root: &Root,
    sites: &[Site],
    search: &Search,
    unread: &mut Vec<Unread>,
) -> Images {
    let mut folders: Vec<PathBuf> = search.folders.clone();
    if folders.is_empty() {
        let mut named: Vec<&str> = sites.iter().map(|site| site.root.as_str()).collect();
        if named.is_empty() {
            named.push(USUAL);
        }
        folders.extend(named.iter().filter_map(|folder| root.resolve(folder).ok()));
    }
    folders.retain(|folder| !search.folders.is_empty() || folder.is_dir());
    folders.sort();
    // What lies in another one is walked with it.
    let mut apart: Vec<PathBuf> = Vec::new();
    for folder in folders {
        if !apart.iter().any(|known| folder.starts_with(known)) {
            apart.push(folder);
        }
    }
    let found = walk(&apart, search.limit);
    for trouble in found.troubles.into_iter().filter(|trouble| trouble.count > 0) {
        let first = trouble.first.map(|path| root.shown(&path)).unwrap_or_default();
        let more = match trouble.count - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        unread.push(Unread::file(&first, format!("{}{more}", trouble.what)));
    }
    let mut largest: Vec<Image> =
        found.largest.into_iter().map(|Reverse(large)| large.into_image()).collect();
    for image in &mut largest {
        image.path = root.shown(Path::new(&image.path));
    }
    largest.sort_by(|a, b| b.decoded().cmp(&a.decoded()).then_with(|| a.path.cmp(&b.path)));
    Images { limit: search.limit, looked_at: found.looked_at, over: found.over, largest }
}

/// An image in the order of its decoded size.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Large {
    decoded: u64,
    path: String,
    width: u64,
    height: u64,
    file: u64,
}

impl Large {
    fn into_image(self) -> Image {
        Image { path: self.path, width: self.width, height: self.height, file: Kib(self.file) }
    }
}

/// Something that went wrong, once or often.
#[derive(Debug)]
struct Trouble {
    what: &'static str,
    count: u64,
    first: Option<PathBuf>,
}

impl Trouble {
    const fn new(what: &'static str) -> Self {
        Self { what, count: 0, first: None }
    }

    fn happened(&mut self, path: Option<&Path>) {
        self.count += 1;
        // The same one whichever thread is the quickest.
        if let Some(path) = path
            && self.first.as_deref().is_none_or(|first| path < first)
        {
            self.first = Some(path.into());
        }
    }
}

/// What a walk has found.
#[derive(Debug)]
struct Found {
    looked_at: u64,
    over: u64,
    largest: BinaryHeap<Reverse<Large>>,
    troubles: [Trouble; 3],
}

const CLOSED: usize = 0;
const NO_IMAGE: usize = 1;
const LIES: usize = 2;

/// What a file turned out to be.
enum Verdict {
    Image { width: u64, height: u64, bytes: u64 },
    NoImage,
    Lies,
    Closed,
}

fn walk(folders: &[PathBuf], limit: Kib) -> Found {
    let found = Mutex::new(Found {
        looked_at: 0,
        over: 0,
        largest: BinaryHeap::new(),
        troubles: [
            Trouble::new("not readable for you; root may read it"),
            Trouble::new("called an image and is none"),
            Trouble::new(
                "claims more pixels than its bytes can hold: broken, or made to break decoders",
            ),
        ],
    });
    let looked_at = AtomicU64::new(0);
    if let Some((first, others)) = folders.split_first() {
        let mut builder = WalkBuilder::new(first);
        for folder in others {
            builder.add(folder);
        }
        let threads = thread::available_parallelism().map_or(1, usize::from);
        builder.standard_filters(false).follow_links(false).threads(threads);
        let (done, waiting) = channel::<()>();
        thread::scope(|scope| {
            let looked_at = &looked_at;
            scope.spawn(move || progress(&waiting, looked_at));
            builder.build_parallel().run(|| {
                Box::new(|entry| {
                    look(entry, limit, looked_at, &found);
                    WalkState::Continue
                })
            });
            drop(done);
        });
    }
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.looked_at = looked_at.into_inner();
    found
}

fn look(
    entry: Result<ignore::DirEntry, ignore::Error>,
    limit: Kib,
    looked_at: &AtomicU64,
    found: &Mutex<Found>,
) {
    let trouble = |index: usize, path: Option<&Path>| {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = found.troubles.get_mut(index) {
            trouble.happened(path);
        }
    };
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return trouble(CLOSED, path_of(&error)),
    };
    let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
    let ending = entry.path().extension().and_then(|ending| ending.to_str());
    let is_image = |ending: &str| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known));
    if !is_file || !ending.is_some_and(is_image) {
        return;
    }
    looked_at.fetch_add(1, Ordering::Relaxed);
    match verdict(entry.path()) {
        Verdict::Image { width, height, bytes } => {
            let decoded = width.saturating_mul(height).saturating_mul(4) / 1024;
            if decoded <= limit.0 {
                return;
            }
            let path = entry.path().display().to_string();
            let large = Large { decoded, path, width, height, file: bytes.div_ceil(1024) };
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.over += 1;
            found.largest.push(Reverse(large));
            if found.largest.len() > KEPT {
                found.largest.pop();
            }
        }
        Verdict::NoImage => trouble(NO_IMAGE, Some(entry.path())),
        Verdict::Lies => trouble(LIES, Some(entry.path())),
        Verdict::Closed => trouble(CLOSED, Some(entry.path())),
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } => path_of(err),
        _ => None,
    }
}

fn verdict(path: &Path) -> Verdict {
    let closed = |error: &io::Error| match error.kind() {
        // It was there a moment ago; whoever took it away needs no word about it.
        io::ErrorKind::NotFound => Verdict::NoImage,
        _ => Verdict::Closed,
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return closed(&error),
    };
    let mut header = [0; HEADER];
    let count = match file.read(&mut header) {
        Ok(count) => count,
        Err(error) => return closed(&error),
    };
    let header = header.get(..count).unwrap_or_default();
    let Ok(kind) = imagesize::image_type(header) else { return Verdict::NoImage };
    // Whether that is all of it is known only where the file ended within what was read.
    let size = imagesize::blob_size(header).or_else(|_| imagesize::size(path));
    let Ok(size) = size else { return Verdict::NoImage };
    let (width, height) = (size.width as u64, size.height as u64);
    // Its length is only worth a system call where it is asked for.
    let is_small = width.saturating_mul(height) <= 4_000_000;
    let bytes = match file.metadata() {
        _ if is_small => count as u64,
        Ok(stat) => stat.len(),
        Err(_) => return Verdict::Closed,
    };
    // As many pixels as a byte can stand for at the very most: deflate's longest run of one bit each, LZW's
    // longest string, JPEG's shortest block. The newer formats have no such bound.
    let most = match kind {
        ImageType::Png => 8_256,
        ImageType::Gif => 4_096,
        ImageType::Jpeg => 1_024,
        _ => u64::MAX,
    };
    if !is_small && width.saturating_mul(height) / bytes.max(1) > most {
        return Verdict::Lies;
    }
    Verdict::Image { width, height, bytes }
}

/// Shows how far the walk is, on a terminal, until the sender is dropped.
fn progress(done: &Receiver<()>, looked_at: &AtomicU64) {
    if done.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) || !io::stderr().is_terminal()
    {
        return;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} images looked at, {elapsed}") {
        bar.set_style(style);
    }
    while done.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout) {
        bar.set_position(looked_at.load(Ordering::Relaxed));
        bar.tick();
    }
    bar.finish_and_clear();
}

#[cfg(test)]
mod tests;
