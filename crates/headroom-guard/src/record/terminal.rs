//! One line on the terminal of whoever waits for a paused job: it has not failed, it waits. Told by the
//! journal's thread, never by the loop, and once for each job in an incident.

use std::path::Path;

use headroom_core::action::{Action, Relief, Verdict};
use headroom_core::policy::Policy;
use headroom_core::snapshot::ProcessId;
use headroom_core::words::relief::Waits;
use headroom_sys::proc::Proc;
use headroom_sys::terminal::{pseudo_terminal, write_line};

/// So many are remembered.
const MOST: usize = 128;

/// Who was told.
#[derive(Debug, Default)]
pub(super) struct Terminals {
    told: Vec<ProcessId>,
}

impl Terminals {
    pub(super) fn happened(&mut self, action: &Action, policy: &Policy) {
        match action {
            Action::Close { .. } => self.told.clear(),
            Action::Relieve(Verdict { relief: Relief::Pause { .. }, process: Some(p), .. }) => {
                if self.told.contains(&p.id) || self.told.len() >= MOST {
                    return;
                }
                self.told.push(p.id);
                let limit = policy.thresholds().pause_limit.0;
                if let Some(number) = terminal_of(p.id) {
                    // Who has closed it or does not read has no use for it.
                    let _ = write_line(number, &Waits { process: p, at_most: limit }.to_string());
                }
            }
            _ => {}
        }
    }
}

fn terminal_of(id: ProcessId) -> Option<u32> {
    let stat = Proc::open(Path::new("/")).ok()?.stat(id.pid).ok()?;
    (stat.start_ticks == id.start_ticks).then(|| pseudo_terminal(stat.tty)).flatten()
}
