//! Answers questions on the guard's socket, on a thread of its own: one client at a time, each within
//! half a second, with nothing that a client does reaching the loop but the wish for a view.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use headroom_api::frame;
use headroom_api::guard::{Answer, Request};
use headroom_sys::peer::{Peer, peer_of};
use headroom_sys::wait::Bell;

use crate::view::Shared;

/// A client that is slower than this is cut off.
const PATIENCE: Duration = Duration::from_millis(500);

/// Starts the server on a socket that is already bound.
pub(crate) fn start(
    listener: UnixListener,
    shared: Arc<Shared>,
    bell: Arc<Bell>,
) -> io::Result<()> {
    thread::Builder::new()
        .name("socket".into())
        .stack_size(256 * 1024)
        .spawn(move || {
            for stream in listener.incoming() {
                match stream {
                    // A client that went away or talks nonsense concerns nobody else.
                    Ok(stream) => drop(answer(stream, &shared, &bell)),
                    // Out of descriptors: wait for some instead of turning round and round.
                    Err(_) => thread::sleep(PATIENCE),
                }
            }
        })
        .map(drop)
}

fn answer(mut stream: UnixStream, shared: &Shared, bell: &Bell) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let peer = peer_of(&stream).map_err(io::Error::other)?;
    let request: Request = frame::read(&mut stream, frame::REQUEST_CAP)?;
    let answer = match shared.ask(PATIENCE, || bell.ring()) {
        None => Answer::Refused { why: "the guard is busy; ask again".into() },
        Some(view) => match request {
            Request::Status => {
                let mut status = view.status(shared.incidents());
                status.next.iter_mut().for_each(|r| hide(&mut r.cmdline, r.uid, &peer));
                for verdict in status.incidents.iter_mut().flat_map(|i| &mut i.verdicts) {
                    hide(&mut verdict.cmdline, 0, &peer);
                }
                Answer::Status(Box::new(status))
            }
            Request::Rank { zone } => match view.rank(&zone) {
                Some(mut rank) => {
                    rank.rank.iter_mut().for_each(|r| hide(&mut r.cmdline, r.uid, &peer));
                    Answer::Rank(rank)
                }
                None => Answer::Refused { why: format!("no zone \"{zone}\"; see headroom status") },
            },
        },
    };
    frame::write(&mut stream, &answer)
}

/// Command lines carry passwords: they are shown to their owner and to root.
fn hide(cmdline: &mut Option<String>, uid: u32, peer: &Peer) {
    if peer.uid != 0 && peer.uid != uid {
        *cmdline = None;
    }
}
