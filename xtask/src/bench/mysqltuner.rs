//! `cargo xtask bench mysqltuner`: what Headroom and MySQLTuner say about the memory of one misconfigured
//! server, beside what that server really takes. Writes a section of docs/advise-results.md.

mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use self::server::{OPTIONS, Server, install};
use super::{measure, write_section_to};
use crate::{Outcome, say, tree};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program; it is built when none is named
    #[arg(long, value_name = "FILE")]
    headroom: Option<PathBuf>,
}

/// The document, from the project's root.
const DOCUMENT: &str = "docs/advise-results.md";
const PREAMBLE: &str = "# What advice is worth

What `headroom advise` says beside the truth. Each part is written by the command it names.
";

/// Connections that fill a temporary table at once, to see what one takes.
const AT_ONCE: u64 = 4;

/// Measures and writes the section.
pub(crate) fn run(args: &Args) -> Outcome {
    let headroom = match &args.headroom {
        Some(program) => program.clone(),
        None => tree::release_headroom()?,
    };
    let folder = tempfile::Builder::new().prefix("headroom-bench-").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    install(folder.path())?;

    say("bench: what the performance schema takes");
    let server = Server::start(folder.path(), &["performance_schema=OFF"])?;
    let without = server.pss()?;
    drop(server);
    let mut server = Server::start(folder.path(), &[])?;
    let schema = server.pss()?.saturating_sub(without);
    server.sql(
        "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a VARCHAR(200), \
         b INT, c VARCHAR(400)) ENGINE=InnoDB; INSERT INTO t (a, b, c) SELECT MD5(seq), seq % 1000, \
         REPEAT(MD5(seq), 10) FROM seq_1_to_100000; ANALYZE TABLE t",
    )?;
    let data = fs::metadata(folder.path().join("data/shop/t.ibd"))?.len() / 1024;

    say("bench: what a connection takes");
    let before = server.pss()?;
    let fill = "CREATE TEMPORARY TABLE x (a VARCHAR(200)) ENGINE=MEMORY; \
                INSERT INTO x SELECT REPEAT('x', 200) FROM seq_1_to_1100000";
    // As many rows as just fit: a table that is full is an error, and is thrown away.
    let clients: Vec<Child> = (0..AT_ONCE)
        .map(|_| server.client(&format!("{fill}; SELECT SLEEP(3600)")).spawn())
        .collect::<Result<_, _>>()
        .context("starting a client")?;
    let full = settled(&server)?;
    let connection = full.saturating_sub(before) / AT_ONCE;
    let says = headroom_says(&headroom, &server)?;
    let tuner = tuner_says(folder.path(), &server)?;
    let used = server.sql("SHOW GLOBAL STATUS LIKE 'Max_used_connections'")?;
    let used = used.split_whitespace().last().unwrap_or("?").to_owned();
    for mut client in clients {
        // It sleeps, and is ours.
        drop(client.kill());
        drop(client.wait());
    }
    let version = server.sql("SELECT VERSION()")?;
    server.stop();

    let all = before + connection * 500;
    let rows = [
        (
            "what the server holds now",
            format!("{} (PSS), {used} connections", mib(full)),
            line(&tuner, "Maximum reached memory usage"),
            says.of("mysql-over-committed", "it holds"),
        ),
        (
            "what it may come to hold",
            format!("{} + 500 x {} measured = {}", mib(before), mib(connection), mib(all)),
            line(&tuner, "Maximum possible memory usage"),
            says.of("mysql-over-committed", "max_connections 500"),
        ),
        (
            "one connection at its worst",
            format!("{} ({AT_ONCE} of them filled a temporary table)", mib(connection)),
            line(&tuner, "Total buffers"),
            says.of("mysql-over-committed", "tmp_table_size"),
        ),
        (
            "buffer pool of 2 GiB",
            format!("{} of data on disk", mib(data)),
            line(&tuner, "InnoDB buffer pool / data size"),
            says.title("mysql-pool-larger-than-data"),
        ),
        (
            "tmp_table_size 256M",
            format!("{} a connection, see above", mib(connection)),
            line(&tuner, "Temporary tables created on disk"),
            says.title("mysql-temp-tables"),
        ),
        (
            "performance_schema=ON",
            format!("{} more after the start than with OFF", mib(schema)),
            line(&tuner, "Memory used by P_S"),
            says.schema(),
        ),
        (
            "verdict",
            format!("{} of {} RAM", mib(all), mib(ram()?)),
            line(&tuner, "Overall possible memory usage"),
            says.verdict(),
        ),
    ];
    let rows: Vec<String> = rows
        .iter()
        .map(|(what, truth, tuner, ours)| {
            let cell = |text: &str| text.replace('|', "\\|");
            format!("| {what} | {} | {} | {} |", cell(truth), cell(tuner), cell(ours))
        })
        .collect();
    let section = format!(
        "## Beside MySQLTuner\n\n`cargo xtask bench mysqltuner` on {}: a MariaDB {} of its own with {}. The truth is \
         measured on that server (`smaps_rollup`, files, the same server started otherwise).\n\n\
         | | truth | {} | Headroom |\n|---|---|---|---|\n{}\n",
        measure::machine(),
        version.trim(),
        OPTIONS.map(|option| format!("`{option}`")).join(", "),
        line(&tuner, "MySQLTuner "),
        rows.join("\n")
    );
    let path = tree::root().join(DOCUMENT);
    if !path.exists() {
        fs::write(&path, PREAMBLE).context("beginning the document")?;
    }
    write_section_to(&path, "mysqltuner", &section)?;
    Ok(ExitCode::SUCCESS)
}

