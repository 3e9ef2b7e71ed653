//! `[notify]` in `agent.toml`: the channels, and what cannot be meant. Unknown keys are refused.

use std::path::PathBuf;
use std::time::Duration;

use headroom_api::notice::NoticeKind;
use headroom_core::policy::Time;
use serde::Deserialize;

use super::secret::Secret;

/// The table.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The node's name in messages; the agent's unless given.
    pub(super) node: Option<String>,
    /// How often an incident that lasts is told again; `"0s"` never.
    pub(super) still_every: Time,
    /// How long a message may wait for its receiver to come back before it is only counted.
    pub(super) expire: Time,
    /// Whether command lines are told; passwords in them are hidden as far as they are recognised.
    pub(super) command_lines: bool,
    /// `[[notify.smtp]]`
    pub(super) smtp: Vec<Smtp>,
    /// `[[notify.sendmail]]`
    pub(super) sendmail: Vec<Sendmail>,
    /// `[[notify.webhook]]`
    pub(super) webhook: Vec<Webhook>,
    /// `[[notify.command]]`
    pub(super) command: Vec<Command>,
    /// `[notify.journal]`
    pub(super) journal: Journal,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: None,
            still_every: Time(Duration::from_secs(30 * 60)),
            expire: Time(Duration::from_secs(24 * 3600)),
            command_lines: true,
            smtp: Vec::new(),
            sendmail: Vec::new(),
            webhook: Vec::new(),
            command: Vec::new(),
            journal: Journal::default(),
        }
    }
}

/// A moment of an incident that a channel may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Moment {
    Opened,
    Ongoing,
    Closed,
}

impl Moment {
    /// The kind of notice it makes.
    pub(super) const fn kind(self) -> NoticeKind {
        match self {
            Self::Opened => NoticeKind::Opened,
            Self::Ongoing => NoticeKind::Ongoing,
            Self::Closed => NoticeKind::Closed,
        }
    }
}

/// What every channel may set. Its keys stand beside the channel's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Common {
    /// The channel's name, unique.
    pub(super) name: String,
    /// The moments it is told of.
    pub(super) events: Vec<Moment>,
    /// How long an incident's beginning is held back: one that is over by then makes one message.
    pub(super) hold: Duration,
    /// Most messages in any hour to one address; 0 for no limit.
    pub(super) per_hour: u32,
}

/// Declares a channel's table with the keys that all have.
macro_rules! channel {
    (
        $(#[doc = $about:literal])+
        $name:ident { $($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)+)])? $field:ident: $type:ty,)+ }
        named $default:literal, held $hold:literal s, $per_hour:literal an hour
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            name: Option<String>,
            events: Option<Vec<Moment>>,
            hold: Option<Time>,
            per_hour: Option<u32>,
            $($(#[doc = $doc])+ $(#[serde($($serde)+)])? pub(super) $field: $type,)+
        }

        impl $name {
            /// What it shares with the others.
            pub(super) fn common(&self) -> Common {
                let all = || vec![Moment::Opened, Moment::Ongoing, Moment::Closed];
                Common {
                    name: self.name.clone().unwrap_or_else(|| $default.to_owned()),
                    events: self.events.clone().unwrap_or_else(all),
                    hold: self.hold.map_or(Duration::from_secs($hold), |hold| hold.0),
                    per_hour: self.per_hour.unwrap_or($per_hour),
                }
            }
        }
    };
}

channel! {
    /// Mail through a mail server.
    Smtp {
        /// The server; this machine unless given.
        host: Option<String>,
        /// Its port; by `tls` 465, 587 or 25 unless given.
        port: Option<u16>,
        /// How the connection is protected.
        tls: Option<Tls>,
        /// A file with further certificates to trust, PEM.
        ca_file: Option<PathBuf>,
        /// Who logs in.
        username: Option<String>,
        /// A file with the password.
        password_file: Option<PathBuf>,
        /// A systemd credential with it.
        password_credential: Option<String>,
        /// The sender; `headroom@` and the host's name unless given.
        from: Option<String>,
        /// The receivers.
        to: Vec<String>,
        /// Whether an HTML form goes with the text.
        html: Option<bool>,
    }
    named "smtp", held 60 s, 12 an hour
}

