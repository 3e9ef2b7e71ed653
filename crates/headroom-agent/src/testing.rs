//! What several rooms' tests need.

/// Whether a program is missing, so that a test with it cannot run. Where nobody watches that is a
/// failure: `cargo xtask test` installs them.
pub(crate) fn missing(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path
        .split(':')
        .chain(["/usr/sbin", "/usr/local/sbin"])
        .any(|dir| std::path::Path::new(dir).join(program).is_file());
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "{program} is missing; `cargo xtask test` installs it"
        );
        eprintln!("SKIPPED: {program} is missing; `cargo xtask test` as root installs it");
    }
    !found
}