/// What the server holds once it grows no more.
fn settled(server: &Server) -> Result<u64> {
    let mut last = 0;
    let mut quiet = 0;
    for _ in 0..240 {
        thread::sleep(Duration::from_millis(500));
        let now = server.pss()?;
        quiet = if now.abs_diff(last) < 1024 { quiet + 1 } else { 0 };
        last = now;
        if quiet >= 6 {
            break;
        }
    }
    Ok(last)
}

/// What `headroom advise` said.
struct Says(Value);

fn headroom_says(headroom: &Path, server: &Server) -> Result<Says> {
    let output = Command::new(headroom)
        .args(["advise", "--no-images", "--format", "json", "--mysql-socket"])
        .arg(&server.socket)
        .env_remove("HEADROOM_ROOT")
        .output()
        .context("starting headroom")?;
    Ok(Says(serde_json::from_slice(&output.stdout).context("reading headroom's answer")?))
}

impl Says {
    fn advice(&self, id: &str) -> Option<&Value> {
        self.0["advices"].as_array()?.iter().find(|advice| advice["id"] == id)
    }

    /// The evidence of an advice that has such words in it.
    fn of(&self, id: &str, words: &str) -> String {
        let evidence = self.advice(id).and_then(|advice| advice["evidence"].as_array());
        let mut all = evidence.into_iter().flatten().filter_map(|e| e["what"].as_str());
        let found = all.find(|what| what.contains(words)).unwrap_or("nothing");
        let words: Vec<&str> = found.split(" + ").collect();
        // Where each was read is not what is compared here.
        let bare = words.iter().map(|part| part.split(" (").next().unwrap_or(part));
        bare.collect::<Vec<_>>().join(" + ")
    }

    fn title(&self, id: &str) -> String {
        let Some(advice) = self.advice(id) else { return "nothing".into() };
        let gives = advice["cuts_peak_kib"].as_u64().or(advice["saves_kib"].as_u64()).unwrap_or(0);
        format!("{}: {} less", advice["title"].as_str().unwrap_or("?"), mib(gives))
    }

    /// Either its own advice, or its line in the arithmetic.
    fn schema(&self) -> String {
        if self.advice("mysql-performance-schema").is_some() {
            return self.title("mysql-performance-schema");
        }
        let all = self.of("mysql-over-committed", "performance_schema");
        let part = all.split(" + ").find(|part| part.contains("performance_schema"));
        let part = part.and_then(|part| part.split(" (").next()).unwrap_or("nothing");
        format!("{part} (in the arithmetic; too little of this RAM for an advice)")
    }

    fn verdict(&self) -> String {
        let Some(advice) = self.advice("mysql-over-committed") else { return "nothing".into() };
        let command = advice["command"].as_str().unwrap_or_default();
        let lines: Vec<&str> = command
            .lines()
            .filter(|line| line.contains(" = ") && !line.starts_with("now"))
            .collect();
        format!("{}: `{}`", advice["title"].as_str().unwrap_or("?"), lines.join("`, `"))
    }
}

fn tuner_says(folder: &Path, server: &Server) -> Result<String> {
    let file = folder.join("client.cnf");
    fs::write(&file, format!("[client]\nuser=root\nsocket={}\n", server.socket.display()))?;
    let output = Command::new("mysqltuner")
        .arg("--defaults-file")
        .arg(&file)
        .arg("--nocolor")
        .output()
        .context("starting mysqltuner (Debian package mysqltuner)")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The line of MySQLTuner's answer with these words.
fn line(answer: &str, words: &str) -> String {
    let found = answer.lines().find(|line| line.contains(words));
    found.map_or("nothing".into(), |line| line.trim().trim_start_matches(">>").trim().to_owned())
}

fn ram() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let number = text.split_whitespace().nth(1).and_then(|number| number.parse().ok());
    number.context("meminfo has no total")
}

fn mib(kib: u64) -> String {
    if kib >= 10 << 20 {
        let tenths = (kib * 10) >> 20;
        return format!("{}.{} GiB", tenths / 10, tenths % 10);
    }
    format!("{} MiB", (kib + 512) / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_either_says_is_found_by_its_words() {
        let answer = "[--] Skipped\n[OK] Maximum reached memory usage: 3.0G (12.60%)\n";
        assert_eq!(
            line(answer, "Maximum reached"),
            "[OK] Maximum reached memory usage: 3.0G (12.60%)"
        );
        assert_eq!(line(answer, "P_S"), "nothing");
        let says = Says(serde_json::json!({"advices": [
            {"id": "x", "title": "T", "saves_kib": 2048, "evidence": [{"what": "it holds 3"}]}]}));
        assert_eq!(
            (says.of("x", "holds"), says.title("x")),
            ("it holds 3".into(), "T: 2 MiB less".into())
        );
        assert_eq!(says.title("y"), "nothing");
    }
}