channel! {
    /// Mail through the node's own `sendmail`.
    Sendmail {
        /// The program; `/usr/sbin/sendmail` unless given.
        program: Option<PathBuf>,
        /// The sender; `headroom@` and the host's name unless given.
        from: Option<String>,
        /// The receivers.
        to: Vec<String>,
        /// Whether an HTML form goes with the text.
        html: Option<bool>,
    }
    named "sendmail", held 60 s, 12 an hour
}

channel! {
    /// A POST to a web address.
    Webhook {
        /// The address.
        url: Option<String>,
        /// A file with the address, where it is itself a secret (Slack's is).
        url_file: Option<PathBuf>,
        /// A systemd credential with it.
        url_credential: Option<String>,
        /// The body's form.
        format: Option<Form>,
        /// A file with the key that signs.
        secret_file: Option<PathBuf>,
        /// A systemd credential with it.
        secret_credential: Option<String>,
        /// A file with further certificates to trust, PEM.
        ca_file: Option<PathBuf>,
        /// How long an answer is waited for.
        timeout: Option<Time>,
    }
    named "webhook", held 0 s, 60 an hour
}

channel! {
    /// A program that is run for each message.
    Command {
        /// The program and its arguments. No shell comes between.
        command: Vec<String>,
        /// How long it may take.
        timeout: Option<Time>,
    }
    named "command", held 0 s, 60 an hour
}

/// The system's journal.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Journal {
    /// Whether it is told; where there is none, nobody is.
    pub(super) enabled: bool,
}

impl Default for Journal {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Journal {
    /// What it shares with the others.
    pub(super) fn common() -> Common {
        Common {
            name: "journal".to_owned(),
            events: vec![Moment::Opened, Moment::Ongoing, Moment::Closed],
            hold: Duration::ZERO,
            per_hour: 0,
        }
    }
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tls {
    /// Not at all.
    None,
    /// By STARTTLS, or there is no mail.
    Starttls,
    /// From its first byte.
    #[serde(rename = "tls")]
    Implicit,
}

/// The form of a webhook's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// Headroom's own.
    #[default]
    Headroom,
    /// What Slack's, Mattermost's and Rocket.Chat's incoming webhooks take.
    Slack,
}

impl Smtp {
    /// The server.
    pub(super) fn server(&self) -> &str {
        self.host.as_deref().unwrap_or("localhost")
    }

    /// Whether the server is this machine, so that nobody can listen in between.
    fn is_here(&self) -> bool {
        let host = self.server();
        host == "localhost"
            || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }

    /// How it is protected: away from this machine by STARTTLS unless it is said.
    pub(super) fn protection(&self) -> Tls {
        let usual = if self.is_here() { Tls::None } else { Tls::Starttls };
        self.tls.unwrap_or(usual)
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.protection() {
            Tls::None => 25,
            Tls::Starttls => 587,
            Tls::Implicit => 465,
        })
    }

    /// The password's place.
    pub(super) fn password(&self) -> Option<Secret> {
        Secret::of(self.password_file.as_ref(), self.password_credential.as_deref())
    }

    fn check(&self, at: &str) -> Result<(), String> {
        check_mail(at, self.from.as_deref(), &self.to)?;
        one_of(at, "password", self.password_file.is_some(), self.password_credential.is_some())?;
        match (&self.username, self.password()) {
            (Some(_), None) => {
                return Err(format!("{at} username without password_file or password_credential"));
            }
            (None, Some(_)) => return Err(format!("{at} a password without username")),
            (Some(_), Some(_)) if self.protection() == Tls::None && !self.is_here() => {
                return Err(format!(
                    "{at} tls = \"none\": a password is not sent to another machine unprotected; \
                     set tls = \"starttls\" or \"tls\""
                ));
            }
            _ => {}
        }
        if self.ca_file.is_some() && self.protection() == Tls::None {
            return Err(format!("{at} ca_file without tls"));
        }
        Ok(())
    }
}

