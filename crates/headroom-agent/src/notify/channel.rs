//! What all channels have in common: a notice goes in, and it was taken, failed or was refused.

use std::time::Duration;

use headroom_api::notice::Notice;

use super::config::{Common, Config};
use super::{command, journal, sendmail, smtp, webhook};

/// Why a notice was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody is there, or nobody is let in: everything for this address has to wait.
    Later {
        /// What went wrong, without secrets.
        why: String,
        /// How long the receiver wants to be left alone.
        asked: Option<Duration>,
        /// The receiver may have it all the same.
        unsure: bool,
    },
    /// The receiver will not have this one; others may pass.
    Refused(String),
}

impl Trouble {
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), asked: None, unsure: false }
    }

    /// It broke off when the receiver may have had it already.
    pub(super) fn unsure(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), asked: None, unsure: true }
    }

    /// What is said of it.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Later { why, .. } | Self::Refused(why) => why,
        }
    }
}

/// One message on its way.
pub(super) struct Sending<'a> {
    /// To whom.
    pub(super) address: &'a str,
    /// What.
    pub(super) notice: &'a Notice,
    /// Whether an earlier message began the incident's thread.
    pub(super) follows: bool,
    /// Called just before the point from which on the receiver may have it. Without it nothing may go
    /// out.
    pub(super) hand: &'a mut dyn FnMut() -> Result<(), Trouble>,
}

/// A way to tell somebody. Blocking, and bounded in time.
pub(super) trait Channel: Send {
    /// Delivers one message, and gives back what the receiver answered.
    fn deliver(&mut self, sending: Sending<'_>) -> Result<String, Trouble>;

    /// There is nothing more to send for now: connections may go.
    fn rest(&mut self) {}
}

/// A channel as `agent.toml` has it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What it shares with the others.
    pub(super) common: Common,
    /// `smtp`, `sendmail`, `webhook`, `command` or `journal`.
    pub(super) kind: &'static str,
    /// To whom it delivers; shown, and the key of what is kept for it.
    pub(super) addresses: Vec<String>,
    /// What is wrong with it and does not make it useless.
    pub(super) warnings: Vec<String>,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Smtp(super::config::Smtp),
    Sendmail(super::config::Sendmail),
    Webhook(super::config::Webhook),
    Command(super::config::Command),
    Journal,
}

impl Plan {
    /// Something that delivers by it. `node` is who it says it is.
    pub(super) fn build(&self, node: &str) -> Box<dyn Channel> {
        match &self.how {
            How::Smtp(config) => Box::new(smtp::Smtp::new(config.clone(), node)),
            How::Sendmail(config) => Box::new(sendmail::Sendmail::new(config.clone(), node)),
            How::Webhook(config) => Box::new(webhook::Webhook::new(config.clone())),
            How::Command(config) => Box::new(command::Command::new(config.clone())),
            How::Journal => Box::new(journal::Journal::new(journal::SOCKET.into())),
        }
    }
}

/// The channels of a configuration, in the order of the file.
pub(super) fn plans(config: &Config) -> Vec<Plan> {
    let warn = |secrets: Vec<Option<super::secret::Secret>>| {
        secrets.into_iter().flatten().filter_map(|secret| secret.warning()).collect()
    };
    let mut plans = Vec::new();
    for smtp in &config.smtp {
        plans.push(Plan {
            common: smtp.common(),
            kind: "smtp",
            addresses: smtp.to.clone(),
            warnings: warn(vec![smtp.password()]),
            how: How::Smtp(smtp.clone()),
        });
    }
    for sendmail in &config.sendmail {
        let instead = sendmail::over_smtp(sendmail, sendmail::may_gain_rights());
        plans.push(Plan {
            common: sendmail.common(),
            kind: "sendmail",
            addresses: sendmail.to.clone(),
            warnings: instead.iter().map(|_| sendmail::INSTEAD.to_owned()).collect(),
            how: instead.map_or_else(|| How::Sendmail(sendmail.clone()), How::Smtp),
        });
    }
    for webhook in &config.webhook {
        plans.push(Plan {
            common: webhook.common(),
            kind: "webhook",
            addresses: vec![webhook::shown_address(webhook)],
            warnings: warn(vec![webhook.secret_url(), webhook.key()]),
            how: How::Webhook(webhook.clone()),
        });
    }
    for command in &config.command {
        plans.push(Plan {
            common: command.common(),
            kind: "command",
            addresses: vec![command.command.first().cloned().unwrap_or_default()],
            warnings: Vec::new(),
            how: How::Command(command.clone()),
        });
    }
    if config.journal.enabled && journal::is_there() {
        plans.push(Plan {
            common: super::config::Journal::common(),
            kind: "journal",
            addresses: vec!["systemd-journald".to_owned()],
            warnings: Vec::new(),
            how: How::Journal,
        });
    }
    for plan in &mut plans {
        let mut seen = std::collections::BTreeSet::new();
        plan.addresses.retain(|address| seen.insert(address.clone()));
        for warning in &mut plan.warnings {
            *warning = format!("[[notify.{}]] \"{}\" {warning}", plan.kind, plan.common.name);
        }
    }
    plans
}
