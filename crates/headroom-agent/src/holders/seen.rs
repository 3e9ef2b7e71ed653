//! What one question to the database tells: its threads, what they hold, who waits.

use std::collections::HashMap;

use headroom_core::snapshot::Moment;

/// A connection to the database and the thread that serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    /// Its number, given out in rising order.
    pub(crate) id: u64,
    /// The pid that the kernel gave the thread; `None` when the server does not tell.
    pub(crate) tid: Option<i32>,
    /// What it does.
    pub(crate) doing: Doing,
    /// No earlier than this its statement began, or, when it is asleep, its last one ended.
    pub(crate) active: Moment,
    /// The number of its last statement.
    pub(crate) query: u64,
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// The client has not logged in yet, so that it has sent no statement.
    LogsIn,
    /// It waits for the client's next statement.
    Asleep,
    /// A statement is under way.
    Busy,
    /// A statement is under way and waits for a lock of this kind.
    Waits(Kind),
}

impl Doing {
    /// A statement is under way.
    pub(crate) const fn is_busy(self) -> bool {
        matches!(self, Self::Busy | Self::Waits(_))
    }
}

/// What can be locked, as far as a thread's state tells what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A table, by LOCK TABLES, by its metadata, by what is open of it.
    Table,
    /// A name, by `GET_LOCK`.
    User,
    /// Anything else: a schema, a routine, everything for a backup.
    Other,
}

impl Kind {
    /// What `PROCESSLIST.STATE` says is waited for (`mdl.cc`, `lock.cc`).
    pub(crate) fn waited_for(state: &str) -> Option<Self> {
        if state == "User lock" {
            return Some(Self::User);
        }
        let what = state.strip_prefix("Waiting for ")?;
        let is_lock = what.ends_with(" lock") || what.starts_with("table");
        is_lock.then(|| if what.starts_with("table") { Self::Table } else { Self::Other })
    }

    /// What `METADATA_LOCK_INFO.LOCK_TYPE` says is held.
    pub(crate) fn held(lock_type: &str) -> Self {
        match lock_type {
            "Table metadata lock" => Self::Table,
            "User lock" => Self::User,
            _ => Self::Other,
        }
    }
}

/// A lock that a thread has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) kind: Kind,
    /// About when it was given: just now, where the server does not tell.
    pub(crate) granted: Moment,
    /// Others can neither read nor write what it is on, or only one of the two.
    pub(crate) excludes: bool,
}

impl Ticket {
    /// Whether a `LOCK_MODE` keeps out statements of others that change no table's form.
    pub(crate) fn excludes(mode: &str) -> bool {
        const SHARES: [&str; 6] = [
            "MDL_SHARED",
            "MDL_SHARED_HIGH_PRIO",
            "MDL_SHARED_READ",
            "MDL_SHARED_WRITE",
            "MDL_SHARED_UPGRADABLE",
            "MDL_INTENTION_EXCLUSIVE",
        ];
        !SHARES.contains(&mode)
    }
}

/// The locks of each thread that has any.
pub(crate) type Tickets = HashMap<u64, Vec<Ticket>>;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Before the question.
    pub(crate) asked: Moment,
    /// Its clients' threads, without the one that asked. Looked at before the locks, so that what
    /// slept had already got what it was going to have.
    pub(crate) threads: Vec<Thread>,
    /// Metadata locks, which whoever has any other lock has as well: row locks last as long as the
    /// metadata lock of their table, LOCK TABLES and `GET_LOCK` are some. `None` when the server does
    /// not tell.
    pub(crate) tickets: Option<Tickets>,
    /// Threads with a transaction open.
    pub(crate) transactions: Vec<u64>,
    /// Threads with row locks that others wait for.
    pub(crate) blocking: Vec<u64>,
    /// The server tells neither when a statement began nor which it is: of a stop nothing follows but from
    /// the threads that serve who was stopped.
    pub(crate) has_no_history: bool,
}
