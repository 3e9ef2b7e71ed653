//! The OpenAPI document in the tree is the one that the agent gives.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::Node;

#[test]
fn the_document_in_docs_is_that_of_the_agent() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let kept = fs::read_to_string(path).unwrap_or_default();
    let made =
        Command::new(env!("CARGO_BIN_EXE_headroom-agent")).arg("--openapi").output().unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    assert!(kept == made, "docs/openapi.json is not up to date; cargo xtask api document");
}

#[test]
fn the_agent_gives_it_and_every_path_says_what_it_takes_and_answers() {
    let node = Node::started("");
    let document = node.get("/openapi.json");
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let name = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{name} has no summary");
            let responses = operation["responses"].as_object().unwrap();
            if path != "/healthz" {
                assert!(responses.contains_key("401"), "{name} knows no strangers");
            }
            for part in path.split('/').filter_map(|p| p.strip_prefix('{')) {
                let part = part.trim_end_matches('}');
                let parameters = operation["parameters"].as_array().unwrap();
                let is_named = |p: &Value| p["name"] == part && p["in"] == "path";
                assert!(parameters.iter().any(is_named), "{name} does not describe {part}");
            }
        }
    }
    assert!(operations >= 15, "{operations}");
}
