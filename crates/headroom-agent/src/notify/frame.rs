//! What every message of a node is written with: its name, its time zone, and what it may tell.

use headroom_api::notice::LookFurther;
use headroom_api::time::rfc3339;
use headroom_core::text::harmless;
use headroom_core::words::notice as words;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The longest name of a node that is shown.
const NODE: usize = 64;

/// The frame.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// The node's name.
    pub(super) node: String,
    /// The zone in which people read times.
    pub(super) zone: TimeZone,
    /// Whether command lines are told.
    pub(super) command_lines: bool,
    /// How often an incident that lasts is told, in milliseconds; 0 for never.
    pub(super) still_every_ms: i64,
}

impl Frame {
    pub(super) fn new(
        node: &str,
        zone: TimeZone,
        command_lines: bool,
        still_every_ms: i64,
    ) -> Self {
        Self { node: harmless(node, NODE), zone, command_lines, still_every_ms }
    }

    /// A moment for people: `2026-11-24 14:03:20 +01:00`.
    pub(super) fn readable(&self, unix_ms: i64) -> String {
        self.format(unix_ms, "%Y-%m-%d %H:%M:%S %:z")
    }

    /// A moment for a subject line: `24 Nov 14:03`.
    pub(super) fn short(&self, unix_ms: i64) -> String {
        self.format(unix_ms, "%-d %b %H:%M")
    }

    /// A moment that the command line understands after `--since`.
    fn since(&self, unix_ms: i64) -> String {
        self.format(unix_ms, "%Y-%m-%d %H:%M")
    }

    fn format(&self, unix_ms: i64, how: &str) -> String {
        match Timestamp::from_millisecond(unix_ms) {
            Ok(at) => at.to_zoned_datetime(self.zone.clone()).strftime(how).to_string(),
            Err(_) => "?".to_owned(),
        }
    }

    /// The commands to look further into something that began then.
    pub(super) fn commands(&self, first_ms: i64, kernel_kills: bool) -> Vec<LookFurther> {
        let since = self.since(first_ms);
        let line = |command: String, shows: &str| LookFurther { command, shows: shows.to_owned() };
        let history = line(format!("headroom history --since '{since}'"), words::SHOWS_HISTORY);
        // The kills that opened a storm came before it.
        let before = self.since(first_ms - 60_000);
        let explain =
            line(format!("headroom explain --since '{before}'"), words::SHOWS_EXPLANATION);
        let mut commands = vec![history];
        if kernel_kills {
            commands.insert(0, explain);
        }
        commands.push(line("headroom status".to_owned(), words::SHOWS_STATUS));
        commands.push(line("headroom advise".to_owned(), words::SHOWS_ADVICE));
        commands
    }
}

/// A moment on the wire.
pub(super) fn wire(unix_ms: i64) -> Option<String> {
    rfc3339(unix_ms)
}

/// A moment from the wire, in milliseconds since 1970.
pub(super) fn unwire(time: Option<&str>) -> Option<i64> {
    time?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}
