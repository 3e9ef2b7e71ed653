//! The rules alone, the rules in made-up histories, a real MariaDB, and a real MySQL where there is one.

mod histories;
mod mysql8;
mod real;
mod rules;

pub(super) use real::{Bed, Client};

use headroom_core::snapshot::{Moment, ProcessId};

use super::past::Stop;

/// That many milliseconds after the boot.
const fn at(ms: u64) -> Moment {
    Moment(ms * 1_000_000)
}

const fn process(pid: i32) -> ProcessId {
    ProcessId { pid, start_ticks: 7 }
}

const fn stopped(pid: i32, ms: u64) -> Stop {
    Stop { id: process(pid), since: at(ms), still: at(ms), threads: None }
}
