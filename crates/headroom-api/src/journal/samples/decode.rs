//! Bytes to samples. Nothing of what is read is believed before its checksum is right, and nothing
//! after that can do more harm than to be left out.

use headroom_core::action::Measured;
use headroom_core::policy::Class;
use headroom_core::sample::{ClassSample, Sample, ZONES, ZoneSample};
use headroom_core::snapshot::{
    CgroupMemory, Comm, CommandLine, Memory, Moment, Pressure, Process, ProcessId, VmCounters,
};
use headroom_core::units::Kib;

use super::body::Take;
use super::encode::{
    CGROUP, ENDING, MEASURED, NEW, PAUSED, PROTECTED, SLAY_FAMILY, VERSION, WORKER,
};
use super::{BLOCK, HEADER, Head, RECORD, checksum};

/// More processes than a block has room for: each takes some ten bytes at the least.
const MOST_KNOWN: usize = BLOCK / 8;

/// The samples of one block.
#[derive(Debug)]
pub struct Blocks<'a> {
    number: u64,
    rest: &'a [u8],
    known: Vec<Option<Process>>,
    /// Records that were torn or corrupt and left out so far.
    pub skipped: u64,
}

impl<'a> Blocks<'a> {
    /// The samples of a block whose head was read already.
    #[must_use]
    pub fn new(head: Head, block: &'a [u8]) -> Self {
        let rest = block.get(HEADER..).unwrap_or_default();
        Self { number: head.number, rest, known: Vec::new(), skipped: 0 }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        loop {
            let (length, after) = self.rest.split_first_chunk()?;
            let length = usize::from(u16::from_le_bytes(*length));
            if length == 0 {
                // A length that was lost to zeros looks like the end; what follows it would not.
                self.skipped += u64::from(after.iter().any(|b| *b != 0));
                self.rest = &[];
                return None;
            }
            let Some(record) = self.rest.get(..RECORD + length) else {
                self.skipped += 1;
                self.rest = &[];
                return None;
            };
            self.rest = &self.rest[RECORD + length..];
            let (sum, body) = (&record[2..RECORD], &record[RECORD..]);
            let is_whole = checksum(self.number, body).to_le_bytes() == sum;
            match is_whole.then(|| sample(&mut Take(body), &mut self.known)).flatten() {
                Some(sample) => return Some(sample),
                None => self.skipped += 1,
            }
        }
    }
}

fn sample(take: &mut Take<'_>, known: &mut Vec<Option<Process>>) -> Option<Sample> {
    if take.number()? != VERSION {
        return None;
    }
    let mut sample = Sample::default();
    sample.unix_ms = take.signed()?;
    sample.at = Moment(take.number()?);
    sample.scanned = Moment(sample.at.0.saturating_sub(take.number()?));
    sample.incident = take.optional()?;
    sample.own_pid = i32::try_from(take.signed()?).ok()?;
    let mut kib = || take.number().map(Kib);
    sample.memory = Memory {
        total: kib()?,
        free: kib()?,
        available: kib()?,
        swap_total: kib()?,
        swap_free: kib()?,
    };
    sample.pressure = pressure(take)?;
    sample.vm = VmCounters {
        oom_kill: take.optional()?,
        refault_file: take.optional()?,
        refault_anon: take.optional()?,
        swap_in: take.optional()?,
        major_faults: take.optional()?,
        scan_direct: take.optional()?,
    };
    for _ in 0..take.small::<usize>().filter(|zones| *zones <= ZONES)? {
        sample.push_zone(zone(take)?);
    }
    for class in &mut sample.classes {
        *class = ClassSample { processes: take.small()?, rss: Kib(take.number()?) };
    }
    sample.processes = take.small()?;
    for _ in 0..take.small::<u8>()? {
        if let Some(process) = process(take, known)? {
            sample.push_top(process);
        }
    }
    Some(sample)
}

fn pressure(take: &mut Take<'_>) -> Option<Option<Pressure>> {
    if take.number()? == 0 {
        return Some(None);
    }
    Some(Some(Pressure {
        some_avg10: take.small()?,
        full_avg10: take.small()?,
        some_total_us: take.number()?,
        full_total_us: take.number()?,
    }))
}

fn zone(take: &mut Take<'_>) -> Option<ZoneSample> {
    let has = take.number()?;
    let mut zone = ZoneSample::default();
    if has & MEASURED != 0 {
        zone.measured = Some(Measured {
            swap_counted: Kib(take.number()?),
            swap_free: Kib(take.number()?),
            limit: Kib(take.number()?),
            available: Kib(take.number()?),
            floor: Kib(take.number()?),
            falling_kib_s: take.number()?,
            kills: take.small()?,
            stall_percent: take.optional()?.map(|s| u8::try_from(s).unwrap_or(u8::MAX)),
            refaults: take.optional()?,
        });
    }
    if has & CGROUP != 0 {
        zone.cgroup = Some(CgroupMemory {
            limit: take.optional()?.map(Kib),
            current: Kib(take.number()?),
            reclaimable: Kib(take.number()?),
            oom_kill: take.optional()?,
            pressure: pressure(take)?,
        });
    }
    Some(zone)
}

/// The outer `None` is a body that ends too early, the inner one a process that was written out in a
/// record which is lost.
fn process(take: &mut Take<'_>, known: &mut Vec<Option<Process>>) -> Option<Option<Process>> {
    let number: usize = take.small()?;
    if number > MOST_KNOWN {
        return None;
    }
    let state = take.number()?;
    if state & NEW != 0 {
        let process = Process {
            id: ProcessId { pid: i32::try_from(take.signed()?).ok()?, start_ticks: take.number()? },
            parent: i32::try_from(take.signed()?).ok()?,
            uid: take.small()?,
            class: *Class::ALL.get(take.small::<usize>()?)?,
            zones: take.small()?,
            family: take.number()?,
            ..Process::default()
        };
        let is = take.number()?;
        let process = Process {
            slay_family: is & SLAY_FAMILY != 0,
            is_worker: is & WORKER != 0,
            protected: is & PROTECTED != 0,
            comm: Comm::new(take.bytes()?),
            command: CommandLine::new(take.bytes()?),
            ..process
        };
        if known.len() <= number {
            known.resize(number + 1, None);
        }
        known[number] = Some(process);
    }
    let (rss, gives_back) = (Kib(take.number()?), Kib(take.number()?));
    let adj = take.optional()?.and_then(|adj| i64::try_from(adj).ok());
    let oom_score_adj = adj.and_then(|adj| i16::try_from(adj - 1000).ok());
    Some(known.get(number).copied().flatten().map(|process| Process {
        ending: state & ENDING != 0,
        paused: state & PAUSED != 0,
        rss,
        gives_back,
        oom_score_adj,
        ..process
    }))
}
