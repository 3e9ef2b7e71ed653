//! A process that calls itself what it likes must not get its word into anything but a text.

use headroom_api::notice::Notice;

use super::super::{html, mail, slack, text};
use super::*;

/// What a process may call itself, and what must not come of it.
const NAMES: [&str; 10] = [
    "x\r\nBcc: victim@example.com",
    "x\n.\r\nMAIL FROM:<a@b>",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "<!channel> @all `code` *bold*",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{202e}gnp.exe",
    "=?utf-8?q?=0d=0aBcc:x@example.com?=",
    "a\0b",
    "\u{200b}\u{feff}invisible",
];

fn notices(name: &str) -> Vec<Notice> {
    let mut node = Node::with(2, 0);
    node.line.frame = Frame::new(name, TimeZone::UTC, true, 0);
    node.desk.frame = node.line.frame.clone();
    node.opens(1);
    node.slays(1, 4711, name, &format!("php {name} --password={name}"));
    node.goes_on();
    for incident in 2..=5 {
        node.slays(incident, 4711, name, name);
        node.closes(incident);
        node.goes_on();
        node.later(SECOND);
    }
    node.later(2 * HOUR);
    node.pass();
    let got = node.receiver.got();
    assert!(got.iter().any(|n| n.gathered.is_some()), "a digest is among them");
    got
}

/// A mail's headers, unfolded, and its parts as they are.
fn headers(mail: &str) -> Vec<String> {
    let head = mail.split("\r\n\r\n").next().unwrap();
    head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
}

#[test]
fn no_name_gets_a_header_a_line_or_an_element_of_its_own() {
    for name in NAMES {
        for notice in notices(name) {
            let mut hand = || Ok(());
            let sending = Sending {
                address: "ops@example.org",
                notice: &notice,
                follows: true,
                hand: &mut hand,
            };
            let sender = mail::Sender::new(Some("headroom@example.org"), &notice.node, true);
            let written = String::from_utf8(sender.write(&sending).unwrap().bytes).unwrap();
            let names: Vec<String> = headers(&written)
                .iter()
                .map(|h| h.split(':').next().unwrap().to_lowercase())
                .collect();
            let known = [
                "from",
                "to",
                "date",
                "subject",
                "message-id",
                "auto-submitted",
                "in-reply-to",
                "references",
                "x-auto-response-suppress",
                "x-headroom-event",
                "x-headroom-incident",
                "mime-version",
                "content-type",
            ];
            assert!(names.iter().all(|n| known.contains(&n.as_str())), "{name:?}: {names:?}");
            assert!(written.lines().all(|l| l.len() <= 998 && l != "."), "{name:?}");
            assert!(
                written
                    .bytes()
                    .all(|b| b == b'\r' || b == b'\n' || b == b'\t' || (b' '..127).contains(&b))
            );
            assert_eq!(written.matches('\n').count(), written.matches("\r\n").count());

            let document = html::document(&notice);
            assert!(!document.contains("<script") && !document.contains("<img"), "{document}");
            assert_eq!(document.matches("<title>").count(), 1);

            let plain = text::body(&notice);
            let json = serde_json::to_string(&notice).unwrap();
            for said in [&plain, &document] {
                assert!(
                    said.chars().all(|c| c == '\n' || !headroom_core::text::is_obeyed(c)),
                    "{said:?}"
                );
            }
            assert!(
                !json.contains("\\u001b") && !json.contains("\\n") && !json.contains("\\u0000")
            );

            let chat = slack::body(&notice)["text"].as_str().unwrap().to_owned();
            assert!(!chat.contains('<') && !chat.contains('@'), "{chat}");
        }
    }
}

#[test]
fn a_password_on_a_command_line_does_not_leave_the_node() {
    let mut node = Node::new();
    node.opens(1);
    node.slays(1, 4711, "mysqldump", "mysqldump -u root -pS3cret --password S3cret shop");
    node.goes_on();
    let json = serde_json::to_string(&node.receiver.got()).unwrap();
    assert!(json.contains("mysqldump -u root -p*** --password *** shop"), "{json}");
    assert!(!json.contains("S3cret"));
}

#[test]
fn command_lines_stay_at_home_where_they_are_to() {
    let mut node = Node::new();
    node.desk.frame.command_lines = false;
    node.opens(1);
    node.slays(1, 4711, "php", "php secret-import.php");
    node.goes_on();
    let json = serde_json::to_string(&node.receiver.got()).unwrap();
    assert!(json.contains("php (4711)") && !json.contains("secret-import"), "{json}");
}
