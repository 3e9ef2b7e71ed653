//! The forms, a row each.

use crate::printed::{BEGAN_S, Printed};

pub(crate) type Form = (&'static str, fn(&Printed) -> String);

/// A line each; what differs between the lines of one report is their time alone.
pub(crate) const FORMS: &[Form] = &[
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

/// Forms whose prefix has no wall clock, or none that can be read without the line before.
pub(crate) const WITHOUT_WALL: [&str; 52] = [
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
