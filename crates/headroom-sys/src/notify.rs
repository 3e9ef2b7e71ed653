//! What the guard tells systemd about itself (sd_notify(3)), without its library.

use core::time::Duration;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with,
};

use crate::error::ReadError;
use crate::own::own_pid;
use crate::text::decimal;

/// The longest status line that is sent whole.
const STATUS: usize = 256;

/// The socket systemd listens on for this service.
#[derive(Debug)]
pub struct Notifier {
    socket: OwnedFd,
    address: SocketAddrUnix,
}

impl Notifier {
    /// The one `$NOTIFY_SOCKET` names; `None` when nobody waits for news.
    ///
    /// # Errors
    /// When the variable does not name a Unix socket.
    pub fn from_env() -> Result<Option<Self>, ReadError> {
        std::env::var_os("NOTIFY_SOCKET").map(|address| Self::to(&address)).transpose()
    }

    /// A notifier to the socket at that path, or of that abstract name when it begins with `@`.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] when it is neither.
    pub fn to(address: &OsStr) -> Result<Self, ReadError> {
        let address = match address.as_bytes() {
            [b'/', ..] => SocketAddrUnix::new(address),
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name),
            _ => return Err(ReadError::Malformed { what: "NOTIFY_SOCKET is no unix socket" }),
        };
        let address =
            address.map_err(|_| ReadError::Malformed { what: "NOTIFY_SOCKET is too long" })?;
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket, address })
    }

    /// The service is up.
    ///
    /// # Errors
    /// As all news: when nobody takes it. None of them ever waits.
    pub fn ready(&self) -> Result<(), ReadError> {
        self.send(b"READY=1")
    }

    /// The service is still going round its loop. Hot.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn watchdog(&self) -> Result<(), ReadError> {
        self.send(b"WATCHDOG=1")
    }

    /// The service is about to end.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn stopping(&self) -> Result<(), ReadError> {
        self.send(b"STOPPING=1")
    }

    /// What `systemctl status` shows of it, one line; a long one is cut. Hot.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn status(&self, text: &str) -> Result<(), ReadError> {
        let mut message = [0; STATUS];
        let line = text.bytes().take_while(|byte| *byte != b'\n');
        let mut len = 0;
        for (slot, byte) in message.iter_mut().zip(b"STATUS=".iter().copied().chain(line)) {
            *slot = byte;
            len += 1;
        }
        self.send(message.get(..len).unwrap_or(&message))
    }

    fn send(&self, message: &[u8]) -> Result<(), ReadError> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendto(&self.socket, message, flags, &self.address)?;
        Ok(())
    }
}

/// How long systemd waits for a [`Notifier::watchdog`] before it ends the service
/// (sd_watchdog_enabled(3)): tell it at least twice in that time. `None` without a watchdog.
#[must_use]
pub fn watchdog_limit() -> Option<Duration> {
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
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        notifier.ready().unwrap();
        notifier.watchdog().unwrap();
        notifier.status("guarding\nFDSTORE=1").unwrap();
        notifier.status(&"x".repeat(1000)).unwrap();
        notifier.stopping().unwrap();
        assert_eq!(heard(&manager), "READY=1");
        assert_eq!(heard(&manager), "WATCHDOG=1");
        assert_eq!(heard(&manager), "STATUS=guarding", "a line feed begins no other field");
        assert_eq!(heard(&manager).len(), STATUS);
        assert_eq!(heard(&manager), "STOPPING=1");
        drop(manager);
        assert!(notifier.watchdog().is_err(), "nobody listens, and that is said");
    }

    #[test]
    fn news_reach_an_abstract_socket() {
        let name = format!("headroom-test-{}", own_pid());
        let manager =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::to(OsStr::new(&format!("@{name}"))).unwrap().ready().unwrap();
        assert_eq!(heard(&manager), "READY=1");
    }

    #[test]
    fn what_is_no_unix_socket_is_malformed() {
        let long = format!("/{}", "x".repeat(200));
        for address in ["", "relative", "vsock:2:1234", long.as_str()] {
            let refused = Notifier::to(OsStr::new(address));
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
