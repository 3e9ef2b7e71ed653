//! Whatever stands in a file, its reader survives it, and so does the advice on what it read.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is a test as a whole")]

use headroom_core::advise::facts::{CronJob, FpmPool, Mysql};
use headroom_core::advise::parse::units::UnitLimits;
use headroom_core::advise::parse::{
    Files, cronlog, crontab, fpm, jvm, mycnf, node, plans, redis, size, varnish, webserver,
};
use headroom_core::advise::{Facts, advise};
use headroom_core::units::Kib;
use proptest::prelude::*;

/// One file, which includes whatever it likes of itself.
struct One(String);

impl Files for One {
    fn text(&mut self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }

    fn list(&mut self, pattern: &str) -> Result<Vec<String>, String> {
        Ok(vec![pattern.to_string(), "/b".into()])
    }
}

/// Text made of what such files are made of.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[ -~]{0,12}",
        r"\PC{0,6}",
        "[0-9]{1,22}[kKmMgGtT%]?",
        prop::sample::select(vec![
            "[mysqld]",
            "[www]",
            "[Service]",
            "[Slice]",
            "!include /b",
            "include=/b",
            "include /b",
            "=",
            "\n",
            "\r\n",
            "* * * * *",
            "*/5",
            "1-5",
            "@daily",
            "root",
            "app",
            "pm.max_children",
            "max_connections",
            "innodb_buffer_pool_size",
            "tmp_table_size",
            "max_heap_table_size",
            "maxmemory",
            "MemoryMax=",
            "MemoryMin=",
            "-Xmx",
            "-s malloc,",
            "root /x;",
            "server {",
            "CRON[7]: (app) CMD (x)",
            "\0",
            "%",
            "18446744073709551615",
            "CRON_TZ=",
            "[[plan]]",
            "memory = \"1GiB\"",
            "#",
            ";",
            "\"",
            "'",
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_survived(text in text(), ram in 0..u64::MAX / 4096) {
        let mut files = One(text.clone());
        let mut facts = Facts::default();
        facts.node.ram = Kib(ram);
        let (options, _) = mycnf::read(&["/a"], mycnf::Flavour::MariaDb, &mut files);
        facts.mysql = Some(Mysql { options, ..Mysql::default() });
        let (pools, _) = fpm::pools("/a", &mut files);
        let mut ini = fpm::Ini::default();
        fpm::ini(&mut ini, "/a", &text);
        facts.fpm = pools.into_iter().map(|pool| FpmPool { pool, ini: ini.clone() }).collect();
        facts.redis.extend(redis::instance("/a", &mut files).map(|(instance, _)| instance));
        facts.varnish = varnish::storage(text.split(' '))
            .map(|size| headroom_core::advise::parse::Said::new(size, "/a"));
        for form in [crontab::Form::System, crontab::Form::User("app")] {
            let (jobs, _) = crontab::read("/a", &text, form, &|_| None);
            facts.jobs.extend(jobs.into_iter().map(|job| CronJob {
                job,
                offset_min: -90,
                peak: None,
                longest_s: None,
                running: 2,
            }));
        }
        for name in ["limited.slice", "mariadb.service"] {
            let mut unit = UnitLimits { name: name.into(), ..UnitLimits::default() };
            unit.read("/a", &text, Kib(ram), &mut Vec::new());
            facts.units.push(unit);
        }
        facts.sites = webserver::sites("/a", &text);
        let lines = text.lines().filter_map(cronlog::line);
        let entries = lines.map(|(pid, user, what)| cronlog::Entry { at_s: 0, pid, user, what });
        facts.runs = cronlog::runs(entries.collect());
        facts.plans = plans::plans(&text).unwrap_or_default();
        let _ = (jvm::heap("/a", &text), node::meminfo(&text, "MemTotal"), node::tmpfs(&text));
        let _ = (node::slabs(&text), size::size(&text, size::Form::Redis));
        for advice in advise(&facts) {
            prop_assert!(!advice.title.is_empty() && !advice.evidence.is_empty());
        }
    }
}
