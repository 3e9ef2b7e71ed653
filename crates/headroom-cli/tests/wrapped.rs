//! A report handed on as a whole by some other tool: in one JSON value, newest line first, twice, in an
//! encoding without a mark. Each must read as the report itself does.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// What the report says: victims, tasks, whether all of it was read.
fn essence(folder: &Path, log: &[u8]) -> Value {
    let path = folder.join("log");
    fs::write(&path, log).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .env("TZ", "UTC")
        .env_remove("HEADROOM_ROOT")
        .args(["explain", "--format", "json"])
        .arg(&path)
        .output()
        .expect("headroom runs");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let incidents = told["incidents"].as_array().cloned().unwrap_or_default();
    let events = incidents.iter().flat_map(|i| i["events"].as_array().cloned().unwrap_or_default());
    events
        .map(|event| json!([event["complete"], event["victims"], event["tasks"], event["cgroup"]]))
        .collect()
}

/// Time and text of each of the kernel's lines.
fn lines(log: &str) -> Vec<(f64, &str)> {
    log.lines()
        .filter_map(|line| {
            let (stamp, text) = line.strip_prefix('[')?.split_once("] ")?;
            Some((stamp.trim().parse().ok()?, text))
        })
        .collect()
}

#[test]
fn a_report_within_another_tools_answer_reads_as_itself() {
    let folder = TempDir::new().expect("a folder");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../headroom-core/tests/data");
    for name in ["6.1-global-dmesg.log", "6.18-memcg1-dmesg.log"] {
        let text = fs::read_to_string(data.join(name)).expect("a fixture");
        let lines = lines(&text);
        let raw: Vec<String> =
            lines.iter().map(|(at, text)| format!("[{at:12.6}] {text}")).collect();
        let log = raw.join("\n");
        let windows = raw.join("\r\n");
        let newest_first: Vec<&str> = raw.iter().rev().map(String::as_str).collect();
        let expected = essence(folder.path(), log.as_bytes());
        assert_eq!(expected.as_array().map(Vec::len), Some(1), "{name}");

        let console = json!({"InstanceId": "i-0", "Output": windows, "Timestamp": "2026-11-23"});
        let records: Vec<Value> =
            lines.iter().map(|(at, text)| json!({"pri": 4, "time": at, "msg": text})).collect();
        let dmesg = json!({"dmesg": records});
        let pair = |line: &&str| json!(["1795472423043143678", line]);
        let loki = |lines: &[&str]| {
            let values: Vec<Value> = lines.iter().map(pair).collect();
            json!({"status": "success", "data": {"result": [{"stream": {"job": "kern"}, "values": values}]}})
        };
        let forward: Vec<&str> = raw.iter().map(String::as_str).collect();
        let hits: Vec<Value> =
            raw.iter().map(|line| json!({"_source": {"message": line}})).collect();
        let elastic = json!({"hits": {"hits": hits}});
        let events: Vec<Value> = raw
            .iter()
            .map(|line| json!({"message": line, "timestamp": 1_795_472_423_043_i64}))
            .collect();
        let ansible = json!({"web1": {"rc": 0, "stdout": log, "stdout_lines": raw}});
        let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("JSON");
        let utf16 = |swap: bool| -> Vec<u8> {
            let units = windows.encode_utf16();
            units.flat_map(|u| if swap { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
        };
        let twice: Vec<String> = raw.iter().map(|line| format!("{line}\n{line}")).collect();
        let journal: Vec<String> = lines
            .iter()
            .rev()
            .map(|(at, text)| format!("[{at:12.6}] web1 kernel: {text}"))
            .collect();

        let forms: [(&str, Vec<u8>); 19] = [
            ("the EC2 console", console.to_string().into()),
            ("the EC2 console, indented", pretty(&console).into()),
            ("dmesg -J, indented", pretty(&dmesg).into()),
            ("dmesg -J, on one line", dmesg.to_string().into()),
            ("Loki, oldest first", loki(&forward).to_string().into()),
            ("Loki, newest first", loki(&newest_first).to_string().into()),
            ("Loki, indented", pretty(&loki(&forward)).into()),
            ("Elasticsearch", elastic.to_string().into()),
            ("Elasticsearch, indented", pretty(&elastic).into()),
            ("CloudWatch", json!({"events": events}).to_string().into()),
            ("CloudWatch, indented", pretty(&json!({"events": events})).into()),
            ("Ansible", ansible.to_string().into()),
            ("Ansible, indented", pretty(&ansible).into()),
            ("UTF-16 without a mark", utf16(false)),
            ("UTF-16 without a mark, the other end first", utf16(true)),
            ("newest first", newest_first.join("\n").into()),
            ("journalctl -r", journal.join("\n").into()),
            ("pasted twice", format!("{log}\n{log}\n").into()),
            ("each line twice", twice.join("\n").into()),
        ];
        for (form, bytes) in forms {
            assert_eq!(essence(folder.path(), &bytes), expected, "{name}: {form}");
        }
    }
}
