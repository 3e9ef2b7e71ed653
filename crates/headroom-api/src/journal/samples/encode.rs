//! Samples to bytes, a block at a time.

use headroom_core::action::Measured;
use headroom_core::sample::{Sample, ZoneSample};
use headroom_core::snapshot::{CgroupMemory, Pressure, Process, VmCounters};

use super::body::Put;
use super::{BLOCK, HEADER, Head, RECORD, checksum};

/// The version of a record's body.
pub(super) const VERSION: u64 = 1;
/// Bits of what stands in a zone.
pub(super) const MEASURED: u64 = 1;
pub(super) const CGROUP: u64 = 2;
/// Bits of a process's state.
pub(super) const ENDING: u64 = 1;
pub(super) const PAUSED: u64 = 2;
/// It is written out in full here, for the first time in its block.
pub(super) const NEW: u64 = 4;
/// Bits of what a process is for as long as it lives.
pub(super) const SLAY_FAMILY: u64 = 1;
pub(super) const WORKER: u64 = 2;
pub(super) const PROTECTED: u64 = 4;

/// Where the bytes belong that [`Encoder::encode`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// They are a whole new block, zeros at its end included.
    Block,
    /// They go into the present block, this far from its beginning.
    Within(usize),
}

/// Packs samples one after another. Allocates nothing once its buffers have their size.
#[derive(Debug)]
pub struct Encoder {
    head: Head,
    filled: usize,
    /// Processes that the present block has in full, by the numbers it has for them.
    known: Vec<Process>,
    body: Vec<u8>,
    bytes: Vec<u8>,
}

impl Encoder {
    /// An encoder whose first block will be the one after `last`.
    #[must_use]
    pub fn after(last: u64) -> Self {
        Self {
            head: Head { number: last, unix_ms: 0 },
            // Full, so that the first sample begins a block.
            filled: BLOCK,
            known: Vec::with_capacity(256),
            body: Vec::with_capacity(BLOCK / 2),
            bytes: Vec::with_capacity(BLOCK),
        }
    }

    /// The number of the block that was written to last.
    #[must_use]
    pub const fn block(&self) -> u64 {
        self.head.number
    }

    /// The bytes that were made last.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes the bytes to write for this sample, and says where they belong.
    pub fn encode(&mut self, sample: &Sample) -> Place {
        let known = self.known.len();
        self.put_body(sample);
        self.bytes.clear();
        if self.filled + RECORD + self.body.len() <= BLOCK {
            let at = self.filled;
            self.put_record();
            return Place::Within(at);
        }
        self.known.truncate(known);
        self.begin(sample.unix_ms);
        self.put_body(sample);
        self.put_record();
        self.bytes.resize(BLOCK, 0);
        Place::Block
    }

    /// What was encoded last did not get to the disk: the next sample begins a block.
    pub fn give_up_block(&mut self) {
        self.filled = BLOCK;
    }

    fn begin(&mut self, unix_ms: i64) {
        self.head = Head { number: self.head.number + 1, unix_ms };
        self.known.clear();
        self.bytes.extend_from_slice(&self.head.encode());
        self.filled = HEADER;
    }

