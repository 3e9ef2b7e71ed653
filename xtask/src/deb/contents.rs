//! What the package installs: to add a program, a unit or a file, add a line.

/// A program.
pub(super) struct Program {
    /// The crate that builds it.
    pub(super) package: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// Where it is installed.
    pub(super) folder: &'static str,
}

/// The programs.
pub(super) const PROGRAMS: &[Program] = &[
    Program { package: "headroom-cli", name: "headroom", folder: "usr/bin" },
    Program { package: "headroom-guard", name: "headroom-guard", folder: "usr/sbin" },
    Program { package: "headroom-agent", name: "headroom-agent", folder: "usr/sbin" },
];

/// A file of the tree.
pub(super) struct Installed {
    /// Where it lies in the tree.
    pub(super) from: &'static str,
    /// Where it is installed.
    pub(super) to: &'static str,
    /// Whether the package is nothing without it.
    pub(super) needed: bool,
}

const fn needed(from: &'static str, to: &'static str) -> Installed {
    Installed { from, to, needed: true }
}

const fn wanted(from: &'static str, to: &'static str) -> Installed {
    Installed { from, to, needed: false }
}

/// Where units are installed; each that lies there is enabled, started, stopped and forgotten, ...
pub(super) const UNITS: &str = "usr/lib/systemd/system/";
/// ... but those that only other units start.
const STARTED_BY_OTHERS: &[&str] = &["headroom-thaw.service"];

/// The files. Whatever is installed in etc/ is the administrator's to change (a conffile).
pub(super) const FILES: &[Installed] = &[
    needed("packaging/headroom-guard.service", "usr/lib/systemd/system/headroom-guard.service"),
    needed("packaging/headroom-thaw.service", "usr/lib/systemd/system/headroom-thaw.service"),
    needed("packaging/headroom-agent.service", "usr/lib/systemd/system/headroom-agent.service"),
    needed("packaging/headroom-agent.socket", "usr/lib/systemd/system/headroom-agent.socket"),
    needed("packaging/headroom.sysusers", "usr/lib/sysusers.d/headroom.conf"),
    needed("packaging/headroom.tmpfiles", "usr/lib/tmpfiles.d/headroom.conf"),
    needed("packaging/headroom.rules", "usr/share/polkit-1/rules.d/headroom.rules"),
    needed("packaging/policy.toml", "etc/headroom/policy.toml"),
    needed("packaging/agent.toml", "etc/headroom/agent.toml"),
    needed("packaging/copyright", "usr/share/doc/headroom/copyright"),
    needed("packaging/changelog", "usr/share/doc/headroom/changelog.gz"),
    needed("packaging/lintian-overrides", "usr/share/lintian/overrides/headroom"),
    wanted("policy/policy.toml", "usr/share/headroom/policy.toml"),
    wanted("README.md", "usr/share/doc/headroom/README.md"),
    wanted("docs/notify.md", "usr/share/doc/headroom/notify.md"),
    wanted(
        "docs/protect-services-release.md",
        "usr/share/doc/headroom/protect-services-release.md",
    ),
    wanted("CHANGELOG.md", "usr/share/doc/headroom/CHANGELOG.md"),
];

/// Names under which others know `headroom`, which does what the name it was called by asks for.
pub(super) const OTHER_NAMES: &[&str] = &[
    "hypernode-oom-protect",
    "hypernode-servicectl",
    "hypernode-systemctl",
    "release_mysql_cached_memory",
];

/// What dpkg runs, from packaging/; `@UNITS@` in them stands for the names of the units.
pub(super) const SCRIPTS: &[&str] = &["postinst", "prerm", "postrm"];

/// The names of all units.
pub(super) fn units() -> impl Iterator<Item = &'static str> {
    let units = FILES.iter().filter_map(|file| file.to.strip_prefix(UNITS));
    units.filter(|unit| !STARTED_BY_OTHERS.contains(unit))
}

/// Whatever is installed in /etc.
pub(super) fn conffiles() -> String {
    let installed = FILES.iter().filter(|file| file.to.starts_with("etc/"));
    installed.map(|file| format!("/{}\n", file.to)).collect()
}
