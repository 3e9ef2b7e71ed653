//! The probe: asks the shop for its page at a fixed rate, whatever the answers are (an open loop).
//!
//! It stands for visitors outside, but must take its times by the node's own clock, so it runs inside.
//! To be no part of what it measures it is locked in memory, scheduled in real time by whoever starts it,
//! and allocates nothing between its start and its report. It also keeps an eye on how long memory is short.

use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use lab_facts::ProbeFacts;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::window::{Sample, TIMEOUT, window};
use crate::{Outcome, clock, http, results};

/// Where the report goes, for the director.
pub(crate) const REPORT: &str = "/run/lab/probe.json";
/// Questions under way at once: more than the rate times the time limit.
const SLOTS: usize = 256;
/// Answers kept: an hour at two a second.
const SAMPLES: usize = 8192;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Memory counts as short below this share of it all.
const SHORT_SHARE: u64 = 20;

/// One question under way.
#[derive(Default)]
struct Slot {
    socket: Option<OwnedFd>,
    start: Duration,
    sent: bool,
    status: Option<bool>,
}

struct Probe {
    epoll: OwnedFd,
    request: Vec<u8>,
    slots: Vec<Slot>,
    samples: Vec<Sample>,
    buffer: Vec<u8>,
}

/// `probe RATE FROM_NS STORM_NS UNTIL_NS`, times since boot.
pub(crate) fn run(rate: &str, from: &str, storm: &str, until: &str) -> Outcome {
    let interval = Duration::from_secs_f64(1.0 / rate.parse::<f64>()?);
    let [from, storm, until] = [from, storm, until].map(|ns| ns.parse().map(Duration::from_nanos));
    let (from, storm, until) = (from?, storm?, until?);
    let mut probe = Probe::new()?;
    let mut memory = Memory::open(storm)?;
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)?;

    clock::sleep_until(from);
    let mut next = from;
    loop {
        let now = clock::now();
        if now >= until + TIMEOUT + LOOK {
            break;
        }
        if now >= next && now < until {
            probe.ask(now);
            next += interval;
        }
        probe.give_up(now);
        memory.look(now);
        let wake = if now < until { next.min(memory.next) } else { now + LOOK };
        probe.serve(wake.saturating_sub(clock::now()))?;
    }

    let facts = ProbeFacts {
        base: window(&probe.samples, from, storm),
        storm: window(&probe.samples, storm, until),
        least_available_kib: memory.least_kib,
        short_ms: memory.longest.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
    };
    results::keep("probe.csv", &samples_as_csv(&probe.samples, storm));
    fs::write(REPORT, serde_json::to_vec(&facts)?)?;
    Ok(())
}

impl Probe {
    fn new() -> Outcome<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            request: http::request(http::SHOP_PAGE).into_bytes(),
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            samples: Vec::with_capacity(SAMPLES),
            buffer: vec![0; 64 << 10],
        })
    }

    /// Asks one question more. Without a free slot or a socket it counts as unanswered at once.
    fn ask(&mut self, now: Duration) {
        let free = self.slots.iter().position(|slot| slot.socket.is_none());
        if free.and_then(|index| self.connect(index, now)).is_none() {
            self.keep(Sample { start: now, took: Duration::ZERO, answered: false });
        }
    }

    fn connect(&mut self, index: usize, now: Duration) -> Option<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).ok()?;
        match net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, http::SHOP_PORT)) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(_) => return None,
        }
        let data = epoll::EventData::new_u64(u64::try_from(index).ok()?);
        let events = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &socket, data, events).ok()?;
        self.slots[index] = Slot { socket: Some(socket), start: now, sent: false, status: None };
        Some(())
    }

    /// Waits for answers, at most `time`, and takes what has come.
    fn serve(&mut self, time: Duration) -> Outcome {
        let timeout = Timespec::try_from(time)?;
        let mut room = [MaybeUninit::uninit(); 64];
        let (events, _) = match epoll::wait(&self.epoll, &mut room, Some(&timeout)) {
            Ok(events) => events,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for event in events {
            self.advance(usize::try_from(event.data.u64())?, event.flags);
        }
        Ok(())
    }

    /// Sends the question once the connection stands, and reads what there is of the answer.
    fn advance(&mut self, index: usize, flags: epoll::EventFlags) {
        let slot = &mut self.slots[index];
        let Some(socket) = &slot.socket else { return };
        if !slot.sent && flags.contains(epoll::EventFlags::OUT) {
            if net::send(socket, &self.request, SendFlags::NOSIGNAL).is_err() {
                return self.finish(index, false);
            }
            slot.sent = true;
        }
        loop {
            match net::recv(socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => {
                    let answered = slot.status == Some(true);
                    return self.finish(index, answered);
                }
                Ok((length, _)) => {
                    let head = &self.buffer[..length];
                    slot.status.get_or_insert(head.get(8..12) == Some(b" 200"));
                }
                Err(Errno::AGAIN) => return,
                Err(_) => return self.finish(index, false),
            }
        }
    }

    fn give_up(&mut self, now: Duration) {
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if slot.socket.is_some() && now.saturating_sub(slot.start) > TIMEOUT {
                self.finish(index, false);
            }
        }
    }

    fn finish(&mut self, index: usize, answered: bool) {
        let slot = &mut self.slots[index];
        // Closing takes the socket out of the epoll set as well.
        slot.socket = None;
        let start = slot.start;
        self.keep(Sample { start, took: clock::now().saturating_sub(start), answered });
    }

    fn keep(&mut self, sample: Sample) {
        if self.samples.len() < self.samples.capacity() {
            self.samples.push(sample);
        }
    }
}

