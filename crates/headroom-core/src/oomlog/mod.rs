//! Reads the kernel's OOM reports out of log lines, whatever logger wrote them; never fails.
//!
//! A [`Parser`] is fed one line at a time and yields finished [`Event`]s. The layers, each in its
//! own file and each ignorant of the next:
//!
//! 1. [`prefix`] peels off what the logger put before the kernel's text, and keeps the time stamp;
//!    (`foreign` learns those of loggers this parser does not know);
//! 2. `rejoin` puts lines together again that a mail client or a terminal had wrapped;
//! 3. [`message`] says what one kernel line means (`mm/oom_kill.c`, `mm/show_mem.c`,
//!    `mm/memcontrol.c`, kernels 2.6.32 to 6.18), and knows the kill lines of user space's killers;
//! 4. `assemble` puts the messages together into events: cut at either end, interleaved, pasted
//!    twice, with other sources' lines between.
//!
//! A line that is none of ours costs little, and [`needles`] finds the lines that are worth feeding
//! at the speed of a plain search.

mod assemble;
mod event;
mod foreign;
pub mod message;
pub mod needles;
pub mod prefix;
mod rejoin;
pub(crate) mod scan;

pub use assemble::{Counts, Parser};
pub use event::{
    Constraint, Ending, Event, Evidence, Invoker, Killer, MemInfo, Memcg, Part, Position, Stamp,
    Task, Usage, Victim, Wall, Zone,
};
