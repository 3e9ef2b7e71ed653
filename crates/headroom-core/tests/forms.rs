//! The same reports in every form a logger, a tool or a person hands them on in: each must read as the
//! report itself does.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

use std::fs;
use std::path::Path;

use headroom_core::oomlog::{Event, Evidence, Parser, Position, Stamp, Wall};

/// 2026-11-23 22:20:23 UTC, when every report here began.
const BEGAN_S: u64 = 1_795_472_423;

/// One line as the kernel printed it.
struct Printed {
    uptime_us: u64,
    text: String,
    level: u8,
}

impl Printed {
    fn seconds(&self) -> String {
        format!("{:5}.{:06}", self.uptime_us / 1_000_000, self.uptime_us % 1_000_000)
    }

    /// `[   23.157011] text`
    fn dmesg(&self) -> String {
        format!("[{}] {}", self.seconds(), self.text)
    }

    /// Microseconds since 1970.
    fn unix_us(&self) -> u64 {
        BEGAN_S * 1_000_000 + self.uptime_us % 1_000_000
    }

    fn json(&self) -> String {
        self.text.replace('\\', "\\\\").replace('"', "\\\"")
    }
}

/// The kernel's lines of a fixture, without any prefix.
fn printed(name: &str) -> Vec<Printed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let log = fs::read_to_string(path).expect("a fixture");
    let lines = log.lines().filter_map(|line| {
        let line = line.split_once("kernel: ").map_or(line, |(_, rest)| rest);
        let (stamp, text) = line.strip_prefix('[')?.split_once("] ")?;
        let (seconds, fraction) = stamp.trim().split_once('.')?;
        let uptime_us = seconds.parse::<u64>().ok()? * 1_000_000 + fraction.parse::<u64>().ok()?;
        let level = if text.starts_with(['[', ' ']) { 6 } else { 4 };
        Some(Printed { uptime_us, text: text.into(), level })
    });
    lines.collect()
}

fn read(log: &str) -> Vec<Event> {
    let mut parser = Parser::new();
    for (line, number) in log.lines().zip(1..) {
        parser.feed(line.as_bytes(), Position { source: 0, line: number });
    }
    parser.finish();
    let mut events: Vec<Event> = std::iter::from_fn(|| parser.next_event()).collect();
    events.sort_by_key(|event| event.first);
    events
}

/// The event without what depends on the form: where and when its lines stand.
fn essence(mut event: Event) -> Event {
    event.first = Position::default();
    event.last = Position::default();
    event.stamp = Stamp::default();
    event.host = None;
    event.evidence = Evidence::default();
    for victim in &mut event.victims {
        victim.at = Position::default();
    }
    event
}

const REPORTS: [&str; 5] = [
    "6.1-memcg2-dmesg.log",
    "6.1-global-dmesg.log",
    "6.1-memcg2-oomgroup-dmesg.log",
    "6.18-memcg1-dmesg.log",
    "manual-4.4-limited-slice.log",
];

