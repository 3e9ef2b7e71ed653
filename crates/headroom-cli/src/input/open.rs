//! Opens a log: a file, compressed or not, or standard input, with what is known of its time.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::bundle::{self, Bundle};
use super::kept::{Keeping, Kept};
use super::piped;
use super::progress::{Progress, Watched};
use super::reversed;
use super::skim::Skim;
use super::utf16::Utf16;
use super::when::Clock;

/// A log, open for reading.
pub(crate) struct Log {
    /// What to call it.
    pub(crate) name: String,
    /// Its bytes, decompressed.
    pub(crate) reader: Box<dyn Read>,
    /// Whether its bytes come out of a decompressor.
    pub(crate) compressed: bool,
    /// The file itself, where it is one and its bytes are the log's.
    pub(super) skim: Option<Skim>,
}

impl Log {
    /// Keeps its bytes as they are read.
    pub(super) fn keep(&mut self) -> Kept {
        let kept = Kept::new();
        let reader = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(Keeping { reader, kept: kept.clone() });
        kept
    }
}

/// The name a path goes by in the answer.
pub(crate) fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Opens a log.
///
/// # Errors
/// What to tell the user: the path, what went wrong and what helps.
pub(crate) fn log(path: &Path) -> Result<(Log, Clock), String> {
    let name = name(path);
    if path.as_os_str() == "-" {
        let progress = Rc::new(Progress::new("standard input", None));
        let reader = Watched::new(io::stdin().lock(), progress);
        return decompressed(&name, reader, Clock::now());
    }
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.map_err(|error| format!("{name}: {}", explained(&error)))?;
    if metadata.is_dir() {
        return Err(format!("{name}: is a directory; name the log in it"));
    }
    let clock = metadata.modified().map_or_else(|_| Clock::now(), Clock::of_file);
    let length = metadata.is_file().then_some(metadata.len());
    let progress = Rc::new(Progress::new(&name, length));
    // The copy shares its place in the file with the one that is read.
    let skim = length
        .zip(file.try_clone().ok())
        .map(|(length, file)| Skim::new(file, length, Rc::clone(&progress)));
    let (mut log, clock) = decompressed(&name, Watched::new(file, progress), clock)?;
    log.skim = skim.filter(|_| !log.compressed);
    Ok((log, clock))
}

/// Tells a compressed log by its first bytes, whatever it is called.
fn decompressed(
    name: &str,
    mut reader: impl Read + 'static,
    clock: Clock,
) -> Result<(Log, Clock), String> {
    // Compressed logs tell by their first bytes, a log within JSON by its first lines.
    const LONGEST_MAGIC: usize = 16 * 1024;
    let failed = |error: io::Error| format!("{name}: {}", explained(&error));
    let mut magic = Vec::with_capacity(LONGEST_MAGIC);
    let limit = u64::try_from(LONGEST_MAGIC).unwrap_or(0);
    reader.by_ref().take(limit).read_to_end(&mut magic).map_err(failed)?;
    let whole = io::Cursor::new(magic.clone()).chain(reader);
    let mut compressed = true;
    let reader: Box<dyn Read> = match magic[..] {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(whole)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            Box::new(XzReader::new(BufReader::new(whole), true))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(Zstd::new(whole)),
        [b'L', b'P', b'K', b'S', b'H', b'H', b'R', b'H', ..] => {
            match piped::journal(Path::new(name)) {
                Ok(piped) => Box::new(piped),
                Err(_) => {
                    return Err(format!(
                        "{name}: is a journal, which needs journalctl; use `journalctl --file {name} -o short-unix | headroom explain -` where it is"
                    ));
                }
            }
        }
        [b'B', b'Z', b'h', ..] => match piped::bzip2(Path::new(name)) {
            Ok(piped) => Box::new(piped),
            Err(_) => {
                return Err(format!(
                    "{name}: is compressed by bzip2, which needs bzcat (package bzip2)"
                ));
            }
        },
        [0xff, 0xfe, ..] => Box::new(Utf16::new(whole, false)),
        [0xfe, 0xff, ..] => Box::new(Utf16::new(whole, true)),
        // Without its mark, as a mail program hands it on: no text of bytes holds zeros like that.
        [a, 0, b, 0, c, 0, d, 0, ..] | [0, a, 0, b, 0, c, 0, d, ..]
            if [a, b, c, d].iter().all(|byte| (b'\t'..=b'~').contains(byte)) =>
        {
            Box::new(Utf16::new(whole, magic[0] == 0))
        }
        _ if bundle::is_bundle(&magic) => {
            reversed::in_order(Box::new(Bundle::new(whole))).map_err(failed)?
        }
        _ if reversed::is_newest_first(&magic) => {
            reversed::in_order(Box::new(whole)).map_err(failed)?
        }
        _ => {
            compressed = false;
            Box::new(whole)
        }
    };
    Ok((Log { name: name.to_string(), reader, compressed, skim: None }, clock))
}

/// zstd's frames one after another, as `zstd` itself reads them.
struct Zstd<R: Read> {
    state: Option<StreamingDecoder<BufReader<R>, FrameDecoder>>,
    rest: Option<BufReader<R>>,
}

impl<R: Read> Zstd<R> {
    fn new(reader: R) -> Self {
        Self { state: None, rest: Some(BufReader::new(reader)) }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        use std::io::BufRead;
        loop {
            if let Some(frame) = &mut self.state {
                let count = frame.read(into)?;
                if count > 0 || into.is_empty() {
                    return Ok(count);
                }
                self.rest = self.state.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut rest) = self.rest.take() else { return Ok(0) };
            if rest.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let frame = StreamingDecoder::new(rest)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))?;
            self.state = Some(frame);
        }
    }
}

/// An error of the system in words, with the step that helps where there is one.
pub(crate) fn explained(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => {
            "not readable for you; root may read it, and members of the group adm what is in /var/log".into()
        }
        _ => error.to_string(),
    }
}

/// An error while reading on: a decompressor's is the log's own fault.
pub(crate) fn reading_explained(error: &io::Error, compressed: bool) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof if compressed => "its compressed data is cut off".into(),
        ErrorKind::PermissionDenied => explained(error),
        _ if compressed => format!("its compressed data is damaged ({error})"),
        _ => explained(error),
    }
}
