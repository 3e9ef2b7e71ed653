//! A notice as plain text: a mail's body, and the base of a chat's message.

use headroom_api::notice::{Gathered, Notice};
use headroom_core::words::notice as words;

/// The width of a mail (RFC 5322, 2.1.1, recommends 78).
const WIDTH: usize = 76;

/// The whole text.
pub(super) fn body(notice: &Notice) -> String {
    let mut out = String::new();
    wrapped(&mut out, "", "", &notice.state);
    out.push('\n');
    for line in &notice.explanation {
        wrapped(&mut out, "  ", "    ", line);
    }
    if let Some(gathered) = &notice.gathered {
        list(&mut out, gathered);
    }
    if !notice.look_further.is_empty() {
        out.push('\n');
        out.push_str(words::LOOK_FURTHER);
        out.push_str("\n\n");
        for line in &notice.look_further {
            out.push_str(&format!("  {}\n      {}\n", line.command, line.shows));
        }
    }
    if let Some(note) = &notice.note {
        out.push('\n');
        wrapped(&mut out, "", "", &format!("{note}."));
    }
    // The mark of a signature (RFC 3676, 4.3), with its blank.
    out.push_str("\n-- \n");
    let incident = notice.incident.as_ref().map(|incident| incident.id.as_str());
    wrapped(&mut out, "", "", &words::signature(&notice.node, incident));
    out
}

fn list(out: &mut String, gathered: &Gathered) {
    out.push('\n');
    if gathered.omitted > 0 {
        wrapped(out, "  ", "    ", &words::omitted(gathered.omitted).unwrap_or_default());
    }
    for incident in &gathered.listed {
        wrapped(out, "  * ", "    ", &incident.title);
        wrapped(out, "    ", "    ", &incident.state);
    }
}

/// Writes a paragraph that breaks between words. A word that is too long stays whole: it may have to
/// be copied.
fn wrapped(out: &mut String, first: &str, further: &str, text: &str) {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = further.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
