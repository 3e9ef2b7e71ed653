//! Rings of samples: written, torn, and read again.

use std::io::Write;

use headroom_core::action::Measured;
use headroom_core::cgroup::Cgroup;
use headroom_core::policy::Class;
use headroom_core::sample::ZoneSample;
use headroom_core::snapshot::{
    CgroupMemory, Comm, CommandLine, Memory, Moment, Pipes, Pressure, Process, ProcessId,
    VmCounters,
};
use headroom_core::units::Kib;

use super::*;

/// A sample in which nothing is what it is by default.
fn sample(n: u64) -> Sample {
    let pressure = Pressure { some_avg10: 1234, full_avg10: 7, some_total_us: n, full_total_us: 3 };
    let mut sample = Sample::default();
    sample.unix_ms = 1_700_000_000_000 + i64::try_from(n).unwrap() * 100;
    sample.at = Moment(5_000_000_000 + n * 100_000_000);
    sample.scanned = Moment(4_990_000_000 + n * 100_000_000);
    sample.incident = n.is_multiple_of(2).then_some(n);
    sample.own_pid = 77;
    sample.memory = Memory {
        total: Kib(1_310_720),
        free: Kib(n),
        available: Kib(400_000 - n),
        swap_total: Kib(1),
        swap_free: Kib(0),
    };
    sample.pressure = Some(pressure);
    sample.vm = VmCounters { oom_kill: Some(0), refault_file: Some(n), ..VmCounters::default() };
    sample.processes = 120;
    sample.push_zone(ZoneSample {
        measured: Some(Measured {
            limit: Kib(1_310_720),
            available: Kib(400_000 - n),
            swap_counted: Kib(5),
            swap_free: Kib(6),
            floor: Kib(131_072),
            falling_kib_s: 20_000,
            kills: 1,
            stall_percent: Some(40),
            refaults: None,
        }),
        cgroup: None,
    });
    let cgroup = CgroupMemory {
        limit: None,
        current: Kib(9),
        reclaimable: Kib(8),
        oom_kill: Some(2),
        pressure: None,
    };
    sample.push_zone(ZoneSample { measured: None, cgroup: Some(cgroup) });
    for pid in 1..=20 {
        sample.push_top(Process {
            id: ProcessId { pid: pid * 10, start_ticks: 500_000 },
            parent: 1,
            uid: 1000,
            comm: Comm::new(b"php"),
            command: CommandLine::new(b"/usr/bin/php8.2 bin/magento indexer:reindex --all"),
            class: Class::ALL[usize::try_from(pid % 4).unwrap()],
            rss: Kib(100_000 + n),
            gives_back: Kib(90_000 + n),
            oom_score_adj: (pid % 3 != 0).then_some(-999),
            ending: pid == 4,
            paused: pid == 5,
            zones: 1,
            family: 0x0123_4567_89ab_cdef,
            slay_family: pid == 6,
            is_worker: pid == 7,
            protected: pid == 8,
            rule: None,
            // Not kept: what only the moment's decision goes by.
            asked_to_end: false,
            cgroup: Cgroup::default(),
            pipes: Pipes::default(),
            in_foreground: false,
        });
    }
    sample
}

/// A file as the guard's writer makes it: `blocks` places, taken in turn.
fn write(samples: impl Iterator<Item = Sample>, blocks: u64) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut bytes = vec![0; usize::try_from(blocks).unwrap() * BLOCK];
    let mut encoder = Encoder::after(0);
    for sample in samples {
        let place = encoder.encode(&sample);
        let new = encoder.bytes();
        let block = usize::try_from((encoder.block() - 1) % blocks).unwrap();
        let at = block * BLOCK + if let Place::Within(at) = place { at } else { 0 };
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    file.as_file().write_all(&bytes).unwrap();
    file
}

fn read_all(path: &Path, since_ms: i64) -> (Vec<Sample>, Extent) {
    let mut samples = Vec::new();
    let extent = read(path, since_ms, &mut |s| samples.push(*s)).unwrap();
    (samples, extent)
}

#[test]
fn samples_come_back_as_they_were_and_take_little_room() {
    let file = write((0..100).map(sample), 8);
    let (samples, extent) = read_all(file.path(), 0);
    assert_eq!(samples, (0..100).map(sample).collect::<Vec<_>>());
    assert_eq!((extent.samples, extent.skipped), (100, 0));
    assert_eq!(extent.oldest_ms, Some(sample(0).unix_ms));
    assert_eq!(extent.newest_ms, Some(sample(99).unix_ms));
    let bytes = std::fs::read(file.path()).unwrap();
    let used = bytes.chunks(BLOCK).filter(|block| block.iter().any(|b| *b != 0)).count();
    assert!(used <= 3, "100 samples of 20 processes each in {used} blocks of 16 KiB");
}