type Form = (&'static str, fn(&Printed) -> String);

/// A line each; what differs between the lines of one report is their time alone.
const FORMS: &[Form] = &[
    ("dmesg", |p| p.dmesg()),
    ("dmesg -t", |p| p.text.clone()),
    ("dmesg -r", |p| format!("<{}>{}", p.level, p.dmesg())),
    ("dmesg -x", |p| format!("kern  :warn  : {}", p.dmesg())),
    ("dmesg -T", |p| format!("[Mon Nov 23 22:20:23 2026] {}", p.text)),
    ("dmesg -T, Spanish", |p| format!("[lun nov 23 22:20:23 2026] {}", p.text)),
    ("dmesg -T, Japanese", |p| format!("[月 11月 23 22:20:23 2026] {}", p.text)),
    ("dmesg -T, Polish", |p| format!("[pon lis 23 22:20:23 2026] {}", p.text)),
    ("dmesg -d", |p| format!("[{} <    0.000021>] {}", p.seconds(), p.text)),
    ("dmesg -Td", |p| format!("[Mon Nov 23 22:20:23 2026 <    0.000021>] {}", p.text)),
    ("dmesg -e", |p| format!("[Nov23 22:20] {}", p.text)),
    ("dmesg -e, within the minute", |p| format!("[  +0.000021] {}", p.text)),
    ("dmesg --time-format iso", |p| {
        format!("2026-11-23T22:20:23,{:06}+00:00 {}", p.uptime_us % 1_000_000, p.text)
    }),
    ("dmesg --time-format iso, bracketed", |p| {
        format!("[2026-11-23T22:20:23,{:06}+00:00] {}", p.uptime_us % 1_000_000, p.text)
    }),
    ("dmesg in colour", |p| {
        format!(
            "\u{1b}[32m[{}] \u{1b}[0m\u{1b}[33m\u{1b}[0m\u{1b}[1m{}\u{1b}[0m",
            p.seconds(),
            p.text
        )
    }),
    ("printk's caller", |p| format!("[{}][  T480] {}", p.seconds(), p.text)),
    ("/dev/kmsg", |p| format!("{},1204,{},-;{}", p.level, p.uptime_us, p.text)),
    ("/dev/kmsg with a caller", |p| {
        format!("{},1204,{},-,caller=T480;{}", p.level, p.uptime_us, p.text)
    }),
    ("extended netconsole", |p| format!("{},1204,{},-;{}", p.level, p.uptime_us, p.text)),
    ("extended netconsole with a release", |p| {
        format!("6.4.0-rc1,{},1204,{},-;{}", p.level, p.uptime_us, p.text)
    }),
    ("netconsole behind rsyslog", |p| format!("Nov 23 22:20:23 192.0.2.10 {}", p.dmesg())),
    ("rsyslog", |p| format!("Nov 23 22:20:23 web1 kernel: {}", p.dmesg())),
    ("rsyslog without uptime", |p| format!("Nov 23 22:20:23 web1 kernel: {}", p.text)),
    ("rsyslog without a host", |p| format!("Nov 23 22:20:23 kernel: {}", p.dmesg())),
    ("rsyslog, a full host name", |p| {
        format!("Nov 23 22:20:23 web-1.example.com kernel: {}", p.dmesg())
    }),
    ("rsyslog, ISO", |p| {
        format!(
            "2026-11-23T22:20:23.{:06}+00:00 web1 kernel: {}",
            p.uptime_us % 1_000_000,
            p.dmesg()
        )
    }),
    ("rsyslog, ISO with a comma", |p| {
        format!(
            "2026-11-23T22:20:23,{:06}+00:00 web1 kernel: {}",
            p.uptime_us % 1_000_000,
            p.dmesg()
        )
    }),
    ("rsyslog, protocol 23", |p| {
        format!("<4>1 2026-11-23T22:20:23.1+00:00 web1 kernel - - -  {}", p.dmesg())
    }),
    ("RFC 5424 with structured data", |p| {
        format!("<4>1 2026-11-23T22:20:23Z web1 kernel - - [meta x=\"1\"][b y=\"2\"] {}", p.text)
    }),
    ("RFC 5424 over TCP", |p| {
        format!("123 <4>1 2026-11-23T22:20:23Z web1 kernel - - - {}", p.text)
    }),
    ("syslog-ng with a year", |p| format!("2026 Nov 23 22:20:23 web1 kernel: {}", p.dmesg())),
    ("Cisco-like with a year", |p| format!("Nov 23 2026 22:20:23 web1 kernel: {}", p.dmesg())),
    ("F5", |p| format!("Nov 23 22:20:23 web1 warning kernel: {}", p.text)),
    ("metalog", |p| format!("Nov 23 22:20:23 [kernel] {}", p.dmesg())),
    ("metalog without uptime", |p| format!("Nov 23 22:20:23 [kernel] {}", p.text)),
    ("klogd's own level", |p| format!("Nov 23 22:20:23 web1 kernel: <4>{}", p.dmesg())),
    ("busybox", |p| format!("Nov 23 22:20:23 web1 kern.warn kernel: {}", p.dmesg())),
    ("busybox without a name", |p| {
        format!("Nov 23 22:20:23 (none) kern.warn kernel: {}", p.dmesg())
    }),
    ("OpenWrt", |p| format!("Mon Nov 23 22:20:23 2026 kern.warn kernel: {}", p.dmesg())),
    ("socklog", |p| format!("2026-11-23_22:20:23.12345 kern.warn: {}", p.dmesg())),
    ("TAI64N", |p| format!("@4000000065a1b2c3d4e5f607 kern.warn: {}", p.dmesg())),
    ("journalctl short", |p| format!("Nov 23 22:20:23 web1 kernel: {}", p.text)),
    ("journalctl short-precise", |p| format!("Nov 23 22:20:23.043143 web1 kernel: {}", p.text)),
    ("journalctl short-iso", |p| format!("2026-11-23T22:20:23+0000 web1 kernel: {}", p.text)),
    ("journalctl short-iso-precise", |p| {
        format!("2026-11-23T22:20:23.043143+00:00 web1 kernel: {}", p.text)
    }),
    ("journalctl short-full", |p| format!("Mon 2026-11-23 22:20:23 UTC web1 kernel: {}", p.text)),
    ("journalctl short-full, Paris", |p| {
        format!("lun. 2026-11-23 22:20:23 CET web1 kernel: {}", p.text)
    }),
    ("journalctl short-monotonic", |p| format!("[{}] web1 kernel: {}", p.seconds(), p.text)),
    ("journalctl short-delta", |p| {
        format!("[{} <    0.000021 >] web1 kernel: {}", p.seconds(), p.text)
    }),
    ("journalctl short-unix", |p| {
        format!("{}.{:06} web1 kernel: {}", BEGAN_S, p.uptime_us % 1_000_000, p.text)
    }),
    ("journalctl with-unit", |p| format!("Mon 2026-11-23 22:20:23 UTC web1 kernel: {}", p.text)),
    ("journalctl json", |p| {
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"{}\",\"_TRANSPORT\":\"kernel\",\"MESSAGE\":\"{}\"}}",
            p.unix_us(),
            p.json()
        )
    }),
    ("journalctl json-seq", |p| {
        format!(
            "\u{1e}{{\"__REALTIME_TIMESTAMP\":\"{}\",\"_TRANSPORT\":\"kernel\",\"MESSAGE\":\"{}\"}}",
            p.unix_us(),
            p.json()
        )
    }),
    ("journalctl json-sse", |p| {
        format!(
            "data: {{\"__REALTIME_TIMESTAMP\":\"{}\",\"_TRANSPORT\":\"kernel\",\"MESSAGE\":\"{}\"}}\n",
            p.unix_us(),
            p.json()
        )
    }),
    ("journalctl json-pretty", |p| {
        format!(
            "{{\n\t\"__REALTIME_TIMESTAMP\" : \"{}\",\n\t\"_TRANSPORT\" : \"kernel\",\n\t\"MESSAGE\" : \"{}\"\n}}",
            p.unix_us(),
            p.json()
        )
    }),
    ("journalctl export", |p| {
        format!(
            "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP={}\n_TRANSPORT=kernel\nMESSAGE={}\n",
            p.unix_us(),
            p.text
        )
    }),
    ("journalctl verbose", |p| {
        format!(
            "Mon 2026-11-23 22:20:23.043143 UTC [s=0123456789abcdef;i=4b2;b=0a1b;m=607f06;t=6417;x=9d]\n    \
             _SOURCE_MONOTONIC_TIMESTAMP={}\n    _TRANSPORT=kernel\n    PRIORITY={}\n    \
             SYSLOG_IDENTIFIER=kernel\n    MESSAGE={}\n    _HOSTNAME=web1",
            p.uptime_us, p.level, p.text
        )
    }),
    ("docker's json-file", |p| {
        format!(
            "{{\"log\":\"[{}] {}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T22:20:23.043143Z\"}}",
            p.seconds(),
            p.json()
        )
    }),
    ("docker compose", |p| format!("kmsg-1  | {}", p.dmesg())),
    ("Kubernetes CRI", |p| format!("2026-11-23T22:20:23.043143678Z stdout F {}", p.dmesg())),
    ("Kubernetes CRI around syslog", |p| {
        format!(
            "2026-11-23T22:20:23.043143678Z stderr F Nov 23 22:20:23 web1 kernel: {}",
            p.dmesg()
        )
    }),
    ("kubectl logs --prefix", |p| format!("[pod/kmsg-x7k2p/kmsg] {}", p.dmesg())),
    ("filebeat", |p| {
        format!(
            "{{\"@timestamp\":\"2026-11-23T22:20:23.043Z\",\"host\":{{\"name\":\"web1\"}},\"message\":\"Nov 23 22:20:23 web1 kernel: [{}] {}\"}}",
            p.seconds(),
            p.json()
        )
    }),
    ("Google Cloud Logging, text", |p| {
        format!(
            "{{\"insertId\":\"a\",\"textPayload\":\"[{}] {}\",\"timestamp\":\"2026-11-23T22:20:23Z\"}},",
            p.seconds(),
            p.json()
        )
    }),
    ("Google Cloud Logging, JSON", |p| {
        format!(
            "[{{\"jsonPayload\":{{\"message\":\"{}\"}},\"timestamp\":\"2026-11-23T22:20:23Z\"}},",
            p.json()
        )
    }),
    ("GELF", |p| {
        format!(
            "{{\"version\":\"1.1\",\"host\":\"web1\",\"short_message\":\"{}\",\"timestamp\":1795472423.043}}",
            p.json()
        )
    }),
    ("fluentd", |p| {
        format!(
            "2026-11-23 22:20:23.000000000 +0000 kern.log: {{\"host\":\"web1\",\"ident\":\"kernel\",\"message\":\"{}\"}}",
            p.json()
        )
    }),
    ("CloudWatch", |p| format!("2026-11-23T22:20:23.043Z {}", p.dmesg())),
    ("CloudWatch around syslog", |p| {
        format!("2026-11-23T22:20:23.043Z Nov 23 22:20:23 ip-192-0-2-10 kernel: {}", p.dmesg())
    }),
    ("aws logs tail", |p| {
        format!(
            "2026-11-23T22:20:23.043000+00:00 i-0123456789abcdef0 Nov 23 22:20:23 ip-192-0-2-10 kernel: {}",
            p.dmesg()
        )
    }),
    ("CloudWatch's CSV", |p| {
        format!("1795472423043,\"Nov 23 22:20:23 ip-192-0-2-10 kernel: {}\"", p.dmesg())
    }),
    ("a CSV of times and messages", |p| format!("\"2026-11-23 22:20:23.043\",\"{}\"", p.dmesg())),
    ("logcli", |p| format!("2026-11-23T22:20:23Z {{host=\"web1\", job=\"kern\"}} {}", p.dmesg())),
    ("stern", |p| format!("kmsg-x7k2p kmsg {}", p.dmesg())),
    ("the EC2 console", |p| format!("{}\r", p.dmesg())),
    ("the Google serial console", |p| {
        format!("Nov 23 22:20:23 gke-pool-1 kernel: {}\r", p.dmesg())
    }),
    ("a stamping terminal", |p| format!("[2026-11-23 22:20:23.043] {}", p.dmesg())),
    ("a stamping terminal without uptime", |p| format!("[2026-11-23 22:20:23.043] {}", p.text)),
    ("a stamping terminal, time alone", |p| format!("[22:20:23.043] {}", p.text)),
    ("ts", |p| format!("Nov 23 22:20:23 {}", p.text)),
    ("ts around dmesg", |p| format!("Nov 23 22:20:23 {}", p.dmesg())),
    ("grep -n", |p| format!("120:Nov 23 22:20:23 web1 kernel: {}", p.dmesg())),
    ("grep -n -A", |p| format!("120-Nov 23 22:20:23 web1 kernel: {}", p.dmesg())),
    ("grep over rotations", |p| {
        format!("/var/log/kern.log.1:Nov 23 22:20:23 web1 kernel: {}", p.dmesg())
    }),
    ("grep -A over rotations", |p| {
        format!("/var/log/kern.log.1-Nov 23 22:20:23 web1 kernel: {}", p.dmesg())
    }),
    ("grep -Hn over dmesg files", |p| format!("dmesg.0:17:{}", p.dmesg())),
    ("grep -Hn -A over dmesg files", |p| format!("dmesg.0-17-{}", p.dmesg())),
    ("cat -n", |p| format!("   120\tNov 23 22:20:23 web1 kernel: {}", p.dmesg())),
    ("cat -n of a dmesg", |p| format!("   120\t{}", p.dmesg())),
    ("quoted mail", |p| format!("> {}", p.dmesg())),
    ("quoted mail, deeper", |p| format!("> > >{}", p.dmesg())),
    ("quoted mail without prefix", |p| format!(">> {}", p.text)),
    ("quoted with a bar", |p| format!("| {}", p.dmesg())),
    ("Markdown's indentation", |p| format!("    {}", p.dmesg())),
    ("a Markdown list", |p| format!("- `{}`", p.dmesg())),
    ("tab indentation", |p| format!("\t{}", p.dmesg())),
    ("Windows line ends", |p| format!("{}\r", p.dmesg())),
    ("no-break spaces", |p| p.dmesg().replace(' ', "\u{a0}")),
    ("HTML", |p| format!("&lt;4&gt;{}<br>", p.dmesg())),
    ("logcat threadtime", |p| format!("11-23 22:20:23.043     0     0 W         : {}", p.text)),
    ("logcat threadtime with a tag", |p| {
        format!("11-23 22:20:23.043   123   456 W kernel  : {}", p.text)
    }),
    ("logcat brief", |p| format!("W/kernel  (  123): {}", p.text)),
    ("Android with a CPU", |p| format!("<4>[{},1] {}", p.seconds(), p.text)),
    ("Android with an at", |p| format!("<4>[{}@1] {}", p.seconds(), p.text)),
    ("MediaTek", |p| format!("<4>[{}]  (1)[480:python3]{}", p.seconds(), p.text)),
    ("Samsung", |p| format!("<4>[{}]  [1:        python3:  480] {}", p.seconds(), p.text)),
    ("Qualcomm", |p| format!("<4>[{}] c1    480 {}", p.seconds(), p.text)),
    ("FreeBSD-like level names", |p| format!("<kern.warn>[{}] {}", p.seconds(), p.text)),
    ("a slashed date", |p| format!("2026/11/23 22:20:23 web1 kernel: {}", p.dmesg())),
    ("an unknown logger", |p| format!("#17| web1/kmsg @22h20 >> {}", p.dmesg())),
    ("an unknown logger without uptime", |p| format!("#17| web1/kmsg @22h20 >> {}", p.text)),
    ("a German date", |p| format!("23.11.2026 22:20:23 web1 kernel: {}", p.text)),
    ("an American date", |p| format!("11/23/2026 10:20:23 PM web1 kernel: {}", p.text)),
    ("Apache's date", |p| format!("[23/Nov/2026:22:20:23 +0000] web1 kernel: {}", p.text)),
    ("logfmt", |p| {
        format!("time=2026-11-23T22:20:23Z level=warn facility=kern msg=\"{}\"", p.json())
    }),
    ("logger passing dmesg on", |p| format!("Nov 23 22:20:23 web1 root: {}", p.dmesg())),
    ("fluentd's file", |p| {
        format!(
            "2026-11-23T22:20:23+00:00\tkernel\t{{\"message\":\"[{}] {}\",\"priority\":\"4\"}}",
            p.seconds(),
            p.json()
        )
    }),
    ("dmesg -J -x", |p| {
        format!(
            "{{\"fac\":\"kern\",\"pri\":\"warn\",\"time\":\"{}\",\"msg\":\"{}\"}},",
            p.seconds(),
            p.json()
        )
    }),
    ("cat -A of Windows' lines", |p| format!("{}^M$", p.dmesg())),
    ("unexpand", |p| p.dmesg().replace("    ", "\t")),
    ("one blank for many", |p| p.dmesg().split_whitespace().collect::<Vec<_>>().join(" ")),
    ("fluent-bit's standard output", |p| {
        format!(
            "[3] kmsg.0: [[1795472423.043143678, {{}}], {{\"priority\"=>4, \"msg\"=>\"{}\"}}]",
            p.json()
        )
    }),
    ("Talos", |p| {
        format!(
            "{{\"clock\":{},\"facility\":\"kern\",\"msg\":\"{}\",\"talos-level\":\"warn\"}}",
            p.uptime_us,
            p.json()
        )
    }),
    ("a NUL where the disk was full", |p| format!("\0\0\0\0{}", p.dmesg())),
];

