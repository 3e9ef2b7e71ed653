//! Holds what was read of one file against its rows.

use serde_json::Value;

use super::rows::{File, Row};

/// Something that was read differently than the rows have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) file: String,
    pub(super) field: String,
    pub(super) found: String,
    pub(super) expected: String,
}

/// All that differs in a file; `found` are its events in the order of their first lines.
pub(super) fn file(file: &File, found: &[Value]) -> Vec<Difference> {
    let mut differences = Differences { file: file.name.clone(), found: Vec::new() };
    differences.field("events", &found.len(), &file.events.len());
    differences.field("events by INDEX.tsv", &found.len(), &file.counted);
    let heads = found.iter().filter(|event| !event["invoker"].is_null()).count();
    differences.field("invocations", &heads, &file.invocations);
    for (number, (row, event)) in file.events.iter().zip(found).enumerate() {
        self::event(&mut differences, &format!("#{}", number + 1), file, row, event);
    }
    whole(&mut differences, file, found);
    differences.found
}

fn event(differences: &mut Differences, number: &str, file: &File, row: &Row, event: &Value) {
    let mut field = |name: &str, found: &str, expected: &str| {
        differences.field(&format!("{number} {name}"), &found, &expected);
    };
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let killer = text(&event["killer"]);
    let kind = match (killer.as_str(), event["invoker"].is_null()) {
        ("kernel", false) => "report",
        ("kernel", true) => "headless",
        _ => "userspace",
    };
    field("kind", kind, &row.kind);
    field("invoker", &text(&event["invoker"]["comm"]), &row.invoker);
    field("victims", &show(&victims(event)), &show(&row.victims));
    field("cgroup", &cgroup(event, row, file.name.contains("wrapped")), &row.cgroup);
    if row.constraint.starts_with("CONSTRAINT_") {
        field("constraint", &text(&event["constraint_name"]), &row.constraint);
    } else if row.kind == "userspace" {
        field("killer", &killer, &row.constraint);
    } else if row.constraint != "-" {
        field("constraint", &text(&event["constraint"]), &row.constraint);
    }
    let panicked = event["panicked"] == true && !file.panic_cut;
    let end = match (event["ending"].as_str(), panicked) {
        (Some("killed"), _) => "kill",
        (Some("no_killable"), true) => "no killable, panic",
        (Some("no_killable"), false) => "no killable",
        (Some("panic_on_oom"), _) => "panic_on_oom",
        _ => "-",
    };
    field("end", end, &row.end);
    if row.complete != "n/a" {
        // "yes (no task table)" is complete as that kernel was told to report.
        let complete = if row.complete.starts_with("yes") { "yes" } else { "no" };
        field("complete", if event["complete"] == true { "yes" } else { "no" }, complete);
    }
}

/// What INDEX.tsv says of the file as a whole.
fn whole(differences: &mut Differences, file: &File, found: &[Value]) {
    let kernels = found.iter().filter_map(|event| event["kernel"].as_str());
    for kernel in kernels {
        // A row may leave out what a builder appended to the release.
        if file.kernel.as_deref().is_none_or(|expected| !kernel.starts_with(expected)) {
            let expected = file.kernel.as_deref().unwrap_or("-");
            differences.add("kernel", kernel, expected);
        }
    }
    let any = |test: &dyn Fn(&Value) -> bool| found.iter().any(test);
    let constraint = |name: &str| any(&|event| event["constraint"] == name);
    let words = file.constraint.split(" (").next().unwrap_or(&file.constraint);
    for word in words.split("; ") {
        let there = match word {
            "sysrq" => constraint("manual"),
            "panic" => file.panic_cut || any(&|event| event["panicked"] == true),
            "group" => any(&|event| event["group_kill"] == true),
            "userspace" => any(&|event| event["killer"] != "kernel"),
            "negative control" => found.is_empty(),
            // A head alone does not say whether a cgroup was at its limit.
            word => constraint(word) || any(&|event| event["constraint"].is_null()),
        };
        if !there {
            let all: Vec<&str> =
                found.iter().filter_map(|event| event["constraint"].as_str()).collect();
            differences.add("constraint", &format!("{all:?}"), word);
        }
    }
}

