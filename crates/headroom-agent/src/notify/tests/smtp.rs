//! Mail over a real connection.

#[path = "../../../tests/support/mail_server.rs"]
#[expect(unreachable_pub, reason = "programs' tests use it as well")]
mod mail_server;

use std::fs;

use headroom_api::notice::NoticeIncident;
use mail_server::{Behaviour, MailServer};

use super::super::config::Config;
use super::super::smtp::Smtp;
use super::*;

fn channel(server: &MailServer, further: &str) -> Smtp {
    let text = format!(
        "[[smtp]]\nhost = \"127.0.0.1\"\nport = {}\nfrom = \"headroom@example.org\"\n\
         to = [\"ops@example.org\"]\n{further}",
        server.address.port()
    );
    let config: Config = toml::from_str(&text).unwrap();
    config.check().unwrap();
    Smtp::new(config.smtp[0].clone(), "shop1")
}

fn notice() -> Notice {
    Notice {
        version: 1,
        id: "2026-11-24T14:00:00Z-7/closed".into(),
        title: "shop1: memory ran short in limited.slice".into(),
        state: "Over after 5 s.".into(),
        explanation: vec!["Müller's import.\n.\nhad 398 MiB".into()],
        incident: Some(NoticeIncident {
            id: "2026-11-24T14:00:00Z-7".into(),
            ..NoticeIncident::default()
        }),
        ..Notice::default()
    }
}

/// Sends it, and says whether it was out of our hands.
fn send(smtp: &mut Smtp, follows: bool) -> (Result<String, Trouble>, bool) {
    let (notice, mut handed) = (notice(), false);
    let mut hand = || {
        handed = true;
        Ok(())
    };
    let sending = Sending { address: "ops@example.org", notice: &notice, follows, hand: &mut hand };
    let result = smtp.deliver(sending);
    (result, handed)
}

#[test]
fn a_mail_arrives_with_what_holds_its_thread_together() {
    let server = MailServer::start();
    let mut smtp = channel(&server, "");
    let (answer, handed) = send(&mut smtp, false);
    assert_eq!((answer.unwrap().as_str(), handed), ("2.0.0 queued as 1", true));
    send(&mut smtp, true).0.unwrap();
    smtp.rest();
    let all = server.all();
    assert_eq!(*server.connections.lock().unwrap(), 1, "one connection a pass");
    assert_eq!(all[0].from, "MAIL FROM:<headroom@example.org>");
    assert_eq!(all[0].to, "RCPT TO:<ops@example.org>");
    assert_eq!(
        all[0].header("Message-ID").unwrap(),
        "<headroom.shop1.2026-11-24T14.00.00Z-7.closed@example.org>"
    );
    assert_eq!(all[0].header("In-Reply-To"), None);
    let root = "<headroom.shop1.2026-11-24T14.00.00Z-7.opened@example.org>";
    assert_eq!(all[1].header("In-Reply-To").as_deref(), Some(root));
    assert_eq!(all[1].header("References").as_deref(), Some(root));
    assert_eq!(all[1].header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert_eq!(all[1].header("From").unwrap(), "\"Headroom on shop1\" <headroom@example.org>");
    let subject = all[1].header("Subject").unwrap();
    assert_eq!(subject, "Re: shop1: memory ran short in limited.slice");
    assert!(all[0].data.contains("multipart/alternative"));
}

#[test]
fn the_password_comes_from_its_file_and_shows_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let server = MailServer::start();
    let login = format!("username = \"shop\"\npassword_file = \"{}\"\n", file.display());
    let mut smtp = channel(&server, &login);
    let (result, _) = send(&mut smtp, false);
    let why = result.unwrap_err().why().to_owned();
    assert!(why.contains("the password: ") && why.contains("No such file"), "{why}");
    fs::write(&file, "hunter2\n").unwrap();
    send(&mut smtp, false).0.unwrap();
    // \0shop\0hunter2
    assert_eq!(server.all()[0].login.as_deref(), Some("AHNob3AAaHVudGVyMg=="));
    smtp.rest();
    server.behaves(Behaviour::RefusesLogin);
    let (result, handed) = send(&mut smtp, false);
    let trouble = result.unwrap_err();
    assert!(matches!(trouble, Trouble::Later { unsure: false, .. }), "{trouble:?}");
    assert!(trouble.why().contains("logging in as shop") && !handed);
    assert!(!trouble.why().contains("hunter2"));
}

#[test]
fn a_refused_receiver_a_wait_and_a_death_are_told_apart() {
    let server = MailServer::start();
    let mut smtp = channel(&server, "html = false\n");
    server.behaves(Behaviour::RefusesReceiver);
    let (result, handed) = send(&mut smtp, false);
    let refused = matches!(&result, Err(Trouble::Refused(why)) if why.contains("no such user"));
    assert!(refused && !handed, "{result:?}");
    server.behaves(Behaviour::AsksToWait);
    let (result, handed) = send(&mut smtp, false);
    let waits = matches!(&result, Err(Trouble::Later { why, unsure: false, .. }) if why.contains("greylisted"));
    assert!(waits && !handed, "{result:?}");
    server.behaves(Behaviour::DiesAfterTaking);
    let (result, handed) = send(&mut smtp, false);
    assert!(matches!(&result, Err(Trouble::Later { unsure: true, .. })) && handed, "{result:?}");
}

#[test]
fn nobody_there_is_said_with_the_place() {
    let server = MailServer::start();
    let mut smtp = channel(&server, "");
    // Nobody listens where nobody has ever listened.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text =
        format!("[[smtp]]\nport = {free}\nto = [\"ops@example.org\"]\nhost = \"127.0.0.1\"\n");
    let config: Config = toml::from_str(&text).unwrap();
    let mut nobody = Smtp::new(config.smtp[0].clone(), "shop1");
    let (result, handed) = send(&mut nobody, false);
    let why = result.unwrap_err().why().to_owned();
    assert!(why.starts_with(&format!("127.0.0.1:{free}: ")) && why.contains("refused"), "{why}");
    assert!(!handed);
    send(&mut smtp, false).0.unwrap();
}

#[test]
fn without_starttls_nothing_is_sent() {
    let server = MailServer::start();
    let mut smtp = channel(&server, "tls = \"starttls\"\n");
    let (result, handed) = send(&mut smtp, false);
    let why = result.unwrap_err().why().to_owned();
    assert!(why.contains("offers no STARTTLS; nothing was sent"), "{why}");
    assert!(!handed && server.all().is_empty());
}

#[test]
fn a_line_of_one_dot_ends_no_mail() {
    let server = MailServer::start();
    let mut smtp = channel(&server, "html = false\n");
    send(&mut smtp, false).0.unwrap();
    let all = server.all();
    assert_eq!(all.len(), 1);
    assert!(all[0].data.contains("398"), "{}", all[0].data);
}
