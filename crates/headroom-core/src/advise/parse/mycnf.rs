//! Option files of MySQL and MariaDB (`my_print_defaults(1)`): groups, includes, prefixes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Files, Said, Unread, numbered, unquoted};

/// Whose server reads the files: each knows groups that the other does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// MySQL, Percona Server.
    Mysql,
    /// MariaDB.
    #[default]
    MariaDb,
}

/// As deep as either server follows includes.
const DEEPEST: usize = 10;

/// Options the server would start with, in the order in which they are read: the last one wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Name (lower case, with underscores) and value, `None` for an option that was only named.
    entries: Vec<(String, Option<String>, String)>,
}

impl Options {
    /// What an option is set to, and where.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Said<&str>> {
        let (_, value, at) = self.entries.iter().rev().find(|(key, ..)| key == name)?;
        Some(Said::new(value.as_deref().unwrap_or("1"), at.clone()))
    }

    /// Sets an option, as a command line does after all files.
    pub fn set(&mut self, name: &str, value: Option<&str>, at: impl Into<String>) {
        let (name, value) = plain(name, value);
        self.entries.push((name, value, at.into()));
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Options on a server's command line, `--name=value`.
    pub fn command_line<'a>(&mut self, arguments: impl IntoIterator<Item = &'a str>, at: &str) {
        for argument in arguments {
            let Some(option) = argument.strip_prefix("--") else { continue };
            match option.split_once('=') {
                Some((name, value)) => self.set(name, Some(value), at),
                None => self.set(option, None, at),
            }
        }
    }
}

/// Reads the files in their order, with all that they include. A file that is not there is no fault of a
/// list of places, but one of an include.
pub fn read(starts: &[&str], flavour: Flavour, files: &mut dyn Files) -> (Options, Vec<Unread>) {
    let mut reader = Reader {
        flavour,
        files,
        options: Options::default(),
        unread: Vec::new(),
        open: Vec::new(),
    };
    for start in starts {
        if let Ok(text) = reader.files.text(start) {
            reader.file(start, &text);
        }
    }
    (reader.options, reader.unread)
}

struct Reader<'a> {
    flavour: Flavour,
    files: &'a mut dyn Files,
    options: Options,
    unread: Vec<Unread>,
    /// Files that are being read: one that comes again among them would never end.
    open: Vec<String>,
}

impl Reader<'_> {
    fn file(&mut self, path: &str, text: &str) {
        self.open.push(path.to_string());
        let mut is_ours = false;
        for (number, line) in numbered(text) {
            let line = line.trim();
            if let Some(rest) = line.strip_prefix('!') {
                self.directive(path, number, rest.trim());
            } else if line.is_empty() || line.starts_with(['#', ';']) {
            } else if let Some(group) = line.strip_prefix('[') {
                match group.split_once(']') {
                    Some((name, _)) => is_ours = self.is_ours(name.trim()),
                    None => self.complain(path, number, "a group without its closing bracket"),
                }
            } else if is_ours {
                let (name, value) = match line.split_once('=') {
                    Some((name, value)) => (name.trim(), Some(uncommented(value))),
                    None => (uncommented(line), None),
                };
                self.options.set(name, value, format!("{path}:{number}"));
            }
        }
        self.open.pop();
    }

    fn directive(&mut self, path: &str, number: usize, rest: &str) {
        let (word, target) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let target = target.trim();
        let target = if target.is_empty() || target.starts_with('/') {
            target.to_string()
        } else {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{target}")
        };
        match word {
            _ if target.is_empty() => self.complain(path, number, "an include of nothing"),
            "include" => self.include(path, number, &target),
            "includedir" => {
                match self.files.list(&format!("{}/*.cnf", target.trim_end_matches('/'))) {
                    Ok(found) => {
                        for file in found {
                            self.include(path, number, &file);
                        }
                    }
                    Err(why) => self.complain(path, number, &format!("{target}: {why}")),
                }
            }
            _ => self.complain(path, number, &format!("no such directive: !{word}")),
        }
    }

    fn include(&mut self, path: &str, number: usize, target: &str) {
        if self.open.iter().any(|open| open == target) {
            let why = format!("{target} includes itself in a loop; read once");
            return self.complain(path, number, &why);
        }
        if self.open.len() >= DEEPEST {
            let why = format!("{target} is included more than {DEEPEST} files deep; not read");
            return self.complain(path, number, &why);
        }
        match self.files.text(target) {
            Ok(text) => self.file(target, &text),
            Err(why) => self.complain(path, number, &format!("{target}: {why}")),
        }
    }

    fn complain(&mut self, path: &str, number: usize, why: &str) {
        self.unread.push(Unread::line(path, number, why));
    }

    /// Whether the server reads a group: its own, and those of one version as far as they are its kind.
    fn is_ours(&self, group: &str) -> bool {
        let base = group
            .split_once('-')
            .filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()));
        let name = base.map_or(group, |(name, _)| name);
        match name {
            "mysqld" | "server" => true,
            "mariadb" | "mariadbd" | "client-server" | "galera" => self.flavour == Flavour::MariaDb,
            _ => false,
        }
    }
}

