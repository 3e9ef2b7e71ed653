//! The walls between the rooms: which crate may lean on which, as ARCHITECTURE.md draws it.
//!
//! A new edge is a decision about the design. Whoever makes it changes the table here and the map there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::tree::cargo;

/// Each crate with those of ours that it may depend on.
const EDGES: [(&str, &[&str]); 6] = [
    ("headroom-core", &[]),
    ("headroom-sys", &["headroom-core"]),
    ("headroom-api", &["headroom-core"]),
    ("headroom-guard", &["headroom-sys", "headroom-api", "headroom-core"]),
    ("headroom-agent", &["headroom-api", "headroom-core", "headroom-sys"]),
    ("headroom-cli", &["headroom-api", "headroom-core", "headroom-guard", "headroom-sys"]),
];
/// The privileged program and what it is made of.
const PRIVILEGED: [&str; 3] = ["headroom-guard", "headroom-sys", "headroom-core"];
/// What must never come into it: runtimes, TLS, SQL and HTTP, by the names of the crates.
const FORBIDDEN: [&str; 10] = [
    "tokio",
    "async-std",
    "smol",
    "rustls",
    "native-tls",
    "openssl",
    "rusqlite",
    "hyper",
    "axum",
    "reqwest",
];

/// Each crate of the workspace with all that its manifest names, tests and build scripts included.
fn manifests(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let ours = packages.filter(|package| package["source"].is_null());
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    ours.map(|package| {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        (name(package), dependencies.map(name).collect())
    })
    .collect()
}

/// Edges between our crates that no table draws, in words.
fn stray_edges(manifests: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut stray = Vec::new();
    for (from, dependencies) in manifests.iter().filter(|(name, _)| name.starts_with("headroom-")) {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| name == from) else {
            stray.push(format!("{from} is a crate that the design does not have"));
            continue;
        };
        for to in dependencies.iter().filter(|name| name.starts_with("headroom-")) {
            if !allowed.contains(&to.as_str()) {
                stray.push(format!("{from} must not depend on {to}"));
            }
        }
    }
    stray
}

/// Forbidden crates that a program would be built with, however deep, in words.
fn forbidden(metadata: &Value, root: &str) -> Vec<String> {
    let name = |id: &str| {
        let mut packages = metadata["packages"].as_array().into_iter().flatten();
        let package = packages.find(|package| package["id"] == id);
        package.and_then(|package| package["name"].as_str()).unwrap_or_default().to_owned()
    };
    let nodes = || metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let start = nodes().filter_map(|node| node["id"].as_str()).find(|id| name(id) == root);
    let mut queue: Vec<&str> = start.into_iter().collect();
    let mut seen: BTreeSet<&str> = queue.iter().copied().collect();
    while let Some(id) = queue.pop() {
        let node = nodes().find(|node| node["id"] == id);
        for dependency in node.and_then(|node| node["deps"].as_array()).into_iter().flatten() {
            // A test may use what the program must not hold.
            let kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
            let is_built_in = kinds.into_iter().any(|kind| kind["kind"] != "dev");
            let Some(to) = dependency["pkg"].as_str().filter(|_| is_built_in) else { continue };
            if seen.insert(to) {
                queue.push(to);
            }
        }
    }
    let names = seen.into_iter().map(name).filter(|name| FORBIDDEN.contains(&name.as_str()));
    names.map(|name| format!("{root} must not be built with {name}")).collect()
}

fn metadata() -> Value {
    let output = cargo(["metadata", "--format-version", "1", "--locked"]).output();
    let output = output.expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

#[test]
fn crates_depend_on_each_other_only_where_the_design_says_so() {
    let manifests = manifests(&metadata());
    assert!(manifests.contains_key("headroom-core"), "the manifests were not read");
    assert_eq!(stray_edges(&manifests), Vec::<String>::new());
}

#[test]
fn the_privileged_program_holds_no_runtime_no_tls_no_sql_and_no_http() {
    let metadata = metadata();
    for root in PRIVILEGED {
        assert_eq!(forbidden(&metadata, root), Vec::<String>::new());
    }
}

#[test]
fn an_edge_upward_is_found() {
    let edges = BTreeSet::from(["headroom-guard".to_owned(), "serde".to_owned()]);
    let manifests = BTreeMap::from([("headroom-core".to_owned(), edges)]);
    assert_eq!(stray_edges(&manifests), ["headroom-core must not depend on headroom-guard"]);
}

#[test]
fn a_forbidden_crate_is_found_below_others_and_not_behind_tests() {
    let built = serde_json::json!([{"kind": null}]);
    let dev = serde_json::json!([{"kind": "dev"}]);
    let metadata = serde_json::json!({
        "packages": [{"id": "1", "name": "headroom-guard"}, {"id": "2", "name": "friendly"},
                     {"id": "3", "name": "tokio"}, {"id": "4", "name": "hyper"}],
        "resolve": {"nodes": [
            {"id": "1", "deps": [{"pkg": "2", "dep_kinds": built}, {"pkg": "4", "dep_kinds": dev}]},
            {"id": "2", "deps": [{"pkg": "3", "dep_kinds": built}]},
            {"id": "3", "deps": []},
            {"id": "4", "deps": []},
        ]},
    });
    let found = forbidden(&metadata, "headroom-guard");
    assert_eq!(found, ["headroom-guard must not be built with tokio"]);
}
