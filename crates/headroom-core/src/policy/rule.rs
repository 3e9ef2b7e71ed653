//! Rules: which processes one takes, and which condition kept it from taking one.
//!
//! A name alone proves nothing (any script may call itself `mysqld`), so the shipped rules ask for
//! unit, user and executable together.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::{Class, Glob, Identity, Role};

/// A range of user ids, written `"0"`, `"1-999"` or `"1000-"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UidRange {
    first: u32,
    last: u32,
}

impl UidRange {
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = match text.split_once('-') {
            None => (text.parse().ok()?, text.parse().ok()?),
            Some((first, "")) => (first.parse().ok()?, u32::MAX),
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
        };
        (first <= last).then_some(Self { first, last })
    }

    /// Whether `uid` lies in it.
    #[must_use]
    pub const fn contains(self, uid: u32) -> bool {
        self.first <= uid && uid <= self.last
    }
}

impl fmt::Display for UidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, u32::MAX) => write!(f, "{first}-"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl<'de> Deserialize<'de> for UidRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(alloc::format!(
                "\"{text}\" is not a range of user ids such as \"0\", \"1-999\" or \"1000-\""
            ))
        })
    }
}

/// A user by name. The core reads no files, so whoever loads the policy looks the name up
/// ([`super::Layer::resolve_users`]); a user without an id is nobody.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "toml::Spanned<String>")]
pub struct User {
    /// The name as written.
    pub name: String,
    /// Where it stands in the text, in bytes.
    pub(super) at: usize,
    /// Its id, once it was looked up.
    pub uid: Option<u32>,
}

impl From<toml::Spanned<String>> for User {
    fn from(written: toml::Spanned<String>) -> Self {
        let at = written.span().start;
        Self { name: written.into_inner(), at, uid: None }
    }
}

/// Who ends when relief chooses a process of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slay {
    /// It alone.
    #[default]
    Process,
    /// Its whole session: a cron job with all it started, a login with all its commands.
    Session,
    /// Everything in its cgroup: a unit, a container.
    Unit,
}

/// One rule: every condition that is given must hold, and of each at least one value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Rule {
    /// Its name, as `rank` and the journal show it.
    pub name: String,
    /// The class it gives.
    pub class: Class,
    /// System units (`mariadb.service`).
    #[serde(default)]
    pub unit: Vec<Glob>,
    /// Slices, whichever of those it lies in (`user-1000.slice`, `system.slice`).
    #[serde(default)]
    pub slice: Vec<Glob>,
    /// Whole cgroup paths (`/user.slice/*`).
    #[serde(default)]
    pub cgroup: Vec<Glob>,
    /// Executables with their paths.
    #[serde(default)]
    pub exe: Vec<Glob>,
    /// Command names; a program may choose its own, so never the only condition of a shipped rule.
    #[serde(default)]
    pub comm: Vec<Glob>,
    /// Command lines, with a blank between the arguments.
    #[serde(default)]
    pub command: Vec<Glob>,
    /// Effective users by number.
    #[serde(default)]
    pub uid: Vec<UidRange>,
    /// Effective users by name.
    #[serde(default)]
    pub user: Vec<User>,
    /// Parts played, by executable and title together.
    #[serde(default)]
    pub role: Vec<Role>,
    /// Whether it belongs to a login session.
    #[serde(default)]
    pub session: Option<bool>,
    /// The parent's command names.
    #[serde(default)]
    pub parent: Vec<Glob>,
    /// The parent's effective users.
    #[serde(default)]
    pub parent_uid: Vec<UidRange>,
    /// The parent's executables.
    #[serde(default)]
    pub parent_exe: Vec<Glob>,
    /// A value of its own instead of the class's.
    #[serde(default)]
    pub oom_score_adj: Option<super::Score>,
    /// Who ends with a process that relief chooses.
    #[serde(default)]
    pub slay: Slay,
}

/// What a rule may ask for, named as in the policy file, in the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// [`Rule::uid`].
    Uid,
    /// [`Rule::user`].
    User,
    /// [`Rule::unit`].
    Unit,
    /// [`Rule::slice`].
    Slice,
    /// [`Rule::cgroup`].
    Cgroup,
    /// [`Rule::session`].
    Session,
    /// [`Rule::exe`].
    Exe,
    /// [`Rule::comm`].
    Comm,
    /// [`Rule::command`].
    Command,
    /// [`Rule::role`].
    Role,
    /// [`Rule::parent`].
    Parent,
    /// [`Rule::parent_uid`].
    ParentUid,
    /// [`Rule::parent_exe`].
    ParentExe,
}

impl Condition {
    /// All of them: what is cheap to compare comes first.
    pub const ALL: [Self; 13] = [
        Self::Uid,
        Self::User,
        Self::Session,
        Self::Unit,
        Self::Slice,
        Self::Cgroup,
        Self::Comm,
        Self::Exe,
        Self::Role,
        Self::Command,
        Self::ParentUid,
        Self::Parent,
        Self::ParentExe,
    ];

    /// Its key in the policy file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::User => "user",
            Self::Unit => "unit",
            Self::Slice => "slice",
            Self::Cgroup => "cgroup",
            Self::Session => "session",
            Self::Exe => "exe",
            Self::Comm => "comm",
            Self::Command => "command",
            Self::Role => "role",
            Self::Parent => "parent",
            Self::ParentUid => "parent_uid",
            Self::ParentExe => "parent_exe",
        }
    }
}