/// A value up to the comment behind it. In quotes a `#` is a `#`.
fn uncommented(value: &str) -> &str {
    let value = value.trim();
    if value.starts_with(['"', '\'']) {
        return unquoted(value);
    }
    value.split('#').next().unwrap_or(value).trim()
}

/// An option under its own name: dashes are underscores, `loose_` means nothing here, `skip_` and
/// `disable_` switch off.
fn plain(name: &str, value: Option<&str>) -> (String, Option<String>) {
    let name = name.trim().to_ascii_lowercase().replace('-', "_");
    let name = name.strip_prefix("loose_").unwrap_or(&name);
    for (prefix, meaning) in [("skip_", "0"), ("disable_", "0"), ("enable_", "1")] {
        // skip_networking and skip_name_resolve are options of their own.
        if let Some(rest) = name
            .strip_prefix(prefix)
            .filter(|rest| value.is_none() && !matches!(*rest, "networking" | "name_resolve"))
        {
            return (rest.to_string(), Some(meaning.to_string()));
        }
    }
    (name.to_string(), value.map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fake;
    use super::*;

    fn get(options: &Options, name: &str) -> Option<(String, String)> {
        options.get(name).map(|said| (said.value.to_string(), said.at))
    }

    #[test]
    fn the_last_one_wins_and_groups_of_others_do_not_count() {
        let main = "[client]\nmax_connections=9\n[mysqld]\nmax-connections = 100 # few\n\
                    [mysqld-10.11]\nsort_buffer_size=\"4M\"\n[mysqldump]\nmax_connections=1\n\
                    !includedir /etc/mysql/conf.d/\n";
        let mut files = Fake::new(&[
            ("/etc/mysql/my.cnf", main),
            (
                "/etc/mysql/conf.d/a.cnf",
                "[mariadb]\nmax_connections=200\nskip-performance-schema\n",
            ),
            ("/etc/mysql/conf.d/b.txt", "[mysqld]\nmax_connections=300\n"),
        ]);
        let (options, unread) = read(&["/etc/mysql/my.cnf"], Flavour::MariaDb, &mut files);
        assert_eq!(unread, []);
        let at = "/etc/mysql/conf.d/a.cnf:2".to_string();
        assert_eq!(get(&options, "max_connections"), Some(("200".into(), at)));
        assert_eq!(get(&options, "sort_buffer_size").unwrap().0, "4M");
        assert_eq!(get(&options, "performance_schema").unwrap().0, "0");
        // MySQL knows nothing of [mariadb].
        let (options, _) = read(&["/etc/mysql/my.cnf"], Flavour::Mysql, &mut files);
        assert_eq!(get(&options, "max_connections").unwrap().0, "100");
    }

    #[test]
    fn includes_in_a_loop_are_said_and_the_rest_is_read() {
        let mut files = Fake::new(&[
            ("/etc/my.cnf", "!include /etc/a.cnf\n[mysqld]\nkey_buffer_size=8M\n"),
            ("/etc/a.cnf", "[mysqld]\nmax_connections=7\n!include /etc/my.cnf\n!include /none\n"),
        ]);
        let (options, unread) = read(&["/etc/my.cnf"], Flavour::MariaDb, &mut files);
        assert_eq!(get(&options, "max_connections").unwrap().0, "7");
        assert_eq!(get(&options, "key_buffer_size").unwrap().0, "8M");
        let said: Vec<_> = unread.iter().map(|u| (u.source.as_str(), u.why.as_str())).collect();
        assert_eq!(
            said,
            [
                ("/etc/a.cnf:3", "/etc/my.cnf includes itself in a loop; read once"),
                ("/etc/a.cnf:4", "/none: no such file"),
            ]
        );
    }

    #[test]
    fn a_line_that_means_nothing_is_said() {
        let text = "[mysqld\nmax_connections=5\n!includedirs /x\n!include\n";
        let mut files = Fake::new(&[("/etc/my.cnf", text)]);
        let (options, unread) = read(&["/etc/my.cnf"], Flavour::MariaDb, &mut files);
        assert!(options.is_empty());
        assert_eq!(unread.len(), 3, "{unread:?}");
    }

    #[test]
    fn the_command_line_has_the_last_word() {
        let mut files = Fake::new(&[("/etc/my.cnf", "[mysqld]\nmax_connections=5\n")]);
        let (mut options, _) = read(&["/etc/my.cnf"], Flavour::MariaDb, &mut files);
        options.command_line(["/usr/sbin/mariadbd", "--max-connections=9"], "pid 7");
        assert_eq!(get(&options, "max_connections"), Some(("9".into(), "pid 7".into())));
    }
}
