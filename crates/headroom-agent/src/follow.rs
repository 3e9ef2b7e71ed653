//! Follows the guard's journal: each record is taken over into the store once, however often either of
//! the two is killed meanwhile.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::Duration;

use headroom_api::journal::{Record, SLOT};
use headroom_api::paths;
use tokio::time::sleep;

use crate::say;
use crate::state::App;
use crate::store::StoreError;
use crate::store::history::{self, Cursor};

/// From one look at the journal to the next.
const PERIOD: Duration = Duration::from_millis(300);
/// The same while it cannot be read or the store cannot be written.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest journal that is read whole.
const LONGEST: u64 = 1 << 30;
/// Records taken over at once: others wait for the store meanwhile.
const BATCH: usize = 256;

/// Follows until the agent stops.
pub(crate) fn start(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        let mut follower = Follower::new(app.options.state_dir.join(paths::JOURNAL));
        let mut said = String::new();
        loop {
            let wait = match follow(&app, &mut follower).await {
                Ok(()) => {
                    said.clear();
                    PERIOD
                }
                Err(why) => {
                    if why != said {
                        say(&why);
                        said = why;
                    }
                    PATIENCE
                }
            };
            tokio::select! {
                () = app.stops() => return,
                () = sleep(wait) => {}
            }
        }
    });
}

async fn follow(app: &App, follower: &mut Follower) -> Result<(), String> {
    let said = |error: StoreError| error.to_string();
    let cursor = app.store.call(|db| history::cursor(db)).await.map_err(said)?;
    // A read of one slot of a file that is in the page cache: not worth a thread of its own.
    let (whole, records) = match follower.read_behind(cursor) {
        Ok(read) => read,
        // No guard has ever run here.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}: {error}", follower.path.display())),
    };
    if records.is_empty() {
        return Ok(());
    }
    let start = match whole {
        false => cursor,
        true => {
            let read = records.clone();
            app.store.call(move |db| history::place_in(db, &read)).await.map_err(said)?
        }
    };
    if start.epoch != cursor.epoch {
        // Even before it has anything new: the next look starts from there.
        app.store.call(move |db| history::take_over(db, start, &[])).await.map_err(said)?;
    }
    let new: Vec<_> = records.into_iter().filter(|r| r.sequence > start.sequence).collect();
    for batch in new.chunks(BATCH) {
        let batch = batch.to_vec();
        let taken = batch.len();
        app.store.call(move |db| history::take_over(db, start, &batch)).await.map_err(said)?;
        app.news.send_modify(|news| *news += taken as u64);
    }
    Ok(())
}

/// The journal's file, as far as it is known.
#[derive(Debug)]
struct Follower {
    path: PathBuf,
    open: Option<(File, u64)>,
}

impl Follower {
    fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// The records behind `cursor`, and whether the whole journal was read for them: then they are all it
    /// has, and where in it the store stands is another question.
    fn read_behind(&mut self, cursor: Cursor) -> io::Result<(bool, Vec<Record>)> {
        let inode = std::fs::metadata(&self.path)?.ino();
        let is_new = self.open.as_ref().is_none_or(|(_, known)| *known != inode);
        if is_new {
            self.open = Some((File::open(&self.path)?, inode));
        }
        let Some((file, _)) = &self.open else { return Ok((false, Vec::new())) };
        if !is_new && let Some(records) = read_on(file, cursor.sequence)? {
            return Ok((false, records));
        }
        Ok((true, read_whole(file)?))
    }
}

fn slots(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len().min(LONGEST) / SLOT as u64)
}

/// The records right behind that number; `None` when something else stands in their place.
fn read_on(file: &File, sequence: u64) -> io::Result<Option<Vec<Record>>> {
    let slots = slots(file)?;
    if slots == 0 {
        return Ok(Some(Vec::new()));
    }
    let mut records = Vec::new();
    let mut bytes = [0; SLOT];
    for expected in sequence + 1..=sequence + slots {
        file.read_exact_at(&mut bytes, (expected - 1) % slots * SLOT as u64)?;
        match Record::decode(&bytes) {
            Some(record) if record.sequence == expected => records.push(record),
            // Not written yet: empty, or of the ring's last round.
            Some(record) if record.sequence < expected => break,
            // The ring has gone round, or was begun anew.
            Some(_) => return Ok(None),
            // Not written yet, torn, or half written just now: what stands behind it is seen later.
            None => {
                let is_behind = peek(file, expected, slots)?;
                return Ok((!is_behind).then_some(records));
            }
        }
    }
    Ok(Some(records))
}

/// Whether there are records behind one that cannot be read.
fn peek(file: &File, unreadable: u64, slots: u64) -> io::Result<bool> {
    let mut bytes = [0; SLOT];
    file.read_exact_at(&mut bytes, unreadable % slots * SLOT as u64)?;
    Ok(Record::decode(&bytes).is_some_and(|record| record.sequence > unreadable))
}

fn read_whole(file: &File) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut bytes = [0; SLOT];
    for slot in 0..slots(file)? {
        file.read_exact_at(&mut bytes, slot * SLOT as u64)?;
        records.extend(Record::decode(&bytes));
    }
    records.sort_by_key(|r| r.sequence);
    Ok(records)
}
