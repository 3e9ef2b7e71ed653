//! Any text as a policy file: the entry of the fuzz target and of the test that damages the shipped one.

use headroom_core::policy::{Class, Identity, Layer, Policy};

/// Reads a policy as the guard does, and asks it about a process.
pub(crate) fn policy(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    match Layer::parse("fuzzed.toml", &text) {
        Ok(layer) => match Policy::from_layers(&[layer]) {
            Ok(policy) => {
                let (class, rule) = policy.classify(&Identity::default());
                assert!(Class::ALL.contains(&class));
                assert!(rule.is_none() || policy.rule(rule).is_some(), "a rule that is not there");
            }
            Err(problem) => assert!(!problem.to_string().is_empty()),
        },
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
}
