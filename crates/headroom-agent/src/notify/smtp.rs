//! Mail through a mail server (RFC 5321), one transaction a message over one connection a pass.

use std::io;
use std::time::Duration;

use headroom_core::text::harmless;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, SmtpConnection, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};

use super::channel::{Channel, Sending, Trouble};
use super::config::{self, Tls};
use super::mail::{self, Mail};
use super::trust;

/// How long each answer is waited for. RFC 5321 (4.5.3.2) would have us wait minutes; a server that
/// takes longer is tried again later.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the answer to a whole message is waited for: servers scan mail before they take it, and
/// giving up then is what makes a message come twice (RFC 5321, 4.5.3.2.6).
const ACCEPTANCE: Duration = Duration::from_secs(120);

/// The longest answer of a server that is told.
const ANSWER: usize = 200;

/// In the order in which they are tried.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// The channel.
pub(super) struct Smtp {
    config: config::Smtp,
    sender: mail::Sender,
    connection: Option<SmtpConnection>,
}

impl Smtp {
    pub(super) fn new(config: config::Smtp, node: &str) -> Self {
        let sender = mail::Sender::new(config.from.as_deref(), node, config.html.unwrap_or(true));
        Self { config, sender, connection: None }
    }

    fn place(&self) -> String {
        format!("{}:{}", self.config.server(), self.config.port())
    }

    /// Connects, makes the connection safe and logs in.
    fn connect(&self) -> Result<SmtpConnection, Trouble> {
        let at =
            |doing: &str, why: String| Trouble::later(format!("{}: {doing}{why}", self.place()));
        let (host, port) = (self.config.server(), self.config.port());
        let hello = ClientId::Domain(mail::Sender::host());
        let tls = match self.config.protection() {
            Tls::None => None,
            Tls::Starttls | Tls::Implicit => Some(self.tls().map_err(|why| at("", why))?),
        };
        let wrapper = tls.as_ref().filter(|_| self.config.protection() == Tls::Implicit);
        let mut connection =
            SmtpConnection::connect((host, port), Some(PATIENCE), &hello, wrapper, None)
                .map_err(|e| at("", said(&e)))?;
        if let (Tls::Starttls, Some(tls)) = (self.config.protection(), &tls) {
            if !connection.can_starttls() {
                connection.abort();
                return Err(at("", "the server offers no STARTTLS; nothing was sent".to_owned()));
            }
            connection.starttls(tls, &hello).map_err(|e| at("STARTTLS: ", said(&e)))?;
        }
        if let (Some(user), Some(secret)) = (&self.config.username, self.config.password()) {
            let password = secret.read().map_err(|why| at("the password: ", why))?;
            let login = Credentials::new(user.clone(), password.expose().to_owned());
            let answer = connection.auth(&MECHANISMS, &login);
            if let Err(error) = answer {
                connection.abort();
                return Err(at(&format!("logging in as {user}: "), said(&error)));
            }
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(self.config.server().to_owned())
            .certificate_store(CertificateStore::None);
        for authority in trust::authorities(self.config.ca_file.as_deref())? {
            // An authority that rustls cannot use would vouch for nobody.
            if let Ok(certificate) = Certificate::from_der(authority.to_vec()) {
                builder = builder.add_root_certificate(certificate);
            }
        }
        builder.build_rustls().map_err(|e| said(&e))
    }

    fn transaction(
        &self,
        connection: &mut SmtpConnection,
        mail: &Mail,
        hand: &mut dyn FnMut() -> Result<(), Trouble>,
    ) -> Result<String, Trouble> {
        let doing = |what: &str| {
            let place = self.place();
            let what = what.to_owned();
            move |error: Error| trouble(&format!("{place}: {what}"), &error)
        };
        let mut options = Vec::new();
        // The message itself is ASCII, whatever it says: lettre encodes its parts.
        let plain = mail.from.to_string().is_ascii() && mail.to.to_string().is_ascii();
        if !plain && connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            options.push(MailParameter::SmtpUtfEight);
        }
        let from = MailFrom::new(Some(mail.from.clone()), options);
        connection.command(from).map_err(doing("the sender"))?;
        connection
            .command(Rcpt::new(mail.to.clone(), Vec::new()))
            .map_err(doing("the receiver"))?;
        connection.command(Data).map_err(doing("the message"))?;
        hand()?;
        let _longer_where_it_can_be_set = connection.set_timeout(Some(ACCEPTANCE));
        let answer = connection.command(stuffed(&mail.bytes));
        let _as_before = connection.set_timeout(Some(PATIENCE));
        match answer {
            Ok(answer) => {
                Ok(harmless(answer.message().collect::<Vec<_>>().join(" ").as_str(), ANSWER))
            }
            // It was answered: the server has not taken it.
            Err(error) if error.status().is_some() => Err(doing("the message")(error)),
            Err(error) => Err(Trouble::unsure(format!(
                "{}: no answer to the message: {}",
                self.place(),
                said(&error)
            ))),
        }
    }
}

impl Channel for Smtp {
    fn deliver(&mut self, sending: Sending<'_>) -> Result<String, Trouble> {
        let mail = self.sender.write(&sending).map_err(Trouble::Refused)?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let result = self.transaction(&mut connection, &mail, sending.hand);
        // After a failure nobody knows where the conversation stands.
        if result.is_ok() && !connection.has_broken() {
            self.connection = Some(connection);
        } else {
            connection.abort();
        }
        result
    }

    fn rest(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            let _whether_it_says_goodbye = connection.quit();
        }
    }
}

/// The message as the wire has it (RFC 5321, 4.5.2), its end included, to be written in one go. lettre
/// writes the end by itself, which the kernel then holds back until the server has acknowledged the rest:
/// forty milliseconds in which nobody knows whether the message arrived.
fn stuffed(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive("\r\n") {
        if line.starts_with('.') {
            out.push('.');
        }
        out.push_str(line);
    }
    if !out.ends_with("\r\n") {
        out.push_str("\r\n");
    }
    out.push_str(".\r\n");
    out
}

/// A server's refusal of a message or an address is that message's own; everything else concerns all.
/// 421 is the server's goodbye, 530, 534, 535 and 538 are about logging in, 502 to 504 and 555 about
/// commands.
fn trouble(doing: &str, error: &Error) -> Trouble {
    let why = format!("{doing}: {}", said(error));
    let code = error.status().map(u16::from);
    match code {
        Some(530 | 534 | 535 | 538 | 500..=504 | 555) => Trouble::later(why),
        Some(500..=599) => Trouble::Refused(why),
        _ => Trouble::later(why),
    }
}

/// The error with its causes, on one harmless line.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // What a read that took too long is called depends on the socket.
        let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) = kind {
            return "no answer came in time".to_owned();
        }
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    harmless(&text, ANSWER)
}

#[cfg(test)]
mod tests {
    use super::stuffed;

    #[test]
    fn lines_that_begin_with_a_dot_are_no_end() {
        assert_eq!(stuffed(b"a\r\n.\r\n..b\r\n"), "a\r\n..\r\n...b\r\n.\r\n");
        assert_eq!(stuffed(b".x"), "..x\r\n.\r\n");
    }
}
