//! A notice as a mail: plain text first, HTML beside it, headers by which programs and threads know it.
//!
//! Whatever a process calls itself ends up in a body or in an encoded header, never in a header's
//! structure: names are one harmless line before they come here (`track`), and lettre encodes what is
//! not plain.

use std::time::{Duration, SystemTime};

use headroom_api::notice::NoticeKind;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::channel::Sending;
use super::frame::unwire;
use super::{html, text};

/// Who sends, and how.
pub(super) struct Sender {
    from: Option<String>,
    node: String,
    html: bool,
}

/// A mail ready for the wire.
pub(super) struct Mail {
    /// The envelope's sender.
    pub(super) from: Address,
    /// The envelope's receiver.
    pub(super) to: Address,
    /// Headers and body, with the line ends of the wire.
    pub(super) bytes: Vec<u8>,
}

/// Whether that is an address mail can be sent to, with or without a name before it.
///
/// # Errors
///
/// Why not.
pub(super) fn check_address(text: &str) -> Result<(), String> {
    mailbox(text).map(|_| ())
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    if text.chars().any(char::is_control) {
        return Err("it has control characters in it".to_owned());
    }
    let mailbox: Mailbox =
        text.parse().map_err(|e: lettre::address::AddressError| e.to_string())?;
    Ok(mailbox)
}

/// What may stand in the left part of a Message-ID (RFC 5322, `dot-atom-text`).
fn atom(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '.' };
    let text: String = text.chars().map(keep).collect();
    let parts: Vec<&str> = text.split('.').filter(|part| !part.is_empty()).collect();
    parts.join(".")
}

impl Sender {
    pub(super) fn new(from: Option<&str>, node: &str, html: bool) -> Self {
        Self { from: from.map(ToOwned::to_owned), node: node.to_owned(), html }
    }

    /// The name this machine gives itself in mail.
    pub(super) fn host() -> String {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = atom(&host);
        if host.is_empty() { "localhost".to_owned() } else { host }
    }

    fn from(&self) -> Result<Mailbox, String> {
        let from = match &self.from {
            Some(from) => mailbox(from)?,
            None => mailbox(&format!("headroom@{}", Self::host()))?,
        };
        let name = from.name.unwrap_or_else(|| format!("Headroom on {}", self.node));
        Ok(Mailbox::new(Some(name), from.email))
    }

    /// Writes the mail. The same notice gets the same Message-ID however often it is written.
    ///
    /// # Errors
    ///
    /// Why it cannot be written.
    pub(super) fn write(&self, sending: &Sending<'_>) -> Result<Mail, String> {
        let notice = sending.notice;
        let (from, to) = (self.from()?, mailbox(sending.address)?);
        let domain = from.email.domain();
        let id = |part: &str| format!("<headroom.{}.{}@{domain}>", atom(&self.node), atom(part));
        let written = unwire(notice.time.as_deref()).and_then(|ms| u64::try_from(ms).ok());
        let date = SystemTime::UNIX_EPOCH + Duration::from_millis(written.unwrap_or(0));
        let again = if sending.follows { "Re: " } else { "" };
        let mut message = Message::builder()
            .from(from.clone())
            .to(to.clone())
            .date(date)
            .subject(format!("{again}{}", notice.title))
            .message_id(Some(id(&notice.id)))
            .raw_header(plain("Auto-Submitted", "auto-generated"))
            .raw_header(plain("X-Auto-Response-Suppress", "All"))
            .raw_header(plain("X-Headroom-Event", notice.kind.name()));
        if let Some(incident) = &notice.incident {
            message = message.raw_header(plain("X-Headroom-Incident", &incident.id));
            if sending.follows {
                let root = id(&format!("{}/{}", incident.id, NoticeKind::Opened.name()));
                message = message.in_reply_to(root.clone()).references(root);
            }
        }
        let text = text::body(notice);
        let message = if self.html {
            message.multipart(MultiPart::alternative_plain_html(text, html::document(notice)))
        } else {
            message.singlepart(SinglePart::plain(text))
        };
        let message = message.map_err(|e| e.to_string())?;
        Ok(Mail { from: from.email, to: to.email, bytes: message.formatted() })
    }
}

/// A header of our own with nothing in it that needs encoding.
fn plain(name: &'static str, value: &str) -> HeaderValue {
    let value: String = value.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}
