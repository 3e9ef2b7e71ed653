//! `cargo xtask bench images`: how fast oversized images are found, beside `find … | xargs file` and
//! ImageMagick's identify on the same tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{measure, write_section};
use crate::{Outcome, say, tree};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders of the tree
    #[arg(long, default_value_t = 10_000)]
    folders: usize,
    /// Images in each
    #[arg(long, default_value_t = 10)]
    images: usize,
    /// How often each program runs; its quickest run counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The program; it is built when none is named
    #[arg(long, value_name = "FILE")]
    headroom: Option<PathBuf>,
    /// Where the tree is made
    #[arg(long, value_name = "DIR", default_value = "target/bench/images")]
    tree: PathBuf,
}

/// A photo of the usual size: what follows the header, which nobody should read.
const FILE: usize = 8 * 1024;
/// One image of so many is far too large.
const LARGE: usize = 1000;
/// identify is measured on so many, and its time multiplied.
const SAMPLE: usize = 2000;

/// Measures and writes the section.
pub(crate) fn run(args: &Args) -> Outcome {
    let folder = tree::root().join(&args.tree);
    let count = args.folders * args.images;
    say(&format!("bench: making {count} images in {} folders", args.folders));
    make(&folder, args)?;
    let headroom = match &args.headroom {
        Some(program) => program.clone(),
        None => tree::release_headroom()?,
    };
    let empty = tempfile::tempdir()?;
    let (dir, root) = (folder.display(), empty.path().display());
    let ours =
        format!("HEADROOM_ROOT={root} {} advise --images {dir} --format json", headroom.display());
    let found = answer(&ours)?;
    let expected = count / LARGE;
    if !found.contains(&format!("{expected} images take more than")) {
        bail!("headroom did not find the {expected} large images: {found}");
    }
    let find = format!("find {dir} -type f -print0");
    let mut rows = Vec::new();
    let mut measured = |name: &str, line: &str| -> Result<()> {
        say(&format!("bench: {name}"));
        let best = best_of(args.runs, line)?;
        rows.push(format!("| {name} | {:.2} s |", best.as_secs_f64()));
        Ok(())
    };
    measured("`headroom advise --images`", &ours)?;
    measured("`find … -print0 \\| xargs -0 file`", &format!("{find} | xargs -0 file -N -b"))?;
    measured(
        "`find … -print0 \\| xargs -0 -P2 -n500 file`",
        &format!("{find} | xargs -0 -P2 -n500 file -N -b"),
    )?;
    let sample = format!(
        "{find} | head -zn {SAMPLE} | xargs -0 -P2 -n200 identify -ping -format '%w %h\\n'"
    );
    say("bench: identify, on a sample");
    let one = best_of(1, &sample)?;
    let all = one.as_secs_f64() * f64::from(u32::try_from(count / SAMPLE.min(count))?);
    rows.push(format!(
        "| `… xargs -0 -P2 identify -ping`, {SAMPLE} of them, multiplied | {all:.0} s |"
    ));
    let section = format!(
        "## Finding oversized images\n\n{}\n\n{count} images (jpeg, png, gif, webp, avif; {} KiB each) in {} \
         folders, one of {LARGE} with 108 million pixels. All in the page cache; the quickest of {} runs. \
         Headroom's time is the whole of `advise` on an empty root with this tree to look through; it found all \
         {expected} large ones.\n\n| | time |\n|---|---:|\n{}\n",
        measure::machine(),
        FILE / 1024,
        args.folders,
        args.runs,
        rows.join("\n"),
    );
    write_section("images", &section)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the tree, unless it is there.
fn make(folder: &Path, args: &Args) -> Result<()> {
    let mark = folder.join("complete");
    let wanted = format!("{} {}", args.folders, args.images);
    if fs::read_to_string(&mark).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).context("removing the former tree")?;
    }
    let data = tree::root().join("crates/headroom-cli/tests/data/images");
    let mut kinds: Vec<(String, Vec<u8>)> = Vec::new();
    for name in ["a.jpg", "a.png", "a.gif", "a.webp", "a.avif"] {
        let mut bytes = fs::read(data.join(name)).with_context(|| format!("reading {name}"))?;
        bytes.resize(FILE, 0);
        let ending = name.rsplit('.').next().unwrap_or_default();
        kinds.push((ending.to_owned(), bytes));
    }
    // As many bytes as its pixels can be believed with.
    let mut large = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    large.extend(12_000_u32.to_be_bytes());
    large.extend(9_000_u32.to_be_bytes());
    large.extend([8, 6, 0, 0, 0]);
    large.resize(4 * FILE, 0);
    let mut number = 0;
    for index in 0..args.folders {
        // As shops lay them out: by the first two letters.
        let inner = folder.join(format!("{}/{}/{index}", index % 10, index / 10 % 10));
        fs::create_dir_all(&inner).context("making a folder")?;
        for image in 0..args.images {
            number += 1;
            let (ending, bytes) = &kinds[number % kinds.len()];
            let (ending, bytes) =
                if number % LARGE == 0 { ("png", &large) } else { (ending.as_str(), bytes) };
            fs::write(inner.join(format!("{image}.{ending}")), bytes).context("making an image")?;
        }
    }
    fs::write(mark, wanted).context("marking the tree as complete")
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]).stdin(Stdio::null());
    command
}

fn answer(line: &str) -> Result<String> {
    let output = shell(line).output().context("starting a shell")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The quickest of several runs, the first of which warms the page cache and does not count.
fn best_of(runs: usize, line: &str) -> Result<Duration> {
    let mut best = Duration::MAX;
    for run in 0..=runs {
        let began = Instant::now();
        let status = shell(line).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let status = status.context("starting a shell")?;
        // xargs ends with 123 when a program it started was not happy with a file.
        if !matches!(status.code(), Some(0 | 1 | 123)) {
            bail!("`{line}` ended with {status} (Debian packages file, imagemagick)");
        }
        if run > 0 {
            best = best.min(began.elapsed());
        }
    }
    Ok(best)
}
