//! The agent's page of the manual and the configuration that is shipped say all there is to say.
#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The page with its dashes as they are read.
fn page() -> String {
    fs::read_to_string(tree("docs/man/headroom-agent.8")).unwrap().replace("\\-", "-")
}

#[test]
fn every_option_of_the_agent_is_in_its_page() {
    let output = Command::new(env!("CARGO_BIN_EXE_headroom-agent")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let options = help.lines().filter_map(|line| line.trim().split(' ').next());
    let options: Vec<_> = options.filter(|word| word.starts_with("--")).collect();
    assert!(options.len() > 4, "{options:?}");
    for option in options {
        assert!(page().contains(option), "put {option} into docs/man/headroom-agent.8");
    }
}

#[test]
fn every_table_of_the_shipped_configuration_is_in_the_page() {
    let shipped = fs::read_to_string(tree("packaging/agent.toml")).unwrap();
    let lines = shipped.lines().map(|line| line.trim_start_matches('#'));
    let tables = lines.filter(|line| line.starts_with('['));
    // [[notify.smtp]] is told of under [notify].
    let tables: Vec<_> = tables.map(|line| line.split('.').next().unwrap()).collect();
    assert!(tables.len() > 4, "{tables:?}");
    for table in tables {
        let name = table.trim_matches(['[', ']']);
        let is_there = page().contains(&format!("[{name}]"));
        assert!(is_there, "put {table} into docs/man/headroom-agent.8");
    }
}

#[test]
fn the_shipped_configuration_is_one_with_every_comment_taken_away_as_well() {
    let shipped = fs::read_to_string(tree("packaging/agent.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // "#key" is a value, "# A sentence" is none.
    let is_value = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line != "#";
    let bare = |line: &str| line[usize::from(is_value(line))..].to_owned();
    let shown: Vec<String> = shipped.lines().map(bare).collect();
    for (name, text) in [("as-shipped", shipped.clone()), ("as-shown", shown.join("\n"))] {
        let path = folder.path().join(name);
        fs::write(&path, &text).unwrap();
        // Its folder is a file, so that it ends behind its configuration.
        let mut agent = Command::new(env!("CARGO_BIN_EXE_headroom-agent"));
        agent.arg("--config").arg(&path).arg("--state-dir").arg(path.join("no-folder"));
        let output = agent.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}\n{text}");
        assert!(said.contains("no-folder"), "{said}");
    }
}
