//! Boots the node and listens to its second serial port until it switches itself off.
//!
//! The emulated core counts instructions (`-icount`), so the node's clock goes with its work and not with
//! the host's, and figures taken inside do not depend on how fast or how busy the host is.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab_facts::{FACTS, FAILED, SAYS, TOUR};
use serde::de::DeserializeOwned;

use crate::image::{Image, Kernel};
use crate::progress::say;
use crate::settings::Run;

/// A common cloud volume's throughput, beside its operations a second.
const BYTES_PER_SECOND: u32 = 125 << 20;
/// A node that has not got through a storm by then never will.
const PATIENCE: Duration = Duration::from_secs(25 * 60);
/// The same for the tour, which has many storms in it.
const TOUR_PATIENCE: Duration = Duration::from_secs(60 * 60);
/// A case of advice has its load, its truth and its storms.
const PATIENCE_WITH_A_CASE: Duration = Duration::from_secs(10 * 60);
/// The node's wall clock starts here, so that two runs have the same times. Later than its packages: systemd
/// puts a clock forward that is behind its own build.
const CLOCK: &str = "2030-01-15T12:00:00";

/// The disks of one run beside the image's.
pub(crate) struct Disks<'a> {
    /// What changes from run to run, read by the node.
    pub(crate) run: &'a Path,
    /// Where the node writes its logs.
    pub(crate) results: &'a Path,
    /// Its swap, if it has any.
    pub(crate) swap: Option<&'a Path>,
}

/// Runs the node to its end and returns what its director saw; nothing when the storm silenced it.
pub(crate) fn boot<F: DeserializeOwned>(
    image: &Image,
    run: &Run,
    disks: &Disks<'_>,
    console: &Path,
) -> Result<Option<F>> {
    let mut child = command(image, run, disks, console).spawn().context("starting qemu")?;
    let output = child.stdout.take().context("qemu has no output")?;
    thread::scope(|scope| {
        let cases = u32::try_from(run.advise.len()).unwrap_or(1);
        let patience = match run.scenario.as_str() {
            TOUR => TOUR_PATIENCE,
            _ => PATIENCE + PATIENCE_WITH_A_CASE * cases,
        };
        let watchdog = scope.spawn(move || end_within(&mut child, patience));
        let facts = listen(BufReader::new(output), run);
        let ended = watchdog.join();
        ended
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            .context("waiting for qemu")?;
        facts
    })
}

/// The last facts the node reports. What it says on its way goes to whoever waits.
fn listen<F: DeserializeOwned>(mut output: impl BufRead, run: &Run) -> Result<Option<F>> {
    let mut facts = None;
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? != 0 {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if let Some(json) = text.strip_prefix(FACTS) {
            facts = Some(serde_json::from_str(json).context("reading the node's facts")?);
        } else if let Some(words) = text.strip_prefix(SAYS) {
            say(&format!("{}: {words}", run.title()));
            if let Some((_, why)) = words.split_once(FAILED) {
                bail!("the node's director failed: {why}");
            }
        } else if !text.is_empty() {
            say(&format!("qemu: {text}"));
        }
        line.clear();
    }
    Ok(facts)
}

/// Waits for the node's end, and brings it about when it takes too long.
fn end_within(child: &mut Child, patience: Duration) -> std::io::Result<()> {
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > patience {
            child.kill()?;
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn command(image: &Image, run: &Run, disks: &Disks<'_>, console: &Path) -> Command {
    let machine = &run.machine;
    let throttle =
        format!("throttling.iops-total={},throttling.bps-total={BYTES_PER_SECOND}", machine.iops);
    let drive = |path: &Path, more: &str| {
        format!("file={},format=raw,if=virtio,cache=unsafe,{more}", path.display())
    };
    let mut words = format!(
        "root=/dev/vda rw console=ttyS0 panic=-1 psi=1 quiet mitigations=off log_buf_len=4M lab.guard={} \
         lab.scenario={} lab.policy={} lab.hold={} lab.rate={} lab.swap={}",
        run.guard,
        run.scenario,
        run.policy.word(),
        run.hold,
        machine.rate,
        run.swap_word()
    );
    if !run.advise.is_empty() {
        words.push_str(&format!(" lab.advise={}", run.advise.join("+")));
    }
    let [kernel, initrd] = image.kernel(machine.kernel);
    // A node must not outlive whoever waits for it.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-display", "none"]);
    command.args(["-accel", "tcg,thread=single", "-cpu", cpu(machine.kernel), "-smp", "1"]);
    command.args(["-icount", &format!("shift={},sleep=on", machine.shift)]);
    command.args(["-m", &machine.mem_mib.to_string(), "-rtc", &format!("base={CLOCK},clock=vm")]);
    command.arg("-kernel").arg(kernel).arg("-initrd").arg(initrd);
    command.args(["-append", &words, "-no-reboot", "-nic", "none"]);
    command.args(["-drive", &drive(&image.disk, &format!("snapshot=on,{throttle}"))]);
    command.args(["-drive", &drive(disks.run, "readonly=on")]);
    command.args(["-drive", &drive(disks.results, "discard=unmap")]);
    if let Some(swap) = disks.swap {
        command.args(["-drive", &drive(swap, &throttle)]);
    }
    command.args(["-serial", &format!("file:{}", console.display()), "-serial", "stdio"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr_to(console));
    command
}

/// The processor. The kernel of the backports (6.12) takes slabs by CMPXCHG16B where the processor has it, and dies
/// within a second of qemu 7.2: by its panic the flags that the instruction left are garbage. Without it, it boots.
const fn cpu(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Stable => "max",
        Kernel::Backports => "max,-cx16",
    }
}

/// Qemu's own complaints stand beside the console's text.
fn stderr_to(console: &Path) -> Stdio {
    File::create(console.with_extension("qemu.log")).map_or_else(|_| Stdio::inherit(), Stdio::from)
}
