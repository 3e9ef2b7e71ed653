//! Answers questions on the guard's socket, on a thread of its own: one client at a time, each within
//! half a second, with nothing that a client does reaching the loop but the wish for a view.

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use headroom_api::guard::{Answer, Request};
use headroom_api::settings::{Change, describe};
use headroom_api::{frame, paths};
use headroom_core::snapshot::ProcessId;
use headroom_sys::peer::{Peer, peer_of};
use headroom_sys::proc::Proc;
use headroom_sys::wait::Bell;
use headroom_sys::{ReadError, own};

use crate::options::Options;
use crate::policy_files::{Loaded, load_policy, uid_of};
use crate::protect::Grants;
use crate::settings_file;
use crate::view::{Shared, View};

/// A client that is slower than this is cut off.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long whoever changed a setting is kept waiting for the loop to go by it.
const RELOAD_PATIENCE: Duration = Duration::from_secs(2);

/// What the socket's thread answers from.
pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bell: Arc<Bell>,
    /// Where /etc/passwd, /proc, the policy and the settings are.
    pub(crate) options: Options,
    /// Nothing is done, and so nobody protected.
    pub(crate) dry_run: bool,
}

/// Starts the server on a socket that is already bound.
pub(crate) fn start(listener: UnixListener, server: Server) -> io::Result<()> {
    thread::Builder::new()
        .name("socket".into())
        .stack_size(256 * 1024)
        .spawn(move || {
            for stream in listener.incoming() {
                match stream {
                    // A client that went away or talks nonsense concerns nobody else.
                    Ok(stream) => drop(server.answer(stream)),
                    // Out of descriptors: wait for some instead of turning round and round.
                    Err(_) => thread::sleep(PATIENCE),
                }
            }
        })
        .map(drop)
}

impl Server {
    fn answer(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let peer = peer_of(&stream).map_err(io::Error::other)?;
        let request: Request = frame::read(&mut stream, frame::REQUEST_CAP)?;
        let answer = match self.shared.ask(PATIENCE, || self.bell.ring()) {
            None => refused("the guard is busy; ask again"),
            Some(view) => self.answer_to(request, &view, &peer),
        };
        frame::write(&mut stream, &answer)
    }

    fn answer_to(&self, request: Request, view: &View, peer: &Peer) -> Answer {
        match request {
            Request::Status => {
                let protected = self.shared.grants.shown(&view.snapshot, &self.users());
                let mut status = view.status(self.shared.incidents(), protected);
                status.next.iter_mut().for_each(|r| hide(&mut r.cmdline, r.uid, peer));
                for verdict in status.incidents.iter_mut().flat_map(|i| &mut i.verdicts) {
                    hide(&mut verdict.cmdline, 0, peer);
                }
                Answer::Status(Box::new(status))
            }
            Request::Rank { zone } => match view.rank(&zone) {
                Some(mut rank) => {
                    rank.rank.iter_mut().for_each(|r| hide(&mut r.cmdline, r.uid, peer));
                    Answer::Rank(rank)
                }
                None => refused(&format!("no zone \"{zone}\"; see headroom status")),
            },
            Request::Settings => {
                let chosen = settings_file::read(&self.options.state_dir).unwrap_or_default();
                Answer::Settings(describe(&view.policy, &chosen, Some(true)))
            }
            Request::Protect { .. } | Request::Unprotect { .. } | Request::Change { .. }
                if !self.may_change(peer) =>
            {
                let why = "only root and the agent may ask the guard for this".into();
                Answer::Forbidden { why }
            }
            Request::Protect { pid, start_ticks, budget_kib } => {
                let id = ProcessId { pid, start_ticks };
                self.protect(id, |grants, proc| grants.give(proc, id, budget_kib))
            }
            Request::Unprotect { pid, start_ticks } => {
                let id = ProcessId { pid, start_ticks };
                self.protect(id, |grants, proc| grants.take_back(proc, &view.snapshot, id))
            }
            Request::Change { change } => self.change(&change),
        }
    }

