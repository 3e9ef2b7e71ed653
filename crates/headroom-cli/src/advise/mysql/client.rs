//! Asks the running server, through the client program that comes with it.
//!
//! The program rather than a crate: wherever a server is, its client is; it knows every way to log in that
//! the server does (unix_socket, sha2, PAM), the administrator's `~/.my.cnf`, and both servers' versions,
//! and no wire protocol, TLS or passwords come into this program.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use headroom_core::advise::facts::{Database, Mysql};
use headroom_core::advise::parse::Said;
use headroom_core::advise::parse::mycnf::Flavour;
use headroom_core::units::Kib;

use crate::advise::program;

/// Stands between two answers.
const BORDER: &str = "--headroom--";

/// Fills in what the server says of itself; gives its databases.
pub(super) fn ask(
    flavour: Flavour,
    socket: Option<&str>,
    mysql: &mut Mysql,
) -> Result<Vec<Database>, String> {
    let query = format!(
        "SHOW GLOBAL VARIABLES; SELECT '{BORDER}'; SHOW GLOBAL STATUS; SELECT '{BORDER}'; \
         SHOW ENGINE PERFORMANCE_SCHEMA STATUS"
    );
    let answer = run(flavour, socket, &query)?;
    let border = format!("{BORDER}\n");
    let mut parts = answer.split(border.as_str());
    mysql.variables = pairs(parts.next().unwrap_or_default());
    mysql.status = pairs(parts.next().unwrap_or_default());
    mysql.performance_schema = parts.next().and_then(schema);
    if let Some(version) = mysql.variables.get("version") {
        mysql.version = super::version_of(version).or(mysql.version);
    }
    // Looking at all tables can take long on a node with many: a question of its own, and no harm when it
    // is not answered in time.
    let query = "SELECT table_schema, SUM(data_length + index_length) FROM information_schema.tables \
                 WHERE engine = 'InnoDB' GROUP BY table_schema";
    let Ok(answer) = run(flavour, socket, query) else { return Ok(Vec::new()) };
    let databases: Vec<Database> = pairs(&answer)
        .into_iter()
        .filter_map(|(name, bytes)| {
            let size = Kib::from_bytes(bytes.parse().ok()?);
            Some(Database { name, size, at: "information_schema.tables".into() })
        })
        .collect();
    let data = databases.iter().fold(Kib::ZERO, |sum, database| sum.saturating_add(database.size));
    if data > Kib::ZERO {
        mysql.data = Some(Said::new(data, "information_schema.tables"));
    }
    Ok(databases)
}

/// Rows of two columns by the first, in lower case.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let (name, value) = line.split_once('\t')?;
        Some((name.to_ascii_lowercase(), value.to_string()))
    };
    text.lines().filter_map(pair).collect()
}

/// The last row of the performance schema's own account: `performance_schema.memory`.
fn schema(text: &str) -> Option<Kib> {
    let line = text.lines().find(|line| line.contains("performance_schema.memory"))?;
    line.rsplit('\t')
        .next()?
        .trim()
        .parse()
        .ok()
        .map(Kib::from_bytes)
        .filter(|size| *size > Kib::ZERO)
}

fn run(flavour: Flavour, socket: Option<&str>, query: &str) -> Result<String, String> {
    let names = match flavour {
        Flavour::MariaDb => ["mariadb", "mysql"],
        Flavour::Mysql => ["mysql", "mariadb"],
    };
    let start = |name: &&str| {
        let mut command = Command::new(name);
        command.args(["--batch", "--skip-column-names", "--raw", "--connect-timeout=3"]);
        if let Some(socket) = socket {
            command.args(["--protocol=socket", "--socket", socket]);
        }
        command.args(["--execute", query]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()
    };
    let mut child = names
        .iter()
        .find_map(start)
        .ok_or("no client program (mariadb or mysql) to ask it with")?;
    let answer = program::finish(&mut child)?;
    if answer.is_success || !answer.out.is_empty() {
        return Ok(answer.out);
    }
    let err = answer.err;
    let line = err.lines().next().unwrap_or("its client failed").trim();
    let hint =
        if line.contains("Access denied") { " (run it as root, or write ~/.my.cnf)" } else { "" };
    Err(format!("{line}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        let found = pairs("Max_used_connections\t41\nversion\t10.11.6-MariaDB\nempty\t\n");
        assert_eq!(found.get("max_used_connections").map(String::as_str), Some("41"));
        assert_eq!(found.get("empty").map(String::as_str), Some(""));
        let text = "performance_schema\taccounts.memory\t12\nperformance_schema\tperformance_schema.memory\t104857600\n";
        assert_eq!(schema(text), Some(Kib::from_mib(100)));
        assert_eq!(schema(""), None);
    }
}