impl Rule {
    /// Whether it has any condition at all; one without would match everything behind it.
    #[must_use]
    pub fn has_condition(&self) -> bool {
        Condition::ALL.iter().any(|condition| self.asks(*condition))
    }

    /// Whether it has this condition.
    #[must_use]
    pub const fn asks(&self, condition: Condition) -> bool {
        match condition {
            Condition::Uid => !self.uid.is_empty(),
            Condition::User => !self.user.is_empty(),
            Condition::Unit => !self.unit.is_empty(),
            Condition::Slice => !self.slice.is_empty(),
            Condition::Cgroup => !self.cgroup.is_empty(),
            Condition::Session => self.session.is_some(),
            Condition::Exe => !self.exe.is_empty(),
            Condition::Comm => !self.comm.is_empty(),
            Condition::Command => !self.command.is_empty(),
            Condition::Role => !self.role.is_empty(),
            Condition::Parent => !self.parent.is_empty(),
            Condition::ParentUid => !self.parent_uid.is_empty(),
            Condition::ParentExe => !self.parent_exe.is_empty(),
        }
    }

    /// The values this condition accepts, as written.
    #[must_use]
    pub fn accepted(&self, condition: Condition) -> Vec<String> {
        fn texts<T: fmt::Display>(values: &[T]) -> Vec<String> {
            values.iter().map(ToString::to_string).collect()
        }
        match condition {
            Condition::Uid => texts(&self.uid),
            Condition::User => self.user.iter().map(|user| user.name.clone()).collect(),
            Condition::Unit => texts(&self.unit),
            Condition::Slice => texts(&self.slice),
            Condition::Cgroup => texts(&self.cgroup),
            Condition::Session => self.session.iter().map(ToString::to_string).collect(),
            Condition::Exe => texts(&self.exe),
            Condition::Comm => texts(&self.comm),
            Condition::Command => texts(&self.command),
            Condition::Role => texts(&self.role),
            Condition::Parent => texts(&self.parent),
            Condition::ParentUid => texts(&self.parent_uid),
            Condition::ParentExe => texts(&self.parent_exe),
        }
    }

    /// The first condition that keeps this rule from taking a process, `None` when it takes it.
    /// `parent` is the parent's command name. Never allocates.
    #[must_use]
    pub fn refuses(&self, who: &Identity<'_>, parent: Option<&[u8]>) -> Option<Condition> {
        Condition::ALL
            .into_iter()
            .find(|condition| self.asks(*condition) && !self.holds(*condition, who, parent))
    }

    fn holds(&self, condition: Condition, who: &Identity<'_>, parent: Option<&[u8]>) -> bool {
        match condition {
            Condition::Uid => in_ranges(&self.uid, Some(who.uid)),
            Condition::User => self.user.iter().any(|user| user.uid == Some(who.uid)),
            Condition::Unit => any(&self.unit, who.unit()),
            Condition::Slice => who.slices().any(|slice| any(&self.slice, Some(slice))),
            Condition::Cgroup => any(&self.cgroup, who.cgroup),
            Condition::Session => who.in_session().is_some() && self.session == who.in_session(),
            Condition::Exe => executable(&self.exe, who.exe, who.comm),
            Condition::Comm => any(&self.comm, Some(who.comm)),
            Condition::Command => command(&self.command, who.cmdline),
            Condition::Role => who.role().is_some_and(|role| self.role.contains(&role)),
            Condition::Parent => any(&self.parent, parent),
            Condition::ParentUid => in_ranges(&self.parent_uid, who.parent_uid),
            Condition::ParentExe => any(&self.parent_exe, who.parent_exe),
        }
    }
}

fn any(globs: &[Glob], value: Option<&[u8]>) -> bool {
    value.is_some_and(|v| globs.iter().any(|g| g.matches(v)))
}

fn in_ranges(ranges: &[UidRange], uid: Option<u32>) -> bool {
    uid.is_some_and(|u| ranges.iter().any(|r| r.contains(u)))
}

/// Without the right to read the executable its name must do: such a guard only looks on anyway.
fn executable(globs: &[Glob], exe: Option<&[u8]>, comm: &[u8]) -> bool {
    match exe {
        Some(_) => any(globs, exe),
        None => globs.iter().any(|g| g.matches_name_of(comm)),
    }
}

fn command(globs: &[Glob], cmdline: Option<&[u8]>) -> bool {
    /// Longer command lines are compared by their beginning only.
    const LONGEST: usize = 1024;
    let Some(cmdline) = cmdline else { return false };
    let mut spaced = [0; LONGEST];
    let len = cmdline.len().min(LONGEST);
    for (to, &from) in spaced.iter_mut().zip(cmdline) {
        *to = if from == 0 { b' ' } else { from };
    }
    any(globs, spaced.get(..len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ranges_are_closed_or_open_above_and_print_as_written() {
        let range = |text| UidRange::parse(text);
        assert!(range("1000-").is_some_and(|r| r.contains(1000) && !r.contains(999)));
        assert!(range("1-999").is_some_and(|r| r.contains(33) && !r.contains(0)));
        assert!(range("0").is_some_and(|r| r.contains(0) && !r.contains(1)));
        assert_eq!(range("9-1"), None);
        assert_eq!(range("root"), None);
        for text in ["0", "1-999", "1000-"] {
            assert_eq!(range(text).map(|r| r.to_string()), Some(text.to_string()));
        }
    }
}
