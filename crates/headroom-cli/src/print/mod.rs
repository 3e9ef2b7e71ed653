//! The one room that prints: text for people, JSON for programs, problems on standard error.

#![expect(clippy::print_stderr, reason = "this room is where printing is done")]

pub(crate) mod colour;
pub(crate) mod history;
pub(crate) mod json;
pub(crate) mod notify;
pub(crate) mod policy;
pub(crate) mod release;
pub(crate) mod replay;
pub(crate) mod screen;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod status;
mod table;
pub(crate) mod text;

use std::borrow::Cow;
use std::io::{self, Write};

use clap::error::ErrorKind;
use headroom_api::exit::Exit;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For scripts, as the contract fixes it
    Json,
}

/// Says what went wrong, on standard error.
pub(crate) fn problem(text: &str) {
    eprintln!("headroom: {}", harmless(text));
}

/// Says what went wrong in another program's words, without this one's name.
pub(crate) fn bare_problem(text: &str) {
    eprintln!("{text}");
}

/// Says why something failed.
pub(crate) fn failed(text: &str) -> Exit {
    problem(text);
    Exit::Failed
}

/// Prints a result. A pipe that was closed early is no failure.
pub(crate) fn result(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Exit::Done,
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(e) => failed(&format!("writing the answer: {e}")),
    }
}

/// Asks a question on the terminal; anything but a yes is a no.
pub(crate) fn ask(question: &str) -> bool {
    eprint!("{question}");
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Prints a result as JSON.
pub(crate) fn result_as_json(value: &impl serde::Serialize) -> Exit {
    match serde_json::to_string_pretty(value) {
        Ok(json) => result(&(json + "\n")),
        Err(e) => failed(&format!("cannot put this into JSON: {e}")),
    }
}

/// Prints what clap has to say; help and version were asked for, anything else is wrong usage.
pub(crate) fn usage(error: &clap::Error) -> Exit {
    // Nobody is left to tell when even this cannot be written.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::Usage,
    }
}

/// Text from a log with everything a terminal could obey made visible: control characters, and
/// those that turn the direction of writing.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.chars().any(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if obeyed(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_name_cannot_command_the_terminal() {
        assert_eq!(harmless("\u{1b}]0;owned\u{7}\u{202e}x"), "\\u{1b}]0;owned\\u{7}\\u{202e}x");
        assert_eq!(harmless("php-fpm 8 ü"), "php-fpm 8 ü");
    }
}
