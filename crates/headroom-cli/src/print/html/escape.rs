//! Text from logs made harmless: nothing in a process name is ever markup.

use std::fmt::Write;

use headroom_core::text::escaped;

use crate::print::harmless;

/// Text as it may stand between tags and in quoted attributes.
pub(super) fn esc(text: &str) -> String {
    escaped(&harmless(text))
}

/// The same with what stands between backticks set as code.
pub(super) fn rich(text: &str) -> String {
    let mut out = String::new();
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick without its other half is only a character.
    let paired = parts.len() % 2 == 1;
    for (number, part) in parts.iter().enumerate() {
        match number % 2 {
            1 if paired => {
                // Writing to a String cannot fail.
                let _ = write!(out, "<code>{}</code>", esc(part));
            }
            _ if number > 0 && !paired => {
                let _ = write!(out, "`{}", esc(part));
            }
            _ => out.push_str(&esc(part)),
        }
    }
    out
}

/// A text cut to so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_is_never_markup() {
        assert_eq!(
            esc("<script>\"a\"&'b'\u{1b}"),
            "&lt;script&gt;&quot;a&quot;&amp;&#39;b&#39;\\u{1b}"
        );
        assert_eq!(rich("run `a <b>` now"), "run <code>a &lt;b&gt;</code> now");
        assert_eq!(rich("a ` b"), "a ` b");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
