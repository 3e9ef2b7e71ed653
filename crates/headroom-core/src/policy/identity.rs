//! Who a process is, by what the kernel says of it.

use core::fmt;

use serde::Deserialize;

/// What is known of a process when it is classed. `None` is what could not be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'a> {
    /// Effective user.
    pub uid: u32,
    /// Command name (`/proc/PID/comm`), at most 15 bytes.
    pub comm: &'a [u8],
    /// Executable (`/proc/PID/exe`), unreadable for other users' processes without rights.
    pub exe: Option<&'a [u8]>,
    /// Command line with NULs between the arguments.
    pub cmdline: Option<&'a [u8]>,
    /// Path of its cgroup from the hierarchy's root, `/system.slice/cron.service`.
    pub cgroup: Option<&'a [u8]>,
    /// The parent's effective user.
    pub parent_uid: Option<u32>,
    /// The parent's executable.
    pub parent_exe: Option<&'a [u8]>,
}

/// A part that a program's processes play, told by executable and title together: a title alone is
/// whatever a process writes over its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// `php-fpm: master process (...)`, sapi/fpm/fpm/fpm_env.c.
    PhpFpmMaster,
    /// `php-fpm: pool NAME`.
    PhpFpmWorker,
    /// `nginx: worker process is shutting down`, left over from a reload
    /// (src/os/unix/ngx_process_cycle.c).
    NginxWorkerShuttingDown,
}

impl Role {
    /// Its name in the policy file and in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PhpFpmMaster => "php-fpm-master",
            Self::PhpFpmWorker => "php-fpm-worker",
            Self::NginxWorkerShuttingDown => "nginx-worker-shutting-down",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl<'a> Identity<'a> {
    /// The system unit it belongs to: the first component of the cgroup path that is not a slice.
    /// Deeper ones are not asked, since a user may name units of his own manager as he likes.
    #[must_use]
    pub fn unit(&self) -> Option<&'a [u8]> {
        components(self.cgroup?).find(|c| !is_slice(c))
    }

    /// The slices it lies in, the outermost first, up to its unit.
    pub fn slices(&self) -> impl Iterator<Item = &'a [u8]> {
        components(self.cgroup.unwrap_or_default()).take_while(|c| is_slice(c))
    }

    /// Whether it belongs to a login session: `session-N.scope` of logind, in a user's slice.
    #[must_use]
    pub fn in_session(&self) -> Option<bool> {
        self.cgroup?;
        let unit = self.unit().unwrap_or_default();
        let is_scope = unit.starts_with(b"session-") && unit.ends_with(b".scope");
        Some(is_scope && self.slices().next() == Some(b"user.slice"))
    }

    /// The part it plays, where its executable and its title say one. An executable that could not
    /// be read is none: whoever lacks that right cannot act either.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        let file = self.exe?.rsplit(|&b| b == b'/').next()?;
        let title = self.cmdline?;
        let is_fpm = file.starts_with(b"php-fpm") || file == b"php5-fpm";
        if is_fpm && title.starts_with(b"php-fpm: master process") {
            Some(Role::PhpFpmMaster)
        } else if is_fpm && title.starts_with(b"php-fpm: pool ") {
            Some(Role::PhpFpmWorker)
        } else if file == b"nginx" && title.starts_with(b"nginx: worker process is shutting down") {
            Some(Role::NginxWorkerShuttingDown)
        } else {
            None
        }
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&b| b == b'/').filter(|c| !c.is_empty())
}

fn is_slice(component: &[u8]) -> bool {
    component.ends_with(b".slice")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn at(path: &'static str) -> Identity<'static> {
        Identity { cgroup: Some(path.as_bytes()), ..Identity::default() }
    }

    #[test]
    fn the_unit_is_the_systems_and_not_one_a_user_named() {
        assert_eq!(at("/system.slice/cron.service").unit(), Some(&b"cron.service"[..]));
        assert_eq!(
            at("/user.slice/user-1000.slice/user@1000.service/app.slice/mariadb.service").unit(),
            Some(&b"user@1000.service"[..])
        );
        assert_eq!(at("/limited.slice").unit(), None);
        assert_eq!(at("/").unit(), None);
    }

    #[test]
    fn slices_below_the_unit_are_the_users_own_affair() {
        let path = "/user.slice/user-1000.slice/user@1000.service/system.slice/a.service";
        let slices: Vec<_> = at(path).slices().collect();
        assert_eq!(slices, [&b"user.slice"[..], b"user-1000.slice"]);
        assert_eq!(at("/init.scope").slices().count(), 0);
    }

    #[test]
    fn a_session_is_logind_s_and_lies_in_a_users_slice() {
        let session = |path| at(path).in_session();
        assert_eq!(session("/user.slice/user-1000.slice/session-4.scope"), Some(true));
        assert_eq!(session("/user.slice/user-1000.slice/user@1000.service/x.scope"), Some(false));
        assert_eq!(session("/system.slice/session-4.scope"), Some(false));
        assert_eq!(Identity::default().in_session(), None);
    }

    #[test]
    fn a_role_needs_the_executable_and_the_title() {
        let role = |exe: &'static str, title: &'static str| {
            Identity {
                exe: Some(exe.as_bytes()),
                cmdline: Some(title.as_bytes()),
                ..Identity::default()
            }
            .role()
        };
        let fpm = "/usr/sbin/php-fpm8.2";
        let master = "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)";
        assert_eq!(role(fpm, master), Some(Role::PhpFpmMaster));
        assert_eq!(role("/usr/sbin/php5-fpm", "php-fpm: pool www"), Some(Role::PhpFpmWorker));
        assert_eq!(
            role("/usr/sbin/nginx", "nginx: worker process is shutting down"),
            Some(Role::NginxWorkerShuttingDown)
        );
        assert_eq!(role("/usr/bin/php8.2", master), None);
        assert_eq!(role("/usr/sbin/nginx", "nginx: worker process"), None);
    }
}
