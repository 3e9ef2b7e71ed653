//! A notice: what Headroom tells people and other programs about an incident, by mail, webhook,
//! command or the system's journal. As JSON it is a webhook's body and a command's standard input.
//!
//! Every text in it is one line and harmless on a terminal: control characters and those that turn
//! the direction of writing are made visible. It is not escaped for HTML or a chat's markup; each
//! channel does that for itself.

use serde::{Deserialize, Serialize};

/// Which moment of an incident a notice is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// It began.
    #[default]
    Opened,
    /// It lasts.
    Ongoing,
    /// It is over.
    Closed,
    /// What the cap per hour held back, together.
    Digest,
    /// What could not be delivered in time, together.
    Summary,
    /// Somebody asked for it, to see whether it arrives.
    Test,
}

impl NoticeKind {
    /// Its name in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Ongoing => "ongoing",
            Self::Closed => "closed",
            Self::Digest => "digest",
            Self::Summary => "summary",
            Self::Test => "test",
        }
    }
}

/// One notice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Notice {
    /// Version of this form.
    pub version: u32,
    /// The same however often it is delivered: whoever remembers it sees nothing twice.
    pub id: String,
    /// Which moment.
    pub kind: NoticeKind,
    /// The node's name.
    pub node: String,
    /// When it was written.
    pub time: Option<String>,
    /// One line for a subject; the same for all notices of an incident.
    pub title: String,
    /// How things stand, one sentence.
    pub state: String,
    /// Why memory ran out and what was done, a line each.
    pub explanation: Vec<String>,
    /// Commands that tell more.
    pub look_further: Vec<LookFurther>,
    /// The incident; `null` where it is about none or several.
    pub incident: Option<NoticeIncident>,
    /// What a digest or a summary stands for.
    pub gathered: Option<Gathered>,
    /// What is to be known about the messages themselves.
    pub note: Option<String>,
}

/// A command to type on the node, and what it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LookFurther {
    /// The command.
    pub command: String,
    /// What it shows.
    pub shows: String,
}

/// An incident so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct NoticeIncident {
    /// The id `headroom history` or `headroom explain` gives it.
    pub id: String,
    /// `guard` for a storm Headroom acted in, `kernel` for kills that only the kernel's log tells of.
    pub source: String,
    /// The guard's number of it.
    pub number: Option<u64>,
    /// The zone that was short.
    pub zone: Option<String>,
    /// The set of thresholds in force.
    pub policy: Option<String>,
    /// Why relief began: `kills`, `floor`, `horizon`, `thrashing`, `taken-over` or `request`.
    pub trigger: Option<String>,
    /// The guard only said what it would do.
    pub dry_run: bool,
    /// When it began.
    pub first: Option<String>,
    /// When it was over; `null` while it lasts or when nobody saw its end.
    pub last: Option<String>,
    /// How long it has lasted, in seconds.
    pub lasted_s: u64,
    /// Processes the guard ended.
    pub slain: u64,
    /// Jobs that were made to wait.
    pub paused: u64,
    /// Jobs that still wait.
    pub waiting: u64,
    /// Processes the kernel killed; `null` where that is not known yet.
    pub kernel_oom_kills: Option<u64>,
    /// Who died, those that held most first.
    pub victims: Vec<NoticeVictim>,
    /// Victims that are not listed.
    pub more_victims: u64,
}

/// One process that was ended or killed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct NoticeVictim {
    /// Its number.
    pub pid: Option<i64>,
    /// Its name.
    pub comm: String,
    /// The beginning of its command line, passwords made unreadable; `null` where it is not known
    /// or not to be told.
    pub cmdline: Option<String>,
    /// `headroom`, `kernel`, or another killer's name.
    pub by: String,
    /// What it held or gave back.
    pub kib: Option<u64>,
    /// `gone`, `refused`, `vanished` or `failed`; `null` while it is awaited.
    pub outcome: Option<String>,
}

/// Several notices told as one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Gathered {
    /// How many notices.
    pub notices: u64,
    /// About how many incidents.
    pub incidents: u64,
    /// When the first was written.
    pub from: Option<String>,
    /// When the last was.
    pub until: Option<String>,
    /// Processes the guard ended in these incidents.
    pub slain: u64,
    /// Processes the kernel killed in them.
    pub kernel_oom_kills: u64,
    /// The incidents, in the order of time.
    pub listed: Vec<GatheredIncident>,
    /// Incidents that are not listed.
    pub omitted: u64,
}

/// An incident in a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct GatheredIncident {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How it stood when it was last told.
    pub state: String,
    /// When it began.
    pub first: Option<String>,
    /// When it was over.
    pub last: Option<String>,
}

/// `headroom notify list`: where notices go and how that works.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Outlets {
    /// Version of this form.
    pub version: u32,
    /// A row for each address of each channel.
    pub outlets: Vec<Outlet>,
    /// What is wrong with the settings without making them useless, a sentence each.
    pub warnings: Vec<String>,
}

/// One address of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Outlet {
    /// The channel's name in agent.toml.
    pub channel: String,
    /// `smtp`, `sendmail`, `webhook`, `command` or `journal`.
    pub kind: String,
    /// Where it goes; a webhook's address only as far as it is no secret.
    pub address: String,
    /// `ok`, `failing` or `unused`.
    pub state: String,
    /// Notices that wait.
    pub waiting: u64,
    /// Notices delivered within the last day.
    pub sent_today: u64,
    /// When one was last delivered.
    pub last_sent: Option<String>,
    /// What went wrong last, while it is `failing`.
    pub error: Option<String>,
    /// When it is tried again.
    pub next_try: Option<String>,
}

/// `headroom notify test`: what came of it, a row for each address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Tested {
    /// Version of this form.
    pub version: u32,
    /// The rows.
    pub tests: Vec<TestOutcome>,
}

/// What came of one test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct TestOutcome {
    /// The channel's name.
    pub channel: String,
    /// Where it went.
    pub address: String,
    /// Whether the other side took it.
    pub delivered: bool,
    /// What the other side answered, or why it failed.
    pub answer: String,
    /// How long it took.
    pub took_ms: u64,
}