fn victims(event: &Value) -> Vec<[String; 3]> {
    let number = |value: &Value| value.as_u64().map_or("-".to_owned(), |n| n.to_string());
    event["victims"]
        .as_array()
        .map(|victims| {
            let row = |victim: &Value| {
                let comm = victim["comm"].as_str().unwrap_or("-").to_owned();
                [number(&victim["pid"]), comm, number(&victim["anon_rss_kib"])]
            };
            victims.iter().map(row).collect()
        })
        .unwrap_or_default()
}

/// In any order, since interleaved kill lines have none.
fn show(victims: &[[String; 3]]) -> String {
    let mut all: Vec<String> =
        victims.iter().map(|[pid, comm, size]| format!("{pid}({comm}) {size}")).collect();
    all.sort();
    if all.is_empty() { "-".to_owned() } else { all.join(" ") }
}

/// The cgroup, as far as the row has it: rows leave out what only the heading of the statistics names,
/// and end where a mail client had cut the path in two.
fn cgroup(event: &Value, row: &Row, file_is_wrapped: bool) -> String {
    let found = event["cgroup"].as_str().unwrap_or("-");
    let left_out = row.cgroup == "-" && event["constraint"] == "memcg";
    let wrapped = file_is_wrapped && row.cgroup != "-" && found.starts_with(&row.cgroup);
    if left_out || wrapped { row.cgroup.clone() } else { found.to_owned() }
}

struct Differences {
    file: String,
    found: Vec<Difference>,
}

impl Differences {
    fn field<T: PartialEq + ToString>(&mut self, name: &str, found: &T, expected: &T) {
        if found != expected {
            self.add(name, &found.to_string(), &expected.to_string());
        }
    }

    fn add(&mut self, field: &str, found: &str, expected: &str) {
        self.found.push(Difference {
            file: self.file.clone(),
            field: field.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expected() -> File {
        File {
            name: "a.log".into(),
            kernel: Some("6.1.0".into()),
            constraint: "memcg".into(),
            invocations: 1,
            panic_cut: false,
            counted: 1,
            events: vec![Row {
                kind: "report".into(),
                invoker: "sh".into(),
                victims: vec![["7".into(), "php".into(), "40".into()]],
                cgroup: "/a".into(),
                constraint: "CONSTRAINT_MEMCG".into(),
                end: "kill".into(),
                complete: "yes".into(),
            }],
        }
    }

    fn read() -> Value {
        json!({"killer": "kernel", "invoker": {"comm": "sh"}, "kernel": "6.1.0-56", "cgroup": "/a",
               "victims": [{"pid": 7, "comm": "php", "anon_rss_kib": 40}], "constraint": "memcg",
               "constraint_name": "CONSTRAINT_MEMCG", "ending": "killed", "panicked": false,
               "complete": true})
    }

    #[test]
    fn a_file_read_as_its_rows_say_has_no_differences() {
        assert_eq!(file(&expected(), &[read()]), []);
    }

    #[test]
    fn each_field_that_is_read_wrongly_is_named() {
        for (key, value, field) in [
            ("killer", json!("earlyoom"), "#1 kind"),
            ("invoker", json!({"comm": "zsh"}), "#1 invoker"),
            ("cgroup", json!("/b"), "#1 cgroup"),
            ("constraint_name", json!("CONSTRAINT_NONE"), "#1 constraint"),
            ("constraint", json!("none"), "constraint"),
            ("ending", json!(null), "#1 end"),
            ("complete", json!(false), "#1 complete"),
            ("kernel", json!("5.10.0"), "kernel"),
            ("victims", json!([]), "#1 victims"),
        ] {
            let mut event = read();
            event[key] = value;
            let fields: Vec<String> =
                file(&expected(), &[event]).into_iter().map(|d| d.field).collect();
            assert_eq!(fields, [field], "{key}");
        }
    }

    #[test]
    fn an_event_too_many_or_too_few_is_a_difference() {
        for found in [vec![], vec![read(), read()]] {
            let fields: Vec<String> =
                file(&expected(), &found).into_iter().map(|d| d.field).collect();
            assert!(fields.contains(&"events".to_owned()), "{fields:?}");
        }
    }
}