#[test]
fn a_report_reads_the_same_in_every_form() {
    let mut wrong = Vec::new();
    for report in REPORTS {
        let lines = printed(report);
        let bare: Vec<String> = lines.iter().map(Printed::dmesg).collect();
        let expected: Vec<Event> = read(&bare.join("\n")).into_iter().map(essence).collect();
        assert_eq!(expected.len(), 1, "{report}");
        for (name, form) in FORMS {
            let log: Vec<String> = lines.iter().map(form).collect();
            let found: Vec<Event> = read(&log.join("\n")).into_iter().map(essence).collect();
            if found != expected {
                wrong.push(format!("{name}: {report}: {}", difference(&found, &expected)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn difference(found: &[Event], expected: &[Event]) -> String {
    let ([found], [expected]) = (found, expected) else {
        return format!("{} events", found.len());
    };
    let mut parts = Vec::new();
    let mut check = |name: &str, same: bool, what: String| {
        if !same {
            parts.push(format!("{name} {what}"));
        }
    };
    check("invoker", found.invoker == expected.invoker, format!("{:?}", found.invoker));
    check("kernel", found.kernel == expected.kernel, format!("{:?}", found.kernel));
    check("cgroup", found.cgroup == expected.cgroup, format!("{:?}", found.cgroup));
    check("memcg", found.memcg == expected.memcg, format!("{:?}", found.memcg));
    check("mem_info", found.mem_info == expected.mem_info, format!("{:?}", found.mem_info));
    check("tasks", found.tasks == expected.tasks, format!("{}", found.tasks.len()));
    check("victims", found.victims == expected.victims, format!("{:?}", found.victims));
    check("missing", found.missing == expected.missing, format!("{:?}", found.missing));
    check("page", found.page_kib == expected.page_kib, format!("{:?}", found.page_kib));
    if parts.is_empty() { "elsewhere".into() } else { parts.join("; ").chars().take(300).collect() }
}

/// Wraps at blanks, as a mail client does, a line longer than `width`.
fn worded(line: &str, width: usize) -> String {
    let mut wrapped = String::new();
    let mut length = 0;
    for word in line.split_inclusive(' ') {
        if length > 0 && length + word.trim_end().len() > width {
            wrapped = wrapped.trim_end().into();
            wrapped.push('\n');
            length = 0;
        }
        wrapped.push_str(word);
        length += word.len();
    }
    wrapped
}

/// Breaks anywhere, as a narrow terminal does.
fn broken(line: &str, width: usize) -> String {
    let characters: Vec<char> = line.chars().collect();
    let pieces: Vec<String> =
        characters.chunks(width).map(|piece| piece.iter().collect()).collect();
    pieces.join("\n")
}

/// A raw mail's lines of 76 characters, `=` where they go on.
fn quoted_printable(line: &str) -> String {
    let encoded = line.replace('=', "=3D");
    let mut wrapped = String::new();
    let mut length = 0;
    let mut rest = encoded.as_str();
    while let Some(c) = rest.chars().next() {
        // A code is not broken.
        let step = if rest.starts_with("=3D") { 3 } else { c.len_utf8() };
        if length + step > 75 {
            wrapped.push_str("=\n");
            length = 0;
        }
        wrapped.push_str(&rest[..step]);
        length += step;
        rest = &rest[step..];
    }
    wrapped
}

type Damage = (&'static str, fn(&str) -> String);

#[test]
fn a_wrapped_report_is_put_together() {
    let forms: &[Damage] = &[
        ("a mail client", |line| worded(line, 72)),
        ("a mail client that quotes", |line| {
            worded(line, 70)
                .lines()
                .map(|l| format!("> {l}\n"))
                .collect::<String>()
                .trim_end()
                .into()
        }),
        ("a raw mail", quoted_printable),
    ];
    let terminals: &[Damage] = &[
        ("a terminal of 80", |line| broken(line, 80)),
        ("a terminal of 100", |line| broken(line, 100)),
        ("a terminal of 132", |line| broken(line, 132)),
    ];
    let mut wrong = Vec::new();
    for report in REPORTS {
        let lines = printed(report);
        let bare: Vec<String> = lines.iter().map(Printed::dmesg).collect();
        let expected: Vec<Event> = read(&bare.join("\n")).into_iter().map(essence).collect();
        for (name, form) in forms.iter().chain(terminals) {
            let log: Vec<String> = bare.iter().map(|line| form(line)).collect();
            let found: Vec<Event> = read(&log.join("\n")).into_iter().map(essence).collect();
            let bad = difference(&found, &expected);
            if bad != "elsewhere" {
                wrong.push(format!("{name}: {report}: {bad}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Forms whose prefix has no wall clock, or none that can be read without the line before.
const WITHOUT_WALL: [&str; 52] = [
    "dmesg",
    "dmesg -t",
    "dmesg -r",
    "dmesg -x",
    "dmesg -d",
    "dmesg -e, within the minute",
    "dmesg in colour",
    "printk's caller",
    "/dev/kmsg",
    "/dev/kmsg with a caller",
    "extended netconsole",
    "extended netconsole with a release",
    "journalctl short-monotonic",
    "journalctl short-delta",
    "docker compose",
    "kubectl logs --prefix",
    "stern",
    "the EC2 console",
    "grep -Hn over dmesg files",
    "grep -Hn -A over dmesg files",
    "cat -n of a dmesg",
    "quoted mail",
    "quoted mail, deeper",
    "quoted mail without prefix",
    "quoted with a bar",
    "Markdown's indentation",
    "a Markdown list",
    "tab indentation",
    "Windows line ends",
    "no-break spaces",
    "HTML",
    "logcat brief",
    "Android with a CPU",
    "Android with an at",
    "MediaTek",
    "Samsung",
    "Qualcomm",
    "FreeBSD-like level names",
    "an unknown logger",
    "an unknown logger without uptime",
    "logfmt",
    "a NUL where the disk was full",
    "dmesg -J -x",
    "cat -A of Windows' lines",
    "unexpand",
    "one blank for many",
    "Talos",
    "fluent-bit's standard output",
    // Times of their own.
    "TAI64N",
    "dmesg -e",
    "CloudWatch's CSV",
    "a CSV of times and messages",
];

#[test]
fn the_time_of_every_form_is_kept() {
    let lines = printed("6.1-memcg2-dmesg.log");
    let second_of_day = 22 * 3600 + 20 * 60 + 23;
    let mut wrong = Vec::new();
    for (name, form) in FORMS {
        let log: Vec<String> = lines.iter().map(form).collect();
        let events = read(&log.join("\n"));
        let stamp = events.first().map(|event| event.stamp).unwrap_or_default();
        let right = match stamp.wall {
            Some(Wall::Unix(us)) => us / 1_000_000 == i64::try_from(BEGAN_S).expect("a time"),
            Some(Wall::Civil { year, month, day, time_us, .. }) => {
                (month, day, time_us / 1_000_000) == (11, 23, second_of_day)
                    && year.is_none_or(|year| year == 2026)
            }
            Some(Wall::TimeOfDay(us)) => us / 1_000_000 == second_of_day,
            None => WITHOUT_WALL.contains(name),
        };
        if !right && !WITHOUT_WALL[48..].contains(name) {
            wrong.push(format!("{name}: {stamp:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_minute_and_what_follows_it_are_a_time() {
    let log = "[Nov23 22:20] usb 1-1: new device\n\
        [  +2.500000] php invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
        [  +0.250000] Out of memory: Killed process 5 (a) total-vm:8kB, anon-rss:4kB\n";
    let events = read(log);
    let time_us = (22 * 3600 + 20 * 60) * 1_000_000 + 2_500_000;
    let expected = Wall::Civil { year: None, month: 11, day: 23, time_us, offset_s: None };
    assert_eq!(events.first().map(|event| event.stamp.wall), Some(Some(expected)));
}

/// What a logger makes of a tag and a text.
type Tagged = fn(&str, &str) -> String;

#[test]
fn the_daemons_kills_are_found_in_every_logs_form() {
    let kills = [
        ("earlyoom", "sending SIGTERM to process 4711 uid 33 \"php\": badness 872, VmRSS 410 MiB"),
        ("systemd-oomd", "Killed /system.slice/x.service due to memory pressure for /system.slice"),
        ("systemd-oomd", "Marked /system.slice/x.service for killing due to memory used (5)"),
        ("headroom-guard", "headroom-guard: slay php (452) with SIGTERM: over the floor"),
    ];
    let forms: [(&str, Tagged); 9] = [
        ("rsyslog", |tag, text| format!("Nov 23 22:20:23 web1 {tag}[7]: {text}")),
        ("ISO", |tag, text| format!("2026-11-23T22:20:23.043143+00:00 web1 {tag}[7]: {text}")),
        ("RFC 5424", |tag, text| format!("<30>1 2026-11-23T22:20:23Z web1 {tag} 7 - - {text}")),
        ("short-monotonic", |tag, text| format!("[   23.157011] web1 {tag}[7]: {text}")),
        ("short-full", |tag, text| format!("Mon 2026-11-23 22:20:23 UTC web1 {tag}[7]: {text}")),
        ("with-unit", |tag, text| {
            format!("Mon 2026-11-23 22:20:23 UTC web1 {tag}.service[7]: {text}")
        }),
        ("without a host", |tag, text| format!("Nov 23 22:20:23 {tag}[7]: {text}")),
        ("grep", |tag, text| format!("syslog.1:12:Nov 23 22:20:23 web1 {tag}[7]: {text}")),
        ("json", |tag, text| {
            let text = text.replace('"', "\\\"");
            format!("{{\"MESSAGE\":\"{text}\",\"SYSLOG_IDENTIFIER\":\"{tag}\"}}")
        }),
    ];
    for (tag, text) in kills {
        for (name, form) in &forms {
            let events = read(&form(tag, text));
            assert_eq!(events.len(), 1, "{name}: {text}");
            assert_ne!(events[0].killer, headroom_core::oomlog::Killer::Kernel, "{name}: {text}");
        }
    }
}