    fn put_record(&mut self) {
        let sum = checksum(self.head.number, &self.body);
        let length = u16::try_from(self.body.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(&sum.to_le_bytes());
        self.bytes.extend_from_slice(&self.body);
        self.filled += RECORD + self.body.len();
    }

    fn put_body(&mut self, sample: &Sample) {
        let Self { body, known, .. } = self;
        body.clear();
        body.put(VERSION);
        body.put_signed(sample.unix_ms);
        body.put(sample.at.0);
        body.put(sample.at.0.saturating_sub(sample.scanned.0));
        body.put_optional(sample.incident);
        body.put_signed(i64::from(sample.own_pid));
        let memory = &sample.memory;
        let parts =
            [memory.total, memory.free, memory.available, memory.swap_total, memory.swap_free];
        parts.iter().for_each(|kib| body.put(kib.0));
        pressure(body, sample.pressure);
        counters(body, &sample.vm);
        body.put(sample.zones().len() as u64);
        sample.zones().iter().for_each(|zone| self::zone(body, zone));
        for class in &sample.classes {
            body.put(u64::from(class.processes));
            body.put(class.rss.0);
        }
        body.put(u64::from(sample.processes));
        body.put(sample.top().len() as u64);
        sample.top().iter().for_each(|process| self::process(body, known, process));
    }
}

fn pressure(body: &mut Vec<u8>, pressure: Option<Pressure>) {
    body.put(u64::from(pressure.is_some()));
    if let Some(p) = pressure {
        body.put(u64::from(p.some_avg10));
        body.put(u64::from(p.full_avg10));
        body.put(p.some_total_us);
        body.put(p.full_total_us);
    }
}

fn counters(body: &mut Vec<u8>, vm: &VmCounters) {
    let all = [
        vm.oom_kill,
        vm.refault_file,
        vm.refault_anon,
        vm.swap_in,
        vm.major_faults,
        vm.scan_direct,
    ];
    all.iter().for_each(|counter| body.put_optional(*counter));
}

fn zone(body: &mut Vec<u8>, zone: &ZoneSample) {
    let measured = if zone.measured.is_some() { MEASURED } else { 0 };
    body.put(measured | if zone.cgroup.is_some() { CGROUP } else { 0 });
    if let Some(m) = &zone.measured {
        let Measured { limit, available, swap_counted, swap_free, .. } = *m;
        let Measured { floor, falling_kib_s, kills, stall_percent, refaults, .. } = *m;
        body.put(swap_counted.0);
        body.put(swap_free.0);
        [limit.0, available.0, floor.0, falling_kib_s].iter().for_each(|n| body.put(*n));
        body.put(u64::from(kills));
        body.put_optional(stall_percent.map(u64::from));
        body.put_optional(refaults);
    }
    if let Some(c) = &zone.cgroup {
        let CgroupMemory { limit, current, reclaimable, oom_kill, pressure: stalled } = *c;
        body.put_optional(limit.map(|limit| limit.0));
        body.put(current.0);
        body.put(reclaimable.0);
        body.put_optional(oom_kill);
        pressure(body, stalled);
    }
}

fn process(body: &mut Vec<u8>, known: &mut Vec<Process>, process: &Process) {
    let number = known.iter().position(|k| is_same(k, process));
    body.put(number.unwrap_or(known.len()) as u64);
    let flag = |is: bool, bit: u64| if is { bit } else { 0 };
    body.put(
        flag(process.ending, ENDING) | flag(process.paused, PAUSED) | flag(number.is_none(), NEW),
    );
    if number.is_none() {
        known.push(*process);
        body.put_signed(i64::from(process.id.pid));
        body.put(process.id.start_ticks);
        body.put_signed(i64::from(process.parent));
        body.put(u64::from(process.uid));
        body.put(process.class as u64);
        body.put(u64::from(process.zones));
        body.put(process.family);
        body.put(
            flag(process.slay_family, SLAY_FAMILY)
                | flag(process.is_worker, WORKER)
                | flag(process.protected, PROTECTED),
        );
        body.put_bytes(process.comm.as_bytes());
        body.put_bytes(process.command.as_bytes());
    }
    body.put(process.rss.0);
    body.put(process.gives_back.0);
    body.put_optional(
        process.oom_score_adj.and_then(|adj| u64::try_from(i32::from(adj) + 1000).ok()),
    );
}

/// Whether all that is written only once about a process is the same.
fn is_same(one: &Process, other: &Process) -> bool {
    let who = |p: &Process| (p.id, p.parent, p.uid, p.comm, p.command);
    let what = |p: &Process| (p.class, p.zones, p.family, p.slay_family, p.is_worker, p.protected);
    who(one) == who(other) && what(one) == what(other)
}
