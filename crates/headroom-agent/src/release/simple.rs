//! The services with one rung: php-fpm, whose workers start anew at a reload, and Redis.

use std::time::SystemTime;

use headroom_api::release::{Ask, Release, Rung, VERSION};

use super::cooldown::Cooldown;
use super::ladder::{available, minutes};
use super::redis;
use crate::services::Action;
use crate::state::App;

/// Reloads every php-fpm that runs.
pub(super) async fn php_fpm(app: &App, ask: &Ask) -> Release {
    one_rung(app, "php-fpm", ask, async {
        let reload =
            |what: &str| Rung { rung: "reload".into(), what: what.into(), ..Rung::default() };
        if ask.dry_run {
            return vec![Rung {
                outcome: "would".into(),
                ..reload("reload every php-fpm that runs")
            }];
        }
        match app.services.act("php-fpm", Action::Reload).await {
            Ok(outcomes) => outcomes
                .into_iter()
                .map(|done| {
                    let signed = |kib: u64| i64::try_from(kib).unwrap_or(i64::MAX);
                    let memory = done.before_kib.zip(done.after_kib);
                    Rung {
                        outcome: if done.is_good() { "done" } else { "failed" }.into(),
                        gained_kib: memory.map(|(before, after)| signed(before) - signed(after)),
                        took_ms: Some(done.took_ms),
                        why: done.detail,
                        ..reload(&format!("reload {}", done.unit))
                    }
                })
                .collect(),
            Err(refused) => {
                let why = Some(refused.to_string());
                vec![Rung { outcome: "failed".into(), why, ..reload("reload php-fpm") }]
            }
        }
    })
    .await
}

/// Purges every Redis and Valkey that is found.
pub(super) async fn redis(app: &App, ask: &Ask) -> Release {
    one_rung(app, "redis", ask, async {
        let config = &app.config.release.redis;
        let places: Vec<String> = match &config.at {
            Some(places) => places.clone(),
            None => redis::PLACES.iter().map(|&place| place.into()).collect(),
        };
        let password =
            config.password_file.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        let password = password.as_deref().and_then(|text| text.lines().next());
        let mut rungs = Vec::new();
        for place in &places {
            rungs.extend(redis::purge(place, password, &app.options.root, ask.dry_run).await);
        }
        if rungs.is_empty() {
            let why = Some(format!("nobody answers at {}", places.join(", ")));
            let what = "MEMORY PURGE".into();
            rungs.push(Rung {
                rung: "purge".into(),
                what,
                outcome: "failed".into(),
                why,
                ..Rung::default()
            });
        }
        rungs
    })
    .await
}

async fn one_rung(
    app: &App,
    service: &str,
    ask: &Ask,
    work: impl Future<Output = Vec<Rung>>,
) -> Release {
    let mut release = Release { version: VERSION, service: service.into(), ..Release::default() };
    let cooldown = Cooldown::of(service, &app.options.state_dir);
    let tried = async {
        release.available_mib = available(&app.options.root)?.0 / 1024;
        if cooldown.is_on(minutes(ask.cooldown_min), SystemTime::now()) {
            return Ok("cooling_down");
        }
        if release.available_mib >= ask.below_mib {
            return Ok("not_low");
        }
        if !ask.dry_run {
            cooldown.touch().map_err(|e| format!("the cooldown cannot be kept: {e}"))?;
        }
        release.rungs = work.await;
        if ask.dry_run {
            return Ok("would_release");
        }
        let after = available(&app.options.root)?.0 / 1024;
        release.available_after_mib = Some(after);
        let failed = release.rungs.iter().any(|rung| rung.outcome == "failed");
        Ok::<_, String>(match after >= ask.below_mib {
            true => "released",
            false if failed => "failed",
            false => "not_enough",
        })
    };
    let verdict = tried.await;
    release.verdict = verdict.map(Into::into).unwrap_or_else(|why| {
        release.reasons.push(why);
        "failed".into()
    });
    release
}