impl Sendmail {
    /// The same mail by SMTP to this machine's own server.
    pub(super) fn over_smtp(&self) -> Smtp {
        Smtp {
            name: Some(self.common().name),
            events: self.events.clone(),
            hold: self.hold,
            per_hour: self.per_hour,
            host: None,
            port: None,
            tls: None,
            ca_file: None,
            username: None,
            password_file: None,
            password_credential: None,
            from: self.from.clone(),
            to: self.to.clone(),
            html: self.html,
        }
    }
}

impl Webhook {
    /// The address's place, where it is a secret.
    pub(super) fn secret_url(&self) -> Option<Secret> {
        Secret::of(self.url_file.as_ref(), self.url_credential.as_deref())
    }

    /// The key's place.
    pub(super) fn key(&self) -> Option<Secret> {
        Secret::of(self.secret_file.as_ref(), self.secret_credential.as_deref())
    }

    fn check(&self, at: &str) -> Result<(), String> {
        let places = [self.url.is_some(), self.url_file.is_some(), self.url_credential.is_some()];
        if places.iter().filter(|place| **place).count() != 1 {
            return Err(format!("{at} needs one of url, url_file and url_credential"));
        }
        one_of(at, "secret", self.secret_file.is_some(), self.secret_credential.is_some())?;
        if let Some(url) = &self.url {
            super::webhook::check_url(url).map_err(|why| format!("{at} url: {why}"))?;
        }
        Ok(())
    }
}

impl Command {
    fn check(&self, at: &str) -> Result<(), String> {
        match self.command.first() {
            None => Err(format!("{at} command is empty; name a program and its arguments")),
            Some(program) if !program.starts_with('/') => {
                Err(format!("{at} command: \"{program}\" is no absolute path"))
            }
            Some(_) => Ok(()),
        }
    }
}

