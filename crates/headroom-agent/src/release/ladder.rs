//! The database's ladder: the gentlest rung first, each measured by what its process holds, until enough is
//! available again.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use headroom_api::release::{Ask, Release, Rung, VERSION};
use headroom_core::units::Kib;
use headroom_sys::proc::Proc;

use super::Mysql;
use super::cooldown::Cooldown;
use super::kept::Kept;
use crate::mysql::{self, DbError, Pool, Server, end_query, heaviest, hindrances, resize};

/// What comes back shows in the kernel's account after this.
const SHOWS_AFTER: Duration = Duration::from_millis(300);
/// More than what is missing is asked for, since not all of it comes.
const EXTRA: Kib = Kib::from_mib(64);

/// The last rung: a graceful restart, by whoever can.
pub(crate) trait Restart: Send + Sync {
    /// Restarts the database and waits until it answers. `Err` says why not.
    fn restart(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// What a release goes by.
pub(crate) struct Ladder<'a, R> {
    pub(crate) mysql: &'a mysql::Config,
    pub(crate) config: &'a Mysql,
    pub(crate) state_dir: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) restart: R,
}

/// The available memory of the node.
pub(super) fn available(root: &std::path::Path) -> Result<Kib, String> {
    let mut proc = Proc::open(root).map_err(|e| format!("/proc: {e}"))?;
    proc.memory().map(|memory| memory.available).map_err(|e| format!("/proc/meminfo: {e}"))
}

impl<R: Restart> Ladder<'_, R> {
    /// Releases what is asked for. A refusal is an answer and no error.
    pub(crate) async fn climb(&self, ask: &Ask) -> Release {
        let mut release =
            Release { version: VERSION, service: "mysql".into(), ..Release::default() };
        let verdict = self.try_climb(ask, &mut release).await;
        release.verdict = verdict.unwrap_or_else(|why| {
            release.reasons.push(why);
            "failed".into()
        });
        release
    }

    async fn try_climb(&self, ask: &Ask, release: &mut Release) -> Result<String, String> {
        let cooldown = Cooldown::of("mysql", &self.state_dir);
        let before = available(&self.root)?;
        release.available_mib = before.0 / 1024;
        if cooldown.is_on(minutes(ask.cooldown_min), SystemTime::now()) {
            return Ok("cooling_down".into());
        }
        if release.available_mib >= ask.below_mib {
            return Ok("not_low".into());
        }
        let mut server = match Server::connect(self.mysql, &self.root).await {
            Ok(server) => Some(server),
            // Without its user nothing can be done online and nothing be known; a restart blindly is what
            // --force is for.
            Err(error) if ask.force && !ask.online_only => {
                release.reasons.push(error.to_string());
                None
            }
            Err(error) => return Err(error.to_string()),
        };
        if let Some(server) = &mut server {
            release.before_kib = server.held().map(|held| held.0);
            let busy = hindrances(server, &self.root, self.config.transaction.0)
                .await
                .map_err(|e| e.to_string())?;
            release.reasons.extend(busy.unknown.iter().map(|what| format!("not known: {what}")));
            if !busy.reasons.is_empty() {
                release.reasons.extend(busy.reasons);
                if !ask.force {
                    return Ok("busy".into());
                }
            }
        }
        if !ask.dry_run {
            let path = self.state_dir.display();
            cooldown.touch().map_err(|e| format!("{path}: the cooldown cannot be kept: {e}"))?;
        }
        if let Some(server) = &mut server {
            self.online(server, ask, release).await?;
        }
        if ask.dry_run {
            let may = if ask.online_only { "skipped" } else { "would" };
            release.rungs.push(restart_rung(may, ask));
            return Ok("would_release".into());
        }
        if self.is_low(ask)? && !ask.online_only {
            self.restart_it(ask, release).await;
        } else {
            release.rungs.push(restart_rung("skipped", ask));
        }
        // A server that was restarted is another process.
        if let Ok(server) = Server::connect(self.mysql, &self.root).await {
            release.after_kib = server.held().map(|held| held.0);
        }
        let after = available(&self.root)?.0 / 1024;
        release.available_after_mib = Some(after);
        let failed = release.rungs.iter().any(|r| r.rung == "restart" && r.outcome == "failed");
        Ok(match after >= ask.below_mib {
            true => "released",
            false if failed => "failed",
            false => "not_enough",
        }
        .into())
    }

    fn is_low(&self, ask: &Ask) -> Result<bool, String> {
        Ok(available(&self.root)?.0 / 1024 < ask.below_mib)
    }

    /// What is missing, and some more.
    fn missing(&self, ask: &Ask) -> Result<Kib, String> {
        Ok(Kib::from_mib(ask.below_mib)
            .saturating_sub(available(&self.root)?)
            .saturating_add(EXTRA))
    }

    /// The rungs that nobody notices.
    async fn online(
        &self,
        server: &mut Server,
        ask: &Ask,
        release: &mut Release,
    ) -> Result<(), String> {
        if self.config.query.0 > Kib::ZERO {
            self.end_query(server, ask, release).await;
        }
        if !self.is_low(ask)? {
            return Ok(());
        }
        let wanted = self.missing(ask)?;
        self.shrink(server, ask, wanted, release).await;
        if ask.dry_run {
            let what = "FLUSH TABLES".into();
            release.rungs.push(Rung {
                rung: "flush_tables".into(),
                what,
                outcome: "would".into(),
                ..Rung::default()
            });
            return Ok(());
        }
        if !self.is_low(ask)? {
            return Ok(());
        }
        let (measure, what) = (Measure::begin(server), "FLUSH TABLES".to_owned());
        let done = server.flush_tables().await;
        release.rungs.push(measure.end(server, "flush_tables", what, done).await);
        Ok(())
    }

    /// One query that holds much is the storm itself; one that holds little is left alone.
    async fn end_query(&self, server: &mut Server, ask: &Ask, release: &mut Release) {
        let heavy = match heaviest(server).await {
            Ok(heavy) => heavy.filter(|heavy| heavy.held >= self.config.query.0),
            Err(error) => {
                return release.reasons.push(format!("not known: what each query holds: {error}"));
            }
        };
        let Some(heavy) = heavy else { return };
        let what = format!(
            "end the query of {} on connection {}, which runs for {} s and holds {}",
            heavy.user,
            heavy.id,
            heavy.ran.as_secs(),
            heavy.held
        );
        if ask.dry_run {
            let rung =
                Rung { rung: "end_query".into(), what, outcome: "would".into(), ..Rung::default() };
            return release.rungs.push(rung);
        }
        let measure = Measure::begin(server);
        let done = end_query(server, heavy.id).await;
        release.rungs.push(measure.end(server, "end_query", what, done).await);
    }

    async fn shrink(&self, server: &mut Server, ask: &Ask, wanted: Kib, release: &mut Release) {
        let mut rung = Rung {
            rung: "shrink_pool".into(),
            what: "shrink the buffer pool".into(),
            ..Rung::default()
        };
        let mut skip = |why: String| {
            rung.outcome = "skipped".into();
            rung.why = Some(why);
            release.rungs.push(rung.clone());
        };
        let pool = match Pool::of(server).await {
            Ok(pool) => pool,
            Err(error) => return skip(error.to_string()),
        };
        if pool.large_pages {
            return skip("it is made of huge pages, which do not go back to the node".into());
        }
        let started = started(&pool);
        let kept = Kept::read(&self.state_dir).filter(|kept| !kept.is_over(started));
        let configured = kept.map_or(pool.bytes, |kept| kept.bytes.max(pool.bytes));
        let least = configured / 100 * u64::from(self.config.least.0);
        let least = least.max(self.config.least_size.0.0 * 1024);
        let Some(target) = pool.shrunk_by(wanted, least) else {
            return skip(format!(
                "its {} cannot shrink further, by steps of {} and not under {}",
                Kib::from_bytes(pool.bytes),
                Kib::from_bytes(pool.step),
                Kib::from_bytes(least)
            ));
        };
        let (from, to) = (Kib::from_bytes(pool.bytes), Kib::from_bytes(target));
        let what = format!("shrink the buffer pool from {from} to {to}");
        if ask.dry_run {
            release.rungs.push(Rung { what, outcome: "would".into(), ..rung });
            return;
        }
        let keeps = Kept { bytes: configured, server_started: started, below_mib: ask.below_mib };
        if let Err(error) = keeps.write(&self.state_dir) {
            return skip(format!("its size cannot be kept on the disk first: {error}"));
        }
        let measure = Measure::begin(server);
        let done = resize(server, target, self.config.resize_within.0).await;
        release.rungs.push(measure.end(server, "shrink_pool", what, done.map(drop)).await);
    }

    async fn restart_it(&self, ask: &Ask, release: &mut Release) {
        let mut rung = restart_rung("done", ask);
        let before = Server::connect(self.mysql, &self.root).await.ok().and_then(|s| s.held());
        let begin = Instant::now();
        match self.restart.restart().await {
            Ok(()) => {
                // A restart brings the configured size back.
                Kept::forget(&self.state_dir);
                tokio::time::sleep(SHOWS_AFTER).await;
                let after =
                    Server::connect(self.mysql, &self.root).await.ok().and_then(|s| s.held());
                rung.gained_kib = before.zip(after).map(|(before, after)| gain(before, after));
            }
            Err(why) => {
                rung.outcome = "failed".into();
                rung.why = Some(why);
            }
        }
        rung.took_ms = Some(millis(begin));
        release.rungs.push(rung);
    }
}

