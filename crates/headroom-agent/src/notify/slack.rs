//! A notice in the form of Slack's incoming webhooks, which Mattermost, Rocket.Chat and Discord (under
//! `/slack`) take as well. Only `text`: the other programs ignore what goes beyond.

use headroom_api::notice::{Notice, NoticeKind};
use headroom_core::words::notice as words;
use serde_json::{Value, json};

/// Slack cuts texts beyond 4,000 characters off.
const LONGEST: usize = 3500;

/// The body.
pub(super) fn body(notice: &Notice) -> Value {
    let mark = match notice.kind {
        NoticeKind::Opened | NoticeKind::Ongoing => ":red_circle:",
        NoticeKind::Closed => ":large_green_circle:",
        NoticeKind::Digest | NoticeKind::Summary => ":large_orange_circle:",
        NoticeKind::Test => ":large_blue_circle:",
    };
    let mut text = format!("{mark} *{}*\n{}\n", inline(&notice.title), inline(&notice.state));
    let mut lines = notice.explanation.clone();
    if let Some(gathered) = &notice.gathered {
        lines.extend(words::omitted(gathered.omitted));
        lines.extend(gathered.listed.iter().map(|i| format!("{} - {}", i.title, i.state)));
    }
    if !lines.is_empty() {
        text.push_str("```\n");
        for line in &lines {
            let line = block(line);
            if text.chars().count() + line.chars().count() > LONGEST {
                text.push_str("…\n");
                break;
            }
            text.push_str(&line);
            text.push('\n');
        }
        text.push_str("```\n");
    }
    if let Some(first) = notice.look_further.first() {
        text.push_str(&format!("`{}` - {}", block(&first.command), inline(&first.shows)));
    }
    if let Some(note) = &notice.note {
        text.push_str(&format!("\n{}.", inline(note)));
    }
    json!({ "text": text })
}

/// Text between markup: `&`, `<` and `>` as Slack has them escaped, so that no `<!channel>` and no link
/// comes of a name; an `@` that calls nobody and brackets that make no link where Markdown is read; no
/// sign that ends bold or begins code.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push('＠'),
            '[' => out.push('('),
            ']' => out.push(')'),
            '*' => out.push('∗'),
            '`' => out.push('\''),
            c => out.push(c),
        }
    }
    out
}

/// Text within a code block, where only the block's own end and Slack's escapes count.
fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push('＠'),
            '`' => out.push('\''),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_calls_nobody_and_marks_nothing_up() {
        let notice = Notice {
            title: "shop1: the kernel killed <!channel> @all *x* [a](http://b)".into(),
            state: "Over".into(),
            explanation: vec!["```\n<@U123> <http://evil|click> @here".into()],
            ..Notice::default()
        };
        let text = body(&notice)["text"].as_str().unwrap().to_owned();
        assert!(!text.contains('<') && !text.contains('@') && !text.contains("[a]"), "{text}");
        assert_eq!(text.matches("```").count(), 2, "{text}");
        assert_eq!(text.matches('*').count(), 2, "{text}");
    }

    #[test]
    fn a_long_list_is_cut_within_its_block() {
        let notice = Notice { explanation: vec!["x".repeat(100); 100], ..Notice::default() };
        let text = body(&notice)["text"].as_str().unwrap().to_owned();
        assert!(text.chars().count() < 4000 && text.matches("```").count() == 2);
    }
}
