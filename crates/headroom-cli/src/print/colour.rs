//! Colour, on a terminal only and never with NO_COLOR: what needs a look is red or yellow, heads are
//! bold. The text says all of it as well.

use std::io::{self, IsTerminal};

use headroom_api::status::Status;

const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// Whether standard output takes colour.
pub(crate) fn is_on() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The text of `status` with colour, line by line.
pub(crate) fn status(text: &str, status: &Status) -> String {
    let mut out = String::with_capacity(text.len() + 256);
    for line in text.lines() {
        match colour_of(line, status) {
            Some(colour) => out.extend([colour, line, PLAIN]),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

fn colour_of(line: &str, status: &Status) -> Option<&'static str> {
    let first = line.split_whitespace().next()?;
    if let Some(zone) = status.zones.iter().find(|z| z.path == first) {
        return match zone.headroom_kib {
            0 => Some(RED),
            headroom if headroom < zone.floor_kib => Some(YELLOW),
            _ => None,
        };
    }
    match line {
        _ if line.ends_with(", not over") => Some(RED),
        _ if line.starts_with("No guard runs here") || line.starts_with("DRY RUN") => Some(YELLOW),
        _ if !line.starts_with(' ') && line.ends_with(':') => Some(BOLD),
        _ if matches!(first, "zone" | "class") => Some(BOLD),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_api::status::Zone;

    #[test]
    fn what_is_short_is_seen_and_the_text_stays_what_it_was() {
        let zone = |path: &str, headroom_kib| Zone {
            path: path.into(),
            headroom_kib,
            floor_kib: 100,
            ..Zone::default()
        };
        let zones = vec![zone("/", 1000), zone("/limited.slice", 0), zone("/small.slice", 50)];
        let node = Status { zones, ..Status::default() };
        let text = "  zone  limit\n  /  9\n  /limited.slice  9\n  /small.slice  9\nNext to go:\n";
        let coloured = status(text, &node);
        let lines: Vec<&str> = coloured.lines().collect();
        assert!(lines[0].starts_with(BOLD) && lines[4].starts_with(BOLD));
        assert_eq!(lines[1], "  /  9");
        assert!(lines[2].starts_with(RED) && lines[3].starts_with(YELLOW));
        let plain =
            [RED, YELLOW, BOLD, PLAIN].iter().fold(coloured.clone(), |t, c| t.replace(c, ""));
        assert_eq!(plain, text);
    }
}
