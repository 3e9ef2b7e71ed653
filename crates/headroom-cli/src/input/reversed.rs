//! Logs with their newest line first, as `journalctl -r` and the searches of Loki, Kibana and Graylog
//! write them: turned round.

use std::io::{self, Cursor, Read};

use headroom_core::oomlog::prefix;

/// So many stamps tell the direction.
const TELLING: usize = 8;
/// Longest log that is turned round; what such a search gives is some thousand lines.
const LONGEST: u64 = 16 * 1024 * 1024;
/// How much is looked at.
const BEGINNING: u64 = 16 * 1024;

/// Whether the lines of a log's beginning go back in time, all of them.
pub(super) fn is_newest_first(beginning: &[u8]) -> bool {
    let lines = beginning.split(|byte| *byte == b'\n').take(4 * TELLING);
    let mut before = None;
    let mut earlier = 0;
    for line in lines {
        let text = String::from_utf8_lossy(line);
        let Some(now) = prefix::strip(&text).stamp.uptime_us else { continue };
        match before {
            Some(then) if now > then => return false,
            Some(then) if now < then => earlier += 1,
            _ => {}
        }
        before = Some(now);
    }
    earlier >= TELLING
}

/// The log with its oldest line first.
pub(super) fn in_order(mut reader: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut beginning = Vec::new();
    reader.by_ref().take(BEGINNING).read_to_end(&mut beginning)?;
    if !is_newest_first(&beginning) {
        return Ok(Box::new(Cursor::new(beginning).chain(reader)));
    }
    let mut log = beginning;
    reader.by_ref().take(LONGEST).read_to_end(&mut log)?;
    let mut turned = Vec::with_capacity(log.len() + 1);
    for line in log.split(|byte| *byte == b'\n').rev().filter(|line| !line.is_empty()) {
        turned.extend_from_slice(line);
        turned.push(b'\n');
    }
    Ok(Box::new(Cursor::new(turned).chain(reader)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_goes_back_in_time_is_turned_round() {
        let lines: Vec<String> = (0..20).map(|n| format!("[ 1.{n:06}] line {n}")).collect();
        let newest_first: Vec<&str> = lines.iter().rev().map(String::as_str).collect();
        let mut text = String::new();
        let mut log = in_order(Box::new(Cursor::new(newest_first.join("\n")))).expect("a log");
        log.read_to_string(&mut text).expect("text");
        assert_eq!(text, lines.join("\n") + "\n");
    }

    #[test]
    fn a_log_that_goes_forward_is_left_alone() {
        let lines: Vec<String> = (0..20).map(|n| format!("[ 1.{n:06}] line {n}\n")).collect();
        assert!(!is_newest_first(lines.concat().as_bytes()));
        assert!(!is_newest_first(b""));
    }
}
