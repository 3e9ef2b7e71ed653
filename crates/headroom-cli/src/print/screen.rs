//! A screen that is drawn again and again: the other one of the terminal, or a line after the other
//! where it has none.

use std::io::{self, Write};

/// The terminal, given back as it was when this goes away.
pub(crate) struct Screen {
    dumb: bool,
}

impl Screen {
    /// Takes the terminal's other screen, where it has one, and hides the cursor.
    pub(crate) fn open(dumb: bool) -> io::Result<Self> {
        if !dumb {
            write("\x1b[?1049h\x1b[?25l")?;
        }
        Ok(Self { dumb })
    }

    /// Draws a frame over the one before.
    pub(crate) fn draw(&self, frame: &str) -> io::Result<()> {
        if self.dumb {
            return write(frame);
        }
        // Each line clears what is left of the one before; nothing flickers.
        let lines = frame.trim_end_matches('\n').replace('\n', "\x1b[K\r\n");
        write(&format!("\x1b[H{lines}\x1b[K\x1b[J"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if !self.dumb {
            // With the terminal gone there is nothing to give back.
            let _ = write("\x1b[?25h\x1b[?1049l");
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The lines of `text` that fit, and the hint as the last one. A terminal without a cursor gets all of
/// them, cut to its width.
pub(crate) fn frame(text: &str, hint: &str, (width, height): (usize, usize), dumb: bool) -> String {
    let all: Vec<&str> = text.lines().collect();
    let (width, room) = (width.max(20), height.max(4) - 1);
    let fits = dumb || all.len() <= room;
    let shown = if fits { all.len() } else { room };
    let mut frame = String::new();
    for line in &all[..shown] {
        frame.push_str(&cut(line, width));
        frame.push('\n');
    }
    let hint = if fits {
        hint.to_string()
    } else {
        format!("{hint}; {} more lines in headroom status", all.len() - shown)
    };
    frame.push_str(&cut(&hint, width));
    frame.push_str(if dumb { "\n\n" } else { "\n" });
    frame
}

/// A line cut to so many characters; what colours it takes no room and is never cut off.
fn cut(line: &str, width: usize) -> String {
    let (mut out, mut room, mut in_code) = (String::new(), width, false);
    for c in line.chars() {
        if c == '\x1b' {
            in_code = true;
        }
        if in_code {
            out.push(c);
            in_code = !c.is_ascii_alphabetic();
        } else if room > 0 {
            out.push(c);
            room -= 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_and_said() {
        let text = "0123456789012345678901234567\n".repeat(10);
        let small = frame(&text, "q ends", (20, 6), false);
        assert_eq!(small.lines().count(), 6);
        assert!(small.lines().all(|l| l.chars().count() <= 20), "{small}");
        assert!(small.ends_with("q ends; 5 more lines\n"), "{small}");
        let large = frame(&text, "q ends", (80, 24), false);
        assert_eq!(large.lines().count(), 11);
        assert_eq!(frame(&text, "q ends", (80, 4), true).lines().count(), 12, "a dumb one scrolls");
        frame("", "q ends", (0, 0), false);
    }

    #[test]
    fn colours_take_no_room_and_end_where_they_should() {
        let line = "\x1b[31m0123456789\x1b[0m";
        assert_eq!(cut(line, 4), "\x1b[31m0123\x1b[0m");
    }
}