/// How much memory is available, and for how long it was short in the storm.
struct Memory {
    meminfo: File,
    buffer: Vec<u8>,
    storm: Duration,
    next: Duration,
    mark_kib: u64,
    least_kib: u64,
    since: Option<Duration>,
    longest: Option<Duration>,
}

impl Memory {
    fn open(storm: Duration) -> Outcome<Self> {
        let meminfo = File::open("/proc/meminfo")?;
        let mut memory = Self {
            meminfo,
            buffer: vec![0; 4096],
            storm,
            next: Duration::ZERO,
            mark_kib: 0,
            least_kib: u64::MAX,
            since: None,
            longest: None,
        };
        let total = memory.read(b"MemTotal:").ok_or("/proc/meminfo has no MemTotal")?;
        memory.mark_kib = total / SHORT_SHARE;
        Ok(memory)
    }

    fn look(&mut self, now: Duration) {
        if now < self.next {
            return;
        }
        self.next = now + LOOK;
        let Some(available) = self.read(b"MemAvailable:").filter(|_| now >= self.storm) else {
            return;
        };
        self.least_kib = self.least_kib.min(available);
        if available < self.mark_kib {
            let lasted = now.saturating_sub(*self.since.get_or_insert(now));
            self.longest = Some(self.longest.unwrap_or_default().max(lasted + LOOK));
        } else {
            self.since = None;
        }
    }

    fn read(&mut self, field: &[u8]) -> Option<u64> {
        let length = self.meminfo.read_at(&mut self.buffer, 0).ok()?;
        value_kib(&self.buffer[..length], field)
    }
}

/// The value of one field of /proc/meminfo.
fn value_kib(meminfo: &[u8], field: &[u8]) -> Option<u64> {
    let line = meminfo.split(|byte| *byte == b'\n').find(|line| line.starts_with(field))?;
    let digits = line.iter().filter(|byte| byte.is_ascii_digit());
    digits.map(|digit| u64::from(digit - b'0')).reduce(|value, digit| value * 10 + digit)
}

/// Each answer in a row of its own, times relative to the storm, for whoever wants to draw it.
fn samples_as_csv(samples: &[Sample], storm: Duration) -> String {
    let mut csv = String::from("start_s,took_ms,answered\n");
    for sample in samples {
        let start = sample.start.as_secs_f64() - storm.as_secs_f64();
        let took = sample.took.as_secs_f64() * 1e3;
        csv.push_str(&format!("{start:.3},{took:.1},{}\n", u8::from(sample.answered)));
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_meminfo_is_found_by_its_whole_name() {
        let text = b"MemTotal:        1269168 kB\nMemFree:           80000 kB\nMemAvailable:     700123 kB\n";
        assert_eq!(value_kib(text, b"MemAvailable:"), Some(700_123));
        assert_eq!(value_kib(text, b"SwapFree:"), None);
    }
}