/// When the server started, in seconds since 1970.
pub(super) fn started(pool: &Pool) -> i64 {
    let now = jiff::Timestamp::now().as_second();
    now.saturating_sub(i64::try_from(pool.uptime).unwrap_or(i64::MAX))
}

pub(super) fn minutes(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60))
}

pub(super) fn millis(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn gain(before: Kib, after: Kib) -> i64 {
    let signed = |kib: Kib| i64::try_from(kib.0).unwrap_or(i64::MAX);
    signed(before).saturating_sub(signed(after))
}

fn restart_rung(outcome: &str, ask: &Ask) -> Rung {
    let why = if ask.online_only { "not asked for" } else { "not needed" };
    let why = (outcome == "skipped").then(|| why.to_owned());
    let what = "restart it gracefully".into();
    Rung { rung: "restart".into(), what, outcome: outcome.into(), why, ..Rung::default() }
}

/// The measure of one rung: what the process holds before and after.
struct Measure {
    before: Option<Kib>,
    begin: Instant,
}

impl Measure {
    fn begin(server: &Server) -> Self {
        Self { before: server.held(), begin: Instant::now() }
    }

    async fn end(
        self,
        server: &Server,
        rung: &str,
        what: String,
        done: Result<(), DbError>,
    ) -> Rung {
        let took_ms = millis(self.begin);
        tokio::time::sleep(SHOWS_AFTER).await;
        let gained = self.before.zip(server.held()).map(|(before, after)| gain(before, after));
        Rung {
            rung: rung.into(),
            what,
            outcome: if done.is_ok() { "done" } else { "failed" }.into(),
            gained_kib: gained,
            took_ms: Some(took_ms),
            why: done.err().map(|e| e.to_string()),
        }
    }
}
