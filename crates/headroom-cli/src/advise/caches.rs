//! Redis, Valkey, the search engines and Varnish: what their files and command lines allow them.

use std::process::{Command, Stdio};

use headroom_core::advise::facts::{Engine, Process};
use headroom_core::advise::parse::redis::{self, Instance};
use headroom_core::advise::parse::units::UnitLimits;
use headroom_core::advise::parse::{Said, Unread, jvm, varnish};
use headroom_core::units::Kib;

use super::program;
use super::root::Root;

/// Files of instances.
const REDIS: [&str; 4] =
    ["/etc/redis/*.conf", "/etc/redis.conf", "/etc/valkey/*.conf", "/etc/valkey.conf"];
/// More files than this are not counted in an index.
const MOST_FILES: usize = 50_000;

fn is_redis(process: &Process) -> bool {
    process.comm.starts_with("redis-server") || process.comm.starts_with("valkey-server")
}

/// Instances of Redis and Valkey.
pub(super) fn redis(root: &Root, processes: &[Process], unread: &mut Vec<Unread>) -> Vec<Instance> {
    let running: Vec<&Process> = processes.iter().filter(|process| is_redis(process)).collect();
    if root.is_live() && running.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<Instance> = Vec::new();
    for path in REDIS.iter().flat_map(|pattern| root.glob(pattern)) {
        if path.contains("sentinel") {
            continue;
        }
        match redis::instance(&path, &mut root.clone()) {
            Ok((instance, problems)) => {
                unread.extend(problems);
                found.push(instance);
            }
            Err(why) => unread.push(Unread::file(&path, why)),
        }
    }
    for process in running {
        let source = format!("command line of pid {}", process.pid);
        let words = process.line();
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut own = Instance { file: source.clone(), ..Instance::default() };
        own.command_line(words.iter().copied(), &source);
        let titled = words.iter().find_map(|word| word.rsplit_once(':')?.1.parse().ok());
        let port = own.port.or(titled).unwrap_or(6379);
        match found.iter_mut().find(|instance| instance.port() == port) {
            Some(instance) => instance.command_line(words.iter().copied(), &source),
            None => found.push(Instance { port: Some(port), ..own }),
        }
    }
    if root.is_live() {
        // A file of an instance that does not run takes nothing.
        let runs = |instance: &Instance| {
            let port = format!(":{}", instance.port());
            processes.iter().filter(|p| is_redis(p)).any(|p| p.line().contains(&port))
                || found_alone(processes)
        };
        found.retain(runs);
        for instance in &mut found {
            if let Err(why) = ask(instance) {
                let source = format!("Redis at port {}", instance.port());
                unread.push(Unread::file(&source, format!("{why}; its files are read instead")));
            }
        }
    }
    found
}

