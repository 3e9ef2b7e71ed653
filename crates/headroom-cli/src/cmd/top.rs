//! `headroom top`: the same as `status`, live.
//!
//! The screen is the text of `status`, drawn anew: there is nothing to lay out that is not laid out
//! there, and a command that is run when memory is short should take little of it. So no toolkit.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use headroom_api::exit::Exit;
use headroom_sys::signals::Signals;
use headroom_sys::wait::{Interest, Waiter};
use rustix::termios::{self, OptionalActions, Termios};

use super::status::{current, screen as screen_of};
use crate::print;
use crate::print::screen::{Screen, frame};

/// What `top` takes.
#[derive(Args, Debug)]
#[command(after_help = "Keys: q ends it, the space bar looks at once.
On a terminal that knows no cursor (TERM=dumb) the screens follow one another; into a pipe or a file \
one is written.

Examples:
  headroom top
  headroom top --interval 0.5
  headroom top > now.txt        one screen, as headroom status")]
pub(crate) struct TopArgs {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = interval)]
    interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_string())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if (0.1..=3600.0).contains(&seconds) => Ok(time),
        _ => Err("from 0.1 to 3600 seconds".into()),
    }
}

const SIGNAL: u64 = 0;
const KEY: u64 = 1;

/// Why the loop went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// To look again.
    Look,
    /// To end.
    Quit,
}

/// Draws until somebody has seen enough.
pub(crate) fn run(args: &TopArgs) -> Exit {
    if !io::stdout().is_terminal() {
        return match current() {
            Ok(status) => print::result(&print::status::status(&status)),
            Err(exit) => exit,
        };
    }
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    match live(args.interval, dumb) {
        Ok(()) => Exit::Done,
        // The terminal was closed.
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe) => Exit::Done,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
            Exit::Done
        }
        Err(error) => print::failed(&format!("the terminal: {error}")),
    }
}

fn live(interval: Duration, dumb: bool) -> io::Result<()> {
    let signals = Signals::block().map_err(io::Error::other)?;
    let mut waiter = Waiter::new(4).map_err(io::Error::other)?;
    waiter.add(&signals, Interest::Readable, SIGNAL).map_err(io::Error::other)?;
    // From a file or from nowhere no key will come.
    let keys = Keys::listen()?;
    if keys.is_some() {
        waiter.add(io::stdin(), Interest::Readable, KEY).map_err(io::Error::other)?;
    }
    let screen = Screen::open(dumb)?;
    loop {
        let text = match current() {
            Ok(status) => screen_of(&status, !dumb && print::colour::is_on()),
            // It was said already; the next look may find it otherwise.
            Err(_) => "Nothing to show just now; it is tried again.\n".into(),
        };
        let hint = if keys.is_some() { "q ends" } else { "Ctrl-C ends" };
        let size = termios::tcgetwinsize(io::stdout()).ok();
        let size = size.map_or((80, 24), |s| (usize::from(s.ws_col), usize::from(s.ws_row)));
        screen.draw(&frame(&text, hint, size, dumb))?;
        if wait(&mut waiter, interval)? == Woken::Quit {
            return Ok(());
        }
    }
}

fn wait(waiter: &mut Waiter, interval: Duration) -> io::Result<Woken> {
    let ready: Vec<u64> =
        waiter.wait(Some(interval)).map_err(io::Error::other)?.map(|r| r.token).collect();
    if ready.contains(&SIGNAL) {
        return Ok(Woken::Quit);
    }
    if ready.contains(&KEY) {
        let mut keys = [0; 64];
        let read = rustix::io::read(io::stdin(), &mut keys)?;
        // Nothing to read is the end of a terminal. Ctrl-C and Ctrl-D arrive as keys.
        let ends = |key: &u8| matches!(key, b'q' | b'Q' | 3 | 4);
        if read == 0 || keys[..read].iter().any(ends) {
            return Ok(Woken::Quit);
        }
    }
    Ok(Woken::Look)
}

/// Keys are taken as they are pressed; the terminal is given back as it was.
struct Keys(Termios);

impl Keys {
    fn listen() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let before = termios::tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.local_modes -= termios::LocalModes::ICANON | termios::LocalModes::ECHO;
        raw.local_modes -= termios::LocalModes::ISIG;
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Some(Self(before)))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // Gone with its terminal, there is nothing to give back.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        let _ = io::stdout().flush();
    }
}
