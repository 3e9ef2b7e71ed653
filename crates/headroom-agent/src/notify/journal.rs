//! The system's journal, with structured fields, by its own protocol (systemd's
//! `docs/JOURNAL_NATIVE_PROTOCOL.md`).
//!
//! ```text
//! journalctl HEADROOM_INCIDENT=2026-11-24T14:03:20Z-7
//! journalctl MESSAGE_ID=8afa6abf59554b3a9c6f48dd6e5a7ae8
//! ```

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use headroom_api::notice::NoticeKind;

use super::channel::{Channel, Sending, Trouble};

/// Where journald listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// A datagram longer than this may not pass.
const LONGEST: usize = 48 * 1024;

/// The channel.
pub(super) struct Journal {
    socket: PathBuf,
}

/// Whether there is a journal on this node.
pub(super) fn is_there() -> bool {
    Path::new(SOCKET).exists()
}

/// The kind of a message, for programs: sd-id128(3) numbers made once and never changed.
pub(super) const fn message_id(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Opened => "8afa6abf59554b3a9c6f48dd6e5a7ae8",
        NoticeKind::Ongoing => "bfd9ce47165b40e78a6e81999e7149fc",
        NoticeKind::Closed => "d2d22cd99bc54113974bdd970cfc043d",
        NoticeKind::Digest => "09796ee269174b57a3690491606647ff",
        NoticeKind::Summary => "293d02840f4543cd82ac90803fd1554a",
        NoticeKind::Test => "0c9b2e3361a741f3a31757d71c77869c",
    }
}

impl Journal {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }
}

impl Channel for Journal {
    fn deliver(&mut self, sending: Sending<'_>) -> Result<String, Trouble> {
        let entry = entry(&sending);
        let at = |e: std::io::Error| Trouble::later(format!("{}: {e}", self.socket.display()));
        let socket = UnixDatagram::unbound().map_err(at)?;
        socket.connect(&self.socket).map_err(at)?;
        // A journal that is being restarted must not hold this thread.
        socket.set_write_timeout(Some(std::time::Duration::from_secs(10))).map_err(at)?;
        (sending.hand)()?;
        socket.send(&entry).map_err(at)?;
        Ok("logged".to_owned())
    }
}

fn entry(sending: &Sending<'_>) -> Vec<u8> {
    let notice = sending.notice;
    let mut out = Vec::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() && out.len() + value.len() < LONGEST {
            field(&mut out, name, value);
        }
    };
    // LOG_WARNING, LOG_NOTICE and LOG_INFO of syslog(3).
    let priority = match notice.kind {
        NoticeKind::Opened | NoticeKind::Ongoing | NoticeKind::Digest | NoticeKind::Summary => "4",
        NoticeKind::Closed => "5",
        NoticeKind::Test => "6",
    };
    let mut message = format!("{}: {}", notice.title, notice.state);
    for line in &notice.explanation {
        message.push('\n');
        message.push_str(line);
    }
    put("MESSAGE", &message);
    put("MESSAGE_ID", message_id(notice.kind));
    put("PRIORITY", priority);
    put("SYSLOG_IDENTIFIER", "headroom");
    put("HEADROOM_NOTICE", &notice.id);
    put("HEADROOM_EVENT", notice.kind.name());
    put("HEADROOM_NODE", &notice.node);
    if let Some(incident) = &notice.incident {
        put("HEADROOM_INCIDENT", &incident.id);
        put("HEADROOM_SOURCE", &incident.source);
        put("HEADROOM_ZONE", incident.zone.as_deref().unwrap_or_default());
        put("HEADROOM_TRIGGER", incident.trigger.as_deref().unwrap_or_default());
        put("HEADROOM_SLAIN", &incident.slain.to_string());
        put("HEADROOM_PAUSED", &incident.paused.to_string());
        put("HEADROOM_LASTED_SEC", &incident.lasted_s.to_string());
        let kernel = incident.kernel_oom_kills.map(|kills| kills.to_string());
        put("HEADROOM_KERNEL_OOM_KILLS", kernel.as_deref().unwrap_or_default());
        for victim in &incident.victims {
            put("HEADROOM_VICTIM", &victim.comm);
        }
    }
    out
}

/// `NAME=value`, or with the value's length where it has lines of its own.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&u64::try_from(value.len()).unwrap_or(0).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_api::notice::{Notice, NoticeIncident, NoticeVictim};
    use std::collections::BTreeMap;

    /// What journald makes of a datagram.
    fn parsed(mut bytes: &[u8]) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        while !bytes.is_empty() {
            let end = bytes.iter().position(|b| *b == b'\n').unwrap();
            let line = std::str::from_utf8(&bytes[..end]).unwrap();
            match line.split_once('=') {
                Some((name, value)) => {
                    fields.insert(name.to_owned(), value.to_owned());
                    bytes = &bytes[end + 1..];
                }
                None => {
                    let length = u64::from_le_bytes(bytes[end + 1..end + 9].try_into().unwrap());
                    let length = usize::try_from(length).unwrap();
                    let value = &bytes[end + 9..end + 9 + length];
                    fields.insert(line.to_owned(), String::from_utf8(value.to_vec()).unwrap());
                    bytes = &bytes[end + 10 + length..];
                }
            }
        }
        fields
    }

    #[test]
    fn the_journal_gets_fields_that_can_be_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        let victim = NoticeVictim { comm: "php\\u{a}MESSAGE=x".into(), ..NoticeVictim::default() };
        let incident = NoticeIncident {
            id: "2026-11-24T14:03:20Z-7".into(),
            victims: vec![victim],
            ..NoticeIncident::default()
        };
        let notice = Notice {
            title: "shop1: memory ran short".into(),
            state: "Memory is short".into(),
            explanation: vec!["96 MiB available".into()],
            incident: Some(incident),
            ..Notice::default()
        };
        let mut hand = || Ok(());
        let sending = Sending { address: "", notice: &notice, follows: false, hand: &mut hand };
        Journal::new(path).deliver(sending).unwrap();
        let mut bytes = vec![0; 64 * 1024];
        let length = journald.recv(&mut bytes).unwrap();
        let fields = parsed(&bytes[..length]);
        assert_eq!(fields["HEADROOM_INCIDENT"], "2026-11-24T14:03:20Z-7");
        assert_eq!(fields["MESSAGE_ID"], message_id(NoticeKind::Opened));
        assert_eq!(fields["PRIORITY"], "4");
        assert_eq!(fields["MESSAGE"], "shop1: memory ran short: Memory is short\n96 MiB available");
        assert_eq!(fields["HEADROOM_VICTIM"], "php\\u{a}MESSAGE=x");
    }

    #[test]
    fn a_value_with_lines_cannot_pass_for_fields() {
        let mut out = Vec::new();
        field(&mut out, "MESSAGE", "a\nPRIORITY=0");
        let fields = parsed(&out);
        assert_eq!(fields.len(), 1);
        assert_eq!(fields["MESSAGE"], "a\nPRIORITY=0");
    }
}