    /// Changes a protection on this thread: the loop only learns of it.
    fn protect(
        &self,
        id: ProcessId,
        change: impl FnOnce(&Grants, &mut Proc) -> Result<(), ReadError>,
    ) -> Answer {
        if self.dry_run {
            return refused("this guard runs dry: it protects nobody");
        }
        let changed = Proc::open(&self.options.root).and_then(|mut proc| {
            // Only the running kernel's pids are anybody's here.
            if !proc.is_live() {
                return Err(ReadError::Malformed {
                    what: "this /proc is not the running kernel's",
                });
            }
            change(&self.shared.grants, &mut proc)
        });
        match changed {
            Ok(()) => {
                self.shared.note_grants();
                self.bell.ring();
                Answer::Done
            }
            Err(ReadError::Forbidden) => refused(
                "the guard may not lower oom_score_adj here (CAP_SYS_RESOURCE and CAP_DAC_OVERRIDE)",
            ),
            Err(error) => refused(&format!("process {}: {error}", id.pid)),
        }
    }

    /// Changes settings: tried on the policy, kept, then taken over by the loop.
    fn change(&self, change: &Change) -> Answer {
        let Options { root, policy, state_dir, .. } = &self.options;
        let loaded = match load_policy(root, policy.as_deref()) {
            Ok(loaded) => loaded.with_settings(state_dir),
            Err(error) => return refused(&format!("policy: {error}; mend that first")),
        };
        let Loaded { mut chosen, layers, .. } = loaded;
        for (name, value) in change {
            if let Err(why) = chosen.set(name, value.as_deref()) {
                return Answer::Wrong { name: name.clone(), why };
            }
        }
        if let Err((name, why)) = chosen.check_on(&layers) {
            return Answer::Wrong { name, why };
        }
        if let Err(error) = settings_file::write(state_dir, &chosen) {
            return refused(&format!("the settings could not be kept: {error}"));
        }
        self.shared.ask_reload();
        // The view comes after the reload in the loop's turn: what it shows is in force.
        match self.shared.ask(RELOAD_PATIENCE, || self.bell.ring()) {
            Some(view) => Answer::Settings(describe(&view.policy, &chosen, Some(true))),
            None => refused(
                "the settings are kept, and the guard is too busy to say that it goes by them",
            ),
        }
    }

    fn may_change(&self, peer: &Peer) -> bool {
        peer.uid == 0
            || peer.uid == own::own_uid()
            || uid_of(&self.users(), paths::AGENT_USER) == Some(peer.uid)
    }

    fn users(&self) -> String {
        fs::read_to_string(paths::under(&self.options.root, "/etc/passwd")).unwrap_or_default()
    }
}

fn refused(why: &str) -> Answer {
    Answer::Refused { why: why.into() }
}

/// Command lines carry passwords: they are shown to their owner and to root.
fn hide(cmdline: &mut Option<String>, uid: u32, peer: &Peer) {
    if peer.uid != 0 && peer.uid != uid {
        *cmdline = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_the_guards_own_user_and_the_agent_may_ask_for_a_protection() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let users = "root:x:0:0::/:/bin/sh\nheadroom:x:990:990::/:/bin/false\n";
        fs::write(root.path().join("etc/passwd"), users).unwrap();
        let server = Server {
            shared: Arc::default(),
            bell: Arc::new(Bell::new().unwrap()),
            options: Options { root: root.path().into(), ..Options::default() },
            dry_run: false,
        };
        let may = |uid| server.may_change(&Peer { pid: 1, uid, gid: 0 });
        let own = own::own_uid();
        assert!(may(0) && may(990) && may(own));
        assert!(!may(1000) && !may(65_534));
        // Pids of a tree that is not the running kernel's are nobody's.
        let id = ProcessId { pid: 1, start_ticks: 1 };
        let answer = server.protect(id, |_, _| Ok(()));
        assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
    }
}
