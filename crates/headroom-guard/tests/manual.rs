//! The pages of the manual that are written by hand say all there is to say.
#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use headroom_core::policy::{BUILT_IN, Class, Condition, Layer, Policy, THRESHOLD_NAMES};

/// A page with its dashes and quotation marks as they are read.
fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/man").join(name);
    fs::read_to_string(path).unwrap().replace("\\-", "-").replace("\\(dq", "\"")
}

#[test]
fn every_option_of_the_guard_is_in_its_page() {
    let output = Command::new(env!("CARGO_BIN_EXE_headroom-guard")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let page = page("headroom-guard.8");
    let options = || help.lines().filter_map(|line| line.trim().split(' ').next());
    let options: Vec<_> = options().filter(|word| word.starts_with("--")).collect();
    assert!(options.len() > 5, "{options:?}");
    for option in options {
        assert!(page.contains(option), "put {option} into docs/man/headroom-guard.8");
    }
}

#[test]
fn every_key_of_the_policy_is_in_its_page() {
    let page = page("policy.toml.5");
    let words: Vec<&str> = page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let setup = Policy::built_in().setup.lines();
    let setup = setup.iter().filter_map(|line| line.split(' ').next());
    let keys = THRESHOLD_NAMES.iter().copied().chain(setup);
    let keys = keys.chain(Condition::ALL.iter().map(|condition| condition.name()));
    let keys = keys.chain(Class::ALL.iter().map(|class| class.name()));
    for key in keys.chain(["permissive_memory_management", "cgroup", "oom_score_adj", "slay"]) {
        assert!(words.contains(&key), "put {key} into docs/man/policy.toml.5");
    }
    for table in BUILT_IN.lines().filter(|line| line.starts_with('[')) {
        assert!(page.contains(table.trim()), "put {table} into docs/man/policy.toml.5");
    }
}

#[test]
fn the_pages_example_is_a_policy() {
    let page = page("policy.toml.5");
    let example = page.split(".SH EXAMPLES\n.nf\n").nth(1).unwrap();
    let example = example.split(".fi").next().unwrap();
    let layer = Layer::parse("the example", example).unwrap();
    let policy = Policy::from_layers(&[layer]).unwrap();
    assert!(policy.permissive_memory_management);
    assert_eq!(policy.rules.first().map(|rule| rule.name.as_str()), Some("search"));
}
