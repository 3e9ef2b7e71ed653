//! Takes off what is no part of a log at all: a terminal's colours, a mail program's encoding, a web
//! page's, and the blanks and zeros that come with copies.

use alloc::borrow::Cow;
use alloc::string::String;

/// The line without them; borrowed where there was nothing to do, as for nearly every line.
pub(super) fn cleaned(line: &str) -> Cow<'_, str> {
    let line = line.trim_end_matches(['\r', '\n']).trim_matches(['\0', '\u{1e}', '\u{feff}']);
    // `cat -A` shows the ends of Windows' lines.
    let line = line.strip_suffix("^M$").or_else(|| line.strip_suffix("^M")).unwrap_or(line);
    let mut line = Cow::Borrowed(line);
    if line.contains('\u{1b}') {
        line = Cow::Owned(without_escapes(&line));
    }
    // Mail clients turn blanks into no-break spaces.
    let foreign_blank = |c: char| c != ' ' && c != '\t' && c.is_whitespace();
    if line.contains(foreign_blank) {
        line = Cow::Owned(line.replace(foreign_blank, " "));
    }
    if line.contains('&') && ["&lt;", "&gt;", "&quot;", "&#"].iter().any(|e| line.contains(e)) {
        line = Cow::Owned(without_entities(&line));
    }
    for mark in ["<br>", "<br/>", "<br />", "</pre>"] {
        if let Some(end) = line.strip_suffix(mark).map(str::len) {
            line = Cow::Owned(line[..end].into());
        }
    }
    if line.contains("=3D") || line.ends_with('=') && line.len() > 60 {
        line = Cow::Owned(without_quoted_printable(&line));
    }
    line
}

/// The line without the escape sequences of a colour terminal (`dmesg --color=always`, journalctl) and
/// its links.
fn without_escapes(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = if let Some(sequence) = after.strip_prefix('[') {
            let end = sequence.find(|c: char| ('@'..='~').contains(&c));
            end.and_then(|end| sequence.get(end + 1..)).unwrap_or("")
        } else if let Some(command) = after.strip_prefix(']') {
            // An operating-system command ends in a bell or in a backslash escape.
            let bell = command.split_once('\u{7}').map(|(_, rest)| rest);
            let escape = command.split_once("\u{1b}\\").map(|(_, rest)| rest);
            // Without an end it is none: its bytes are the log's own.
            match (bell, escape) {
                (Some(a), Some(b)) => {
                    if a.len() > b.len() {
                        a
                    } else {
                        b
                    }
                }
                (a, b) => a.or(b).unwrap_or(after),
            }
        } else {
            after
        };
    }
    plain.push_str(rest);
    plain
}

/// The characters a web page writes in words.
fn without_entities(line: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ];
    named
        .iter()
        .fold(String::from(line), |line, (entity, character)| line.replace(entity, character))
}

/// What a raw mail has for `=` and for blanks, and without its mark that the line goes on (RFC 2045).
fn without_quoted_printable(line: &str) -> String {
    let line = line.strip_suffix('=').unwrap_or(line);
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('=') {
        plain.push_str(before);
        let code = after.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code.filter(u8::is_ascii) {
            Some(byte) => {
                plain.push(char::from(byte));
                rest = &after[2..];
            }
            None => {
                plain.push('=');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// The line without the marks of a quoting mail client: `> `, `>> `, `| `.
pub(super) fn without_quote(line: &str) -> &str {
    let mut rest = line;
    while let Some(inner) = rest.strip_prefix('>').or_else(|| rest.strip_prefix("| ")) {
        rest = inner.strip_prefix(' ').unwrap_or(inner);
    }
    rest
}

/// Newlines of one message as the loggers write them: rsyslog `#012`, syslog-ng and kmsg `\x0a`.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if text.contains("#012") || text.contains("\\x0a") {
        return Cow::Owned(text.replace("#012", "\n").replace("\\x0a", "\n"));
    }
    // A whole report in a program's notation of a string.
    if text.contains("\\n[") || text.contains("\\n<") {
        return Cow::Owned(text.replace("\\r", "").replace("\\n", "\n").replace("\\t", "\t"));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_line_is_left_as_it_is() {
        for line in ["[ 1.0] a & b", "x=3 y=", "  indented ", "name (a&b) <c>"] {
            assert!(matches!(cleaned(line), Cow::Borrowed(same) if same == line), "{line}");
        }
    }

    #[test]
    fn colours_and_links_of_a_terminal_go() {
        assert_eq!(cleaned("\u{1b}[0;1;31ma\u{1b}[0m b"), "a b");
        assert_eq!(cleaned("\u{1b}]8;;file://x\u{7}a\u{1b}]8;;\u{7} b"), "a b");
        assert_eq!(cleaned("\u{1b}]8;;file://x\u{1b}\\a"), "a");
    }

    #[test]
    fn a_raw_mails_encoding_goes() {
        assert_eq!(
            cleaned("gfp_mask=3D0xcc0(GFP_KERNEL), order=3D0"),
            "gfp_mask=0xcc0(GFP_KERNEL), order=0"
        );
        let cut = "[   36.148879] mkfs.ext4 invoked oom-killer: gfp_mask=3D0x101cc0(GFP=";
        assert!(cleaned(cut).ends_with("gfp_mask=0x101cc0(GFP"));
    }
}
