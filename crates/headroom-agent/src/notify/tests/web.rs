//! Webhooks over a real connection, and programs.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::{self, JoinHandle};

use headroom_api::notice::NoticeIncident;

use super::super::command::Command;
use super::super::config::Config;
use super::super::sendmail::Sendmail;
use super::super::sign;
use super::super::webhook::Webhook;
use super::*;

fn notice() -> Notice {
    Notice {
        version: 1,
        id: "2026-11-24T14:00:00Z-7/opened".into(),
        node: "shop1".into(),
        title: "shop1: memory ran short".into(),
        state: "Memory is short.".into(),
        incident: Some(NoticeIncident {
            id: "2026-11-24T14:00:00Z-7".into(),
            ..NoticeIncident::default()
        }),
        ..Notice::default()
    }
}

fn send(channel: &mut dyn Channel, address: &str) -> Result<String, Trouble> {
    let (notice, mut hand) = (notice(), || Ok(()));
    channel.deliver(Sending { address, notice: &notice, follows: false, hand: &mut hand })
}

/// A server that answers one request so; gives back its address and what was asked.
fn answers(answer: &'static str) -> (String, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook/secret-token", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).unwrap();
        }
        let length = head
            .lines()
            .find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap()];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        (head, body)
    });
    (address, served)
}

fn webhook(url: &str, further: &str) -> Webhook {
    let config: Config =
        toml::from_str(&format!("[[webhook]]\nurl = \"{url}\"\n{further}")).unwrap();
    config.check().unwrap();
    Webhook::new(config.webhook[0].clone())
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let found = head.lines().filter_map(|l| l.split_once(": "));
    found
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .next()
        .unwrap_or("")
}

#[test]
fn a_webhook_is_signed_and_says_by_which_id_it_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    fs::write(&key, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let (url, served) = answers("HTTP/1.1 204 No Content\r\n\r\n");
    let mut hook = webhook(&url, &format!("secret_file = \"{}\"\n", key.display()));
    assert_eq!(send(&mut hook, "there").unwrap(), "204");
    let (head, body) = served.join().unwrap();
    assert!(head.starts_with("POST /hook/secret-token HTTP/1.1"));
    let sent: Notice = serde_json::from_slice(&body).unwrap();
    assert_eq!(sent, notice());
    assert_eq!(header(&head, "webhook-id"), sent.id);
    assert_eq!(header(&head, "idempotency-key"), sent.id);
    let time: i64 = header(&head, "webhook-timestamp").parse().unwrap();
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let expected = sign::signature(key, &sent.id, time, &body).unwrap();
    assert_eq!(header(&head, "webhook-signature"), expected);
    let other = sign::signature(key, &sent.id, time, b"{}").unwrap();
    assert_ne!(other, expected);
}

#[test]
fn answers_are_understood_and_the_address_stays_secret() {
    for (answer, later, asked) in [
        ("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\ncontent-length: 0\r\n\r\n", true, Some(120)),
        ("HTTP/1.1 401 Who\r\ncontent-length: 0\r\n\r\n", true, None),
        ("HTTP/1.1 302 Go\r\nLocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n", true, None),
        ("HTTP/1.1 400 Bad\r\ncontent-length: 4\r\n\r\nwhy\x1b", false, None),
    ] {
        let (url, served) = answers(answer);
        let trouble = send(&mut webhook(&url, ""), "there").unwrap_err();
        served.join().unwrap();
        let asked = asked.map(Duration::from_secs);
        match &trouble {
            Trouble::Later { asked: said, unsure, .. } => {
                assert!(later && *said == asked && !unsure, "{trouble:?}");
            }
            Trouble::Refused(_) => assert!(!later, "{trouble:?}"),
        }
        assert!(!trouble.why().contains("secret-token") && !trouble.why().contains('\x1b'));
    }
}

#[test]
fn a_connection_that_breaks_off_leaves_it_open_whether_it_arrived() {
    let (url, served) = answers("");
    let trouble = send(&mut webhook(&url, ""), "there").unwrap_err();
    served.join().unwrap();
    assert!(matches!(trouble, Trouble::Later { unsure: true, .. }), "{trouble:?}");
    // Now nobody listens there any more.
    let trouble = send(&mut webhook(&url, ""), "there").unwrap_err();
    assert!(matches!(trouble, Trouble::Later { unsure: false, .. }), "{trouble:?}");
}

#[test]
fn slacks_form_is_what_slack_takes() {
    let (url, served) = answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    send(&mut webhook(&url, "format = \"slack\"\n"), "there").unwrap();
    let (_, body) = served.join().unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(body["text"].as_str().unwrap().contains("*shop1: memory ran short*"), "{body}");
}

fn script(dir: &Path, text: &str) -> String {
    let path = dir.join("program");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_command_gets_json_and_no_shell_comes_between() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let program = script(dir.path(), "echo \"$1 $HEADROOM_KIND $HOME\" > \"$2\"; cat >> \"$2\"");
    let text =
        format!("[[command]]\ncommand = [{program:?}, \"$(id); x\", {:?}]", out.to_str().unwrap());
    let config: Config = toml::from_str(&text).unwrap();
    send(&mut Command::new(config.command[0].clone()), &program).unwrap();
    let written = fs::read_to_string(&out).unwrap();
    let (first, json) = written.split_once('\n').unwrap();
    assert_eq!(first, "$(id); x opened ");
    assert_eq!(serde_json::from_str::<Notice>(json).unwrap(), notice());
}

#[test]
fn a_command_that_fails_hangs_or_is_not_there_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let run = |body: &str| {
        let program = script(dir.path(), body);
        let text = format!("[[command]]\ncommand = [{program:?}]\ntimeout = \"300ms\"\n");
        let config: Config = toml::from_str(&text).unwrap();
        send(&mut Command::new(config.command[0].clone()), &program).unwrap_err()
    };
    assert!(matches!(run("echo no >&2; exit 65"), Trouble::Refused(why) if why.contains("65: no")));
    assert!(matches!(run("exit 1"), Trouble::Later { unsure: false, .. }));
    assert!(matches!(run("sleep 100"), Trouble::Later { unsure: true, .. }));
    let config: Config = toml::from_str("[[command]]\ncommand = [\"/nowhere\"]").unwrap();
    let missing = send(&mut Command::new(config.command[0].clone()), "").unwrap_err();
    assert!(missing.why().contains("/nowhere: No such file"), "{missing:?}");
}

#[test]
fn sendmail_gets_a_whole_mail_and_addresses_that_are_no_options() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let program = script(dir.path(), &format!("echo \"$@\" > {0}; cat >> {0}", out.display()));
    let text = format!(
        "[[sendmail]]\nprogram = {program:?}\nfrom = \"headroom@example.org\"\n\
         to = [\"-oQ@example.org\"]\n"
    );
    let config: Config = toml::from_str(&text).unwrap();
    config.check().unwrap();
    let mut channel = Sendmail::new(config.sendmail[0].clone(), "shop1");
    send(&mut channel, "-oQ@example.org").unwrap();
    let written = fs::read_to_string(&out).unwrap();
    let (arguments, mail) = written.split_once('\n').unwrap();
    assert_eq!(arguments, "-i -f headroom@example.org -- -oQ@example.org");
    assert!(mail.starts_with("From: ") && !mail.contains('\r'));
    assert!(mail.contains("Subject: shop1: memory ran short\n"), "{mail}");
}
