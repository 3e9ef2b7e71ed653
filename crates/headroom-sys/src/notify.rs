//! What the guard tells systemd about itself (sd_notify(3)), without its library.

use core::time::Duration;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use headroom_core::snapshot::Moment;
use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with,
};

use crate::error::ReadError;
use crate::own::own_pid;
use crate::text::decimal;

/// So often in the time that systemd waits for it, it is told that all goes on.
const TOLD_IN_A_LIMIT: u32 = 4;

/// The socket systemd listens on for this service.
#[derive(Debug)]
pub struct Notifier {
    socket: OwnedFd,
    address: SocketAddrUnix,
    /// How often the watchdog is told; never without one.
    every: Option<Duration>,
    told: Option<Moment>,
}

impl Notifier {
    /// The one `$NOTIFY_SOCKET` names; `None` when nobody waits for news.
    ///
    /// # Errors
    /// When the variable does not name a Unix socket.
    pub fn from_env() -> Result<Option<Self>, ReadError> {
        let to = |address: OsString| Self::to(&address, watchdog_limit());
        std::env::var_os("NOTIFY_SOCKET").map(to).transpose()
    }

    /// A notifier to the socket at that path, or of that abstract name when it begins with `@`; with the time that
    /// systemd waits for a [`watchdog`](Self::watchdog), where it does.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] when it is neither.
    pub fn to(address: &OsStr, limit: Option<Duration>) -> Result<Self, ReadError> {
        let address = match address.as_bytes() {
            [b'/', ..] => SocketAddrUnix::new(address),
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name),
            _ => return Err(ReadError::Malformed { what: "NOTIFY_SOCKET is no unix socket" }),
        };
        let address =
            address.map_err(|_| ReadError::Malformed { what: "NOTIFY_SOCKET is too long" })?;
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket, address, every: limit.map(|limit| limit / TOLD_IN_A_LIMIT), told: None })
    }

    /// The service is up.
    ///
    /// # Errors
    /// As all news: when nobody takes it. None of them ever waits.
    pub fn ready(&self) -> Result<(), ReadError> {
        self.send(b"READY=1")
    }

    /// The service is still going round its loop: call it as often as it does. systemd is told only as often as it
    /// needs to be, since each time wakes it. Hot.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn watchdog(&mut self, now: Moment) -> Result<(), ReadError> {
        let Some(every) = self.every else { return Ok(()) };
        if self.told.is_some_and(|told| now.since(told) < every) {
            return Ok(());
        }
        self.told = Some(now);
        self.send(b"WATCHDOG=1")
    }

    /// The service is about to end.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn stopping(&self) -> Result<(), ReadError> {
        self.send(b"STOPPING=1")
    }

    fn send(&self, message: &[u8]) -> Result<(), ReadError> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendto(&self.socket, message, flags, &self.address)?;
        Ok(())
    }
}

/// How long systemd waits for a [`Notifier::watchdog`] before it ends the service
/// (sd_watchdog_enabled(3)). `None` without a watchdog.
fn watchdog_limit() -> Option<Duration> {
    let (limit, pid) = (std::env::var_os("WATCHDOG_USEC"), std::env::var_os("WATCHDOG_PID"));
    limit_for(limit.as_deref(), pid.as_deref(), own_pid())
}

fn limit_for(limit: Option<&OsStr>, pid: Option<&OsStr>, own: i32) -> Option<Duration> {
    let meant = pid.is_none_or(|pid| decimal(pid.as_bytes()) == u64::try_from(own).ok());
    let limit = decimal(limit?.as_bytes()).filter(|micros| meant && *micros > 0)?;
    Some(Duration::from_micros(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    fn heard(socket: &UnixDatagram) -> String {
        let mut text = [0; 1024];
        let len = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..len]).into_owned()
    }

    #[test]
    fn news_reach_a_socket_with_a_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let limit = Duration::from_secs(20);
        let mut notifier = Notifier::to(path.as_os_str(), Some(limit)).unwrap();
        let at = |secs| Moment::default().after(Duration::from_secs(secs));
        notifier.ready().unwrap();
        for secs in 100..=106 {
            notifier.watchdog(at(secs)).unwrap();
        }
        notifier.stopping().unwrap();
        assert_eq!(heard(&manager), "READY=1");
        assert_eq!(heard(&manager), "WATCHDOG=1");
        assert_eq!(heard(&manager), "WATCHDOG=1", "each 5 s");
        assert_eq!(heard(&manager), "STOPPING=1");
        Notifier::to(path.as_os_str(), None).unwrap().watchdog(at(100)).unwrap();
        drop(manager);
        assert!(notifier.watchdog(at(200)).is_err(), "nobody listens, and that is said");
    }

    #[test]
    fn news_reach_an_abstract_socket() {
        let name = format!("headroom-test-{}", own_pid());
        let manager =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::to(OsStr::new(&format!("@{name}")), None).unwrap().ready().unwrap();
        assert_eq!(heard(&manager), "READY=1");
    }

    #[test]
    fn what_is_no_unix_socket_is_malformed() {
        let long = format!("/{}", "x".repeat(200));
        for address in ["", "relative", "vsock:2:1234", long.as_str()] {
            let refused = Notifier::to(OsStr::new(address), None);
            assert!(matches!(refused, Err(ReadError::Malformed { .. })), "{address}");
        }
    }

    #[test]
    fn the_watchdog_is_only_the_one_meant_for_this_process() {
        let os = OsStr::new;
        let minute = Some(Duration::from_secs(60));
        assert_eq!(limit_for(Some(os("60000000")), None, 7), minute);
        assert_eq!(limit_for(Some(os("60000000")), Some(os("7")), 7), minute);
        assert_eq!(limit_for(Some(os("60000000")), Some(os("8")), 7), None);
        assert_eq!(limit_for(Some(os("0")), None, 7), None);
        assert_eq!(limit_for(Some(os("soon")), None, 7), None);
        assert_eq!(limit_for(None, None, 7), None);
    }
}
