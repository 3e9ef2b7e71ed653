//! A ring of numbered cells in one preallocated file: the cell of number `n` always stands at the same
//! place, so that the newest overwrites the oldest.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use headroom_sys::file::Preallocated;

/// What a ring is made of.
pub(crate) struct Form {
    /// Bytes of a cell.
    pub(crate) cell: usize,
    /// Bytes at the beginning of a cell that are looked at when the ring is opened.
    pub(crate) head: usize,
    /// The number a cell carries; `None` for one that is empty or does not check.
    pub(crate) number_of: fn(&[u8]) -> Option<u64>,
}

/// The open file.
pub(crate) struct Ring {
    file: Preallocated,
    cell: u64,
    cells: u64,
}

impl Ring {
    /// Opens the ring, or makes it, `size` bytes long. One of another size is made anew with the newest
    /// cells of the old one; where that cannot be done the old one goes on as it is. `each` sees the head
    /// of every cell that is there.
    pub(crate) fn open(
        path: &Path,
        form: &Form,
        size: u64,
        each: &mut dyn FnMut(&[u8]),
    ) -> io::Result<Self> {
        let cell = form.cell as u64;
        let cells = (size / cell).max(2);
        let present = match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_file() => meta.len() / cell,
            _ => 0,
        };
        let cells = match present {
            0 => cells,
            same if same == cells => cells,
            other => match resize(path, form, cells) {
                Ok(()) => cells,
                Err(error) => {
                    super::say(&format!(
                        "{}: it keeps its size of {} KiB: {error}",
                        path.display(),
                        other * cell / 1024
                    ));
                    other.max(2)
                }
            },
        };
        let file = Preallocated::open(path, cells * cell).map_err(io::Error::other)?;
        let mut bytes = vec![0; form.head];
        for at in 0..cells {
            let read = file.read_at(at * cell, &mut bytes).map_err(io::Error::other)?;
            each(read);
        }
        Ok(Self { file, cell, cells })
    }

    /// Writes into the cell of that number, from 1, `at` bytes from its beginning.
    pub(crate) fn write(&self, number: u64, at: usize, bytes: &[u8]) -> io::Result<()> {
        let place = number.saturating_sub(1) % self.cells * self.cell;
        self.file.write_at(place + at as u64, bytes).map_err(io::Error::other)
    }

    /// Reads the cell of that number into `into`.
    pub(crate) fn read<'b>(&self, number: u64, into: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let place = number.saturating_sub(1) % self.cells * self.cell;
        self.file.read_at(place, into).map_err(io::Error::other)
    }

    /// Waits until all is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync().map_err(io::Error::other)
    }
}

/// Makes the ring anew beside the old one, cell by cell, and puts it in its place.
fn resize(path: &Path, form: &Form, cells: u64) -> io::Result<()> {
    let beside: PathBuf = path.with_extension("resized");
    let _not_there = fs::remove_file(&beside);
    let resized = (|| {
        let mut newest = 0;
        each_cell(path, form, &mut |number, _| {
            newest = newest.max(number);
            Ok(())
        })?;
        let to = Preallocated::open(&beside, cells * form.cell as u64).map_err(io::Error::other)?;
        each_cell(path, form, &mut |number, cell| {
            if number + cells <= newest {
                return Ok(());
            }
            let place = (number - 1) % cells * form.cell as u64;
            to.write_at(place, cell).map_err(io::Error::other)
        })?;
        to.sync().map_err(io::Error::other)?;
        fs::rename(&beside, path)
    })();
    if resized.is_err() {
        let _not_there = fs::remove_file(&beside);
    }
    resized
}

fn each_cell(
    path: &Path,
    form: &Form,
    each: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut cell = vec![0; form.cell];
    loop {
        match file.read_exact(&mut cell) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        }
        if let Some(number) = (form.number_of)(&cell).filter(|n| *n > 0) {
            each(number, &cell)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form {
        cell: 8,
        head: 8,
        number_of: |cell| cell.try_into().ok().map(u64::from_le_bytes).filter(|n| *n > 0),
    };

    fn open(path: &Path, cells: u64) -> (Ring, Vec<u64>) {
        let mut numbers = Vec::new();
        let ring = Ring::open(path, &FORM, cells * 8, &mut |cell| {
            numbers.extend((FORM.number_of)(cell));
        });
        numbers.sort_unstable();
        (ring.unwrap(), numbers)
    }

    #[test]
    fn the_newest_overwrites_the_oldest_and_another_size_keeps_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ring");
        let (ring, numbers) = open(&path, 4);
        assert_eq!(numbers, [0; 0]);
        for number in 1..=6_u64 {
            ring.write(number, 0, &number.to_le_bytes()).unwrap();
        }
        assert_eq!(open(&path, 4).1, [3, 4, 5, 6]);
        assert_eq!(open(&path, 3).1, [4, 5, 6], "smaller");
        let (ring, numbers) = open(&path, 5);
        assert_eq!(numbers, [4, 5, 6], "larger");
        for number in 7..=9_u64 {
            ring.write(number, 0, &number.to_le_bytes()).unwrap();
        }
        assert_eq!(open(&path, 5).1, [5, 6, 7, 8, 9]);
        assert_eq!(ring.read(9, &mut [0; 8]).unwrap(), 9_u64.to_le_bytes());
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("ring"), dir.path().join("other"));
        fs::write(&other, [7; 64]).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(Ring::open(&path, &FORM, 64, &mut |_| {}).is_err());
        assert_eq!(fs::read(&other).unwrap(), [7; 64]);
    }
}