impl Config {
    /// The node's name, where it has one of its own here.
    pub(super) fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// How long a message may wait, in milliseconds.
    pub(super) fn expire_ms(&self) -> i64 {
        i64::try_from(self.expire.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// All channels' shared settings, in the order of the file.
    fn commons(&self) -> Vec<(&'static str, Common)> {
        let smtp = self.smtp.iter().map(|c| ("smtp", c.common()));
        let sendmail = self.sendmail.iter().map(|c| ("sendmail", c.common()));
        let webhook = self.webhook.iter().map(|c| ("webhook", c.common()));
        let command = self.command.iter().map(|c| ("command", c.common()));
        smtp.chain(sendmail).chain(webhook).chain(command).collect()
    }

    /// What is well-formed and cannot be meant.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut names = vec!["journal".to_owned()];
        for (kind, common) in self.commons() {
            let name = &common.name;
            if name.is_empty()
                || name.len() > 64
                || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            {
                return Err(format!(
                    "[[notify.{kind}]] name = {name:?}: letters, digits, '-', '_' and '.' only"
                ));
            }
            if names.contains(name) {
                return Err(format!(
                    "[[notify.{kind}]] there are two channels \"{name}\"; give each its own name"
                ));
            }
            if common.events.is_empty() {
                return Err(format!("[[notify.{kind}]] \"{name}\" events is empty"));
            }
            names.push(common.name);
        }
        if self.expire.0 < Duration::from_secs(60) {
            return Err("[notify] expire: at least a minute".into());
        }
        if (Duration::from_millis(1)..Duration::from_secs(60)).contains(&self.still_every.0) {
            return Err("[notify] still_every: at least a minute, or \"0s\" for never".into());
        }
        let at = |kind: &str, name: &str| format!("[[notify.{kind}]] \"{name}\"");
        for channel in &self.smtp {
            channel.check(&at("smtp", &channel.common().name))?;
        }
        for channel in &self.sendmail {
            let at = at("sendmail", &channel.common().name);
            check_mail(&at, channel.from.as_deref(), &channel.to)?;
            if channel.program.as_ref().is_some_and(|program| !program.is_absolute()) {
                return Err(format!("{at} program is no absolute path"));
            }
        }
        for channel in &self.webhook {
            channel.check(&at("webhook", &channel.common().name))?;
        }
        for channel in &self.command {
            channel.check(&at("command", &channel.common().name))?;
        }
        Ok(())
    }
}

fn check_mail(at: &str, from: Option<&str>, to: &[String]) -> Result<(), String> {
    if to.is_empty() {
        return Err(format!("{at} to is empty; name who is to receive the mail"));
    }
    for address in to.iter().map(String::as_str).chain(from) {
        super::mail::check_address(address)
            .map_err(|why| format!("{at} \"{address}\" is no mail address: {why}"))?;
    }
    Ok(())
}

fn one_of(at: &str, what: &str, file: bool, credential: bool) -> Result<(), String> {
    if file && credential {
        return Err(format!("{at} {what}_file and {what}_credential: only one of them"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        config.check().map(|()| config)
    }

    #[test]
    fn little_needs_to_be_said() {
        let config = read("[[smtp]]\nto = [\"ops@example.org\"]\n").unwrap();
        let smtp = &config.smtp[0];
        assert_eq!((smtp.server(), smtp.port(), smtp.protection()), ("localhost", 25, Tls::None));
        assert_eq!(smtp.common().name, "smtp");
        assert_eq!(smtp.common().events.len(), 3);
        assert!(read("").unwrap().journal.enabled);
    }

    #[test]
    fn mail_to_another_machine_is_protected_unless_it_is_said() {
        let text = "[[smtp]]\nhost = \"mail.example.org\"\nto = [\"a@example.org\"]\n";
        let config = read(text).unwrap();
        assert_eq!((config.smtp[0].protection(), config.smtp[0].port()), (Tls::Starttls, 587));
        let login = "username = \"u\"\npassword_file = \"/p\"\n";
        assert!(read(&format!("{text}{login}")).is_ok());
        let bare = read(&format!("{text}{login}tls = \"none\"\n")).unwrap_err();
        assert!(bare.contains("a password is not sent to another machine unprotected"), "{bare}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (text, expected) in [
            ("[[smtp]]\nto = []", "to is empty"),
            ("[[smtp]]\nto = [\"nobody\"]", "is no mail address"),
            ("[[smtp]]\nto = [\"a@b.example\\r\\nBcc: x@y.example\"]", "is no mail address"),
            ("[[smtp]]\nto = [\"a@b.example\"]\nusername = \"u\"", "without password_file"),
            ("[[smtp]]\nto = [\"a@b.example\"]\npasword = \"u\"", "unknown field `pasword`"),
            ("[[webhook]]", "one of url, url_file and url_credential"),
            ("[[webhook]]\nurl = \"ftp://x/\"", "https://"),
            ("[[webhook]]\nurl = \"https://\"", "names no host"),
            ("[[command]]\ncommand = []", "command is empty"),
            ("[[command]]\ncommand = [\"page\"]", "no absolute path"),
            ("[[command]]\ncommand = [\"/x\"]\nevents = [\"begun\"]", "unknown variant `begun`"),
            ("[[command]]\ncommand = [\"/x\"]\nname = \"a b\"", "letters, digits"),
            ("[[command]]\ncommand = [\"/x\"]\nname = \"journal\"", "two channels"),
            ("[[smtp]]\nto = [\"a@b.c\"]\n[[smtp]]\nto = [\"a@b.c\"]", "two channels \"smtp\""),
            ("still_every = \"1s\"", "at least a minute"),
            ("expire = \"soon\"", "\"soon\" is not"),
            ("colour = 1", "unknown field `colour`"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(expected), "{text:?} gave {said:?}");
        }
    }
}
