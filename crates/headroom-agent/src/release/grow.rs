//! The pool grows back, a step at a time, as room returns; also after an agent that was killed.

use std::path::Path;
use std::time::Duration;

use headroom_core::units::Kib;
use tokio::time::sleep;

use super::Mysql;
use super::kept::Kept;
use super::ladder::{available, started};
use crate::mysql::{self, Pool, Server, resize};
use crate::say;
use crate::state::App;

/// A step of growing is this part of the configured size.
const STEPS: u64 = 8;

pub(super) fn start(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        let every = app.config.release.mysql.grow_every.0.max(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = app.stops() => return,
                () = sleep(every) => {}
            }
            let (config, state_dir) = (&app.config.release.mysql, &app.options.state_dir);
            // Not while a release is under way.
            let _alone = app.releases.alone().await;
            match step(&app.config.mysql, config, state_dir, &app.options.root).await {
                Ok(None) => {}
                Ok(Some(line)) | Err(line) => say(&line),
            }
        }
    });
}

/// One step, if something was kept and there is room. Says what it did.
pub(super) async fn step(
    mysql: &mysql::Config,
    config: &Mysql,
    state_dir: &Path,
    root: &Path,
) -> Result<Option<String>, String> {
    let Some(kept) = Kept::read(state_dir) else { return Ok(None) };
    let mut server =
        Server::connect(mysql, root).await.map_err(|e| format!("growing the pool: {e}"))?;
    let pool = Pool::of(&mut server).await.map_err(|e| format!("growing the pool: {e}"))?;
    if pool.bytes >= kept.bytes || kept.is_over(started(&pool)) {
        Kept::forget(state_dir);
        return Ok(Some("the buffer pool has its configured size again".into()));
    }
    let step = (kept.bytes / STEPS).div_ceil(pool.step) * pool.step;
    let target = pool.bytes.saturating_add(step).min(kept.bytes);
    let needs = Kib::from_mib(kept.below_mib)
        .saturating_add(config.grow_margin.0)
        .saturating_add(Kib::from_bytes(target - pool.bytes));
    if available(root)? < needs {
        return Ok(None);
    }
    let size = resize(&mut server, target, config.resize_within.0)
        .await
        .map_err(|e| format!("growing the pool: {e}"))?;
    let of = Kib::from_bytes(kept.bytes);
    if size >= kept.bytes {
        Kept::forget(state_dir);
    }
    Ok(Some(format!("the buffer pool has grown to {} of {of}", Kib::from_bytes(size))))
}