/// Asks a running server, through the client program that comes with it.
fn ask(instance: &mut Instance) -> Result<(), String> {
    let port = instance.port().to_string();
    let start = |name: &&str| {
        let mut command = Command::new(name);
        command.args(["-p", &port, "INFO", "memory"]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()
    };
    let child = ["redis-cli", "valkey-cli"].iter().find_map(start);
    let mut child = child.ok_or("no client program (redis-cli or valkey-cli) to ask it with")?;
    let answer = program::finish(&mut child)?;
    if !answer.out.contains("used_memory:") {
        let said = [answer.out, answer.err].concat();
        let line = said.lines().next().unwrap_or("its client failed").trim().to_string();
        let needs_login = ["NOAUTH", "NOPERM"].iter().any(|word| line.contains(word));
        let hint = if needs_login { " (set REDISCLI_AUTH to its password)" } else { "" };
        return Err(format!("{line}{hint}"));
    }
    instance.info(&answer.out);
    Ok(())
}

/// One server whose title names no port is whichever one there is.
fn found_alone(processes: &[Process]) -> bool {
    let mut all = processes.iter().filter(|process| is_redis(process));
    all.next().is_some_and(|process| !process.line().contains(':')) && all.next().is_none()
}

/// Elasticsearch and OpenSearch.
pub(super) fn engines(root: &Root, processes: &[Process]) -> Vec<Engine> {
    ["elasticsearch", "opensearch"]
        .iter()
        .filter_map(|name| engine(root, processes, name))
        .collect()
}

fn engine(root: &Root, processes: &[Process], name: &str) -> Option<Engine> {
    let options = format!("/etc/{name}/jvm.options");
    let extra = format!("/etc/{name}/jvm.options.d");
    let running = processes
        .iter()
        .find(|process| process.comm == "java" && process.line().to_lowercase().contains(name));
    let is_installed = root.has(&options) || root.has_folder(&extra);
    if running.is_none() && (root.is_live() || !is_installed) {
        return None;
    }
    let mut heap = root.maybe(&options).and_then(|text| jvm::heap(&options, &text));
    for path in root.glob(&format!("{extra}/*.options")) {
        let own = root.maybe(&path).and_then(|text| jvm::heap(&path, &text));
        heap = own.or(heap);
    }
    for path in [format!("/etc/default/{name}"), format!("/etc/sysconfig/{name}")] {
        let Some(text) = root.maybe(&path) else { continue };
        let lines = text.lines().zip(1..).filter(|(line, _)| {
            line.trim_start().starts_with("ES_JAVA_OPTS")
                || line.trim_start().starts_with("OPENSEARCH_JAVA_OPTS")
        });
        for (line, number) in lines {
            let words = line.split(['=', ' ', '"']);
            let own = jvm::heap_of_arguments(words);
            heap = own.map(|own| Said::new(own, format!("{path}:{number}"))).or(heap);
        }
    }
    if let Some(process) = running {
        let own = jvm::heap_of_arguments(process.arguments.iter().map(String::as_str));
        heap =
            own.map(|own| Said::new(own, format!("command line of pid {}", process.pid))).or(heap);
    }
    let data = root.size_of(&format!("/var/lib/{name}"), MOST_FILES).ok().map(Kib::from_bytes);
    Some(Engine {
        name: (*name).to_string(),
        heap,
        file: format!("{extra}/heap.options"),
        data: data.filter(|data| *data > Kib::ZERO),
    })
}

/// Varnish's storage: of the process, else of its unit and its files.
pub(super) fn varnish(
    root: &Root,
    processes: &[Process],
    units: &[UnitLimits],
) -> Option<Said<Kib>> {
    let running = processes.iter().find(|process| process.comm == "varnishd");
    if let Some(process) = running {
        let words = process.line();
        let size = varnish::storage(words.split_whitespace());
        if let Some(size) = size {
            return Some(Said::new(size, format!("command line of pid {}", process.pid)));
        }
    }
    if root.is_live() && running.is_none() {
        return None;
    }
    let unit = units.iter().find(|unit| unit.name == "varnish.service");
    let exec = unit.and_then(|unit| unit.exec.as_ref());
    let of_unit = exec.and_then(|exec| {
        Some(Said::new(varnish::storage(exec.value.split_whitespace())?, exec.at.clone()))
    });
    of_unit.or_else(|| {
        ["/etc/default/varnish", "/etc/varnish/varnish.params"].iter().find_map(|path| {
            let text = root.maybe(path)?;
            let mut lines =
                text.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with('#'));
            lines.find_map(|(line, number)| {
                let line = line.replace("VARNISH_STORAGE=", "-s ");
                let size = varnish::storage(line.split(['=', ' ']))?;
                Some(Said::new(size, format!("{path}:{number}")))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_heap_is_found_wherever_it_is_said_last() {
        let folder = tree(&[
            ("etc/elasticsearch/jvm.options", "-Xmx1g\n"),
            ("etc/elasticsearch/jvm.options.d/heap.options", "-Xms3g\n-Xmx3g\n"),
            ("etc/default/elasticsearch", "# ES_JAVA_OPTS=-Xmx9g\nES_PATH_CONF=/x\n"),
            ("var/lib/elasticsearch/nodes/0/x", "0123456789"),
        ]);
        let found = engines(&Root::new(folder.path()), &[]);
        let at = "/etc/elasticsearch/jvm.options.d/heap.options:2";
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].heap, Some(Said::new(Kib::from_mib(3072), at)));
    }

    #[test]
    fn instances_come_from_files_and_from_processes() {
        let folder = tree(&[
            ("etc/redis/redis.conf", "port 6379\n"),
            ("etc/redis/sentinel.conf", "port 26379\n"),
        ]);
        let process = Process {
            comm: "redis-server".into(),
            arguments: vec![
                "redis-server".into(),
                "*:6380".into(),
                "--maxmemory".into(),
                "64mb".into(),
            ],
            ..Process::default()
        };
        let found = redis(&Root::new(folder.path()), &[process], &mut Vec::new());
        let limits: Vec<_> = found.iter().map(|redis| (redis.port(), redis.limit())).collect();
        assert_eq!(limits, [(6379, None), (6380, Some(Kib::from_mib(64)))]);
    }

    #[test]
    fn varnish_says_its_storage_in_a_file() {
        let folder =
            tree(&[("etc/varnish/varnish.params", "# x\nVARNISH_STORAGE=\"malloc,2G\"\n")]);
        let found = varnish(&Root::new(folder.path()), &[], &[]).unwrap();
        assert_eq!(found, Said::new(Kib::from_mib(2048), "/etc/varnish/varnish.params:2"));
    }
}