#[test]
fn a_full_ring_holds_the_newest_and_the_order_is_that_of_the_blocks() {
    let file = write((0..2000).map(sample), 4);
    let (samples, extent) = read_all(file.path(), 0);
    assert_eq!(samples.last(), Some(&sample(1999)));
    assert!(samples.is_sorted_by_key(|s| s.at), "in their order");
    assert_eq!((samples.len() > 100, extent.skipped), (true, 0));
    let since = sample(1990).unix_ms;
    assert_eq!(read_all(file.path(), since).0, (1990..2000).map(sample).collect::<Vec<_>>());
}

#[test]
fn any_flipped_byte_costs_what_it_stands_in_and_is_counted() {
    let file = write((0..40).map(sample), 1);
    let whole = std::fs::read(file.path()).unwrap();
    let end = whole.iter().rposition(|b| *b != 0).unwrap();
    for at in (0..=end).step_by(53) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        std::fs::write(file.path(), &bytes).unwrap();
        let (samples, extent) = read_all(file.path(), 0);
        assert!(extent.skipped > 0, "byte {at}");
        for read in samples {
            let n = read.vm.refault_file.unwrap();
            let original = sample(n);
            // A process that was written out in the lost record is left out and never mistaken.
            assert!(read.top().iter().all(|p| original.top().contains(p)), "byte {at}");
            assert_eq!((read.at, read.zones()), (original.at, original.zones()), "byte {at}");
        }
    }
}

#[test]
fn a_write_that_was_cut_anywhere_costs_that_record_alone() {
    let file = write((0..20).map(sample), 1);
    let before = std::fs::read(file.path()).unwrap();
    let after = std::fs::read(write((0..21).map(sample), 1).path()).unwrap();
    let from = before.iter().zip(&after).position(|(a, b)| a != b).unwrap();
    let to = after.iter().rposition(|b| *b != 0).unwrap();
    for cut in from..=to {
        let torn = [&after[..cut], &before[cut..]].concat();
        std::fs::write(file.path(), torn).unwrap();
        let (samples, extent) = read_all(file.path(), 0);
        assert_eq!(samples, (0..20).map(sample).collect::<Vec<_>>(), "cut at {cut}");
        assert!(extent.skipped <= 1, "cut at {cut}");
    }
}

#[test]
fn what_an_older_block_left_behind_is_not_believed() {
    let (old, new) = (write((0..40).map(sample), 1), write((500..501).map(sample), 1));
    let (mut old, new) = (std::fs::read(old.path()).unwrap(), std::fs::read(new.path()).unwrap());
    // The power went while the new block was written over the old one, which had an earlier number.
    let head = Head { number: 9, unix_ms: 1 };
    let length = usize::from(u16::from_le_bytes([new[HEADER], new[HEADER + 1]])) + RECORD;
    old[..HEADER].copy_from_slice(&head.encode());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &old).unwrap();
    let (samples, extent) = read_all(file.path(), 0);
    assert_eq!((samples.len(), extent.skipped > 0), (0, true), "{length}");
}

#[test]
fn rubbish_is_counted_and_does_no_harm() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for fill in [0x00, 0x01, 0x48, 0xa5, 0xff] {
        std::fs::write(file.path(), vec![fill; 3 * BLOCK + 100]).unwrap();
        let (samples, extent) = read_all(file.path(), 0);
        assert_eq!((samples.len(), extent.skipped), (0, if fill == 0 { 0 } else { 4 }), "{fill}");
    }
    // Bodies that check and say nonsense.
    for seed in 0..2000_u32 {
        let body: Vec<u8> = (0..seed % 200)
            .map(|n| if n == 0 { 1 } else { (seed * 31 + n * n * 7).to_le_bytes()[0] })
            .collect();
        let head = Head { number: 1, unix_ms: 0 };
        let mut block = head.encode().to_vec();
        block.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
        block.extend(checksum(1, &body).to_le_bytes());
        block.extend(&body);
        block.resize(BLOCK, 0);
        let _ = Blocks::new(head, &block).count();
    }
}

#[test]
fn a_ring_that_is_not_there_is_said() {
    let error = read(Path::new("/nonexistent/samples"), 0, &mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
