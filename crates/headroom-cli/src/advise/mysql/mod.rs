//! The database: its option files, its data on disk, and where it runs and lets us, its own word.

mod client;

use std::path::Path;

use headroom_core::advise::facts::{Database, Mysql, Process};
use headroom_core::advise::parse::mycnf::{self, Flavour};
use headroom_core::advise::parse::{Said, Unread};
use headroom_core::units::Kib;

use super::root::{Root, explained};

/// Where both servers look for their first file (`--help --verbose`).
const STARTS: [&str; 3] = ["/etc/my.cnf", "/etc/mysql/my.cnf", "/usr/etc/my.cnf"];
/// Files of a data folder that are counted at the most.
const MOST_FILES: usize = 200_000;
/// The servers' own databases.
const OWN: [&str; 4] = ["mysql", "performance_schema", "sys", "information_schema"];

/// Looks at the server and its databases; `None` where there is none.
pub(super) fn gather(
    root: &Root,
    processes: &[Process],
    socket: Option<&Path>,
    unread: &mut Vec<Unread>,
) -> (Option<Mysql>, Vec<Database>) {
    let running =
        processes.iter().find(|process| matches!(process.comm.as_str(), "mysqld" | "mariadbd"));
    let is_here = running.is_some() || socket.is_some();
    let is_installed = STARTS.iter().any(|start| root.has(start));
    if !is_here && (root.is_live() || !is_installed) {
        return (None, Vec::new());
    }
    let flavour = flavour(root, running);
    let (mut options, problems) = mycnf::read(&STARTS, flavour, &mut root.clone());
    unread.extend(problems);
    if let Some(process) = running {
        let arguments = process.arguments.iter().skip(1).map(String::as_str);
        options.command_line(arguments, &format!("command line of pid {}", process.pid));
    }
    let mut mysql = Mysql {
        flavour,
        version: package_version(root, flavour),
        options,
        file: own_file(root, flavour),
        ..Mysql::default()
    };
    let mut databases = Vec::new();
    if root.is_live() {
        let socket = socket.map(|path| path.display().to_string());
        let said = mysql.options.get("socket").map(|said| said.value.to_string());
        match client::ask(flavour, socket.or(said).as_deref(), &mut mysql) {
            Ok(found) => {
                databases = found;
                mysql.pid = pid(root, &mysql);
            }
            Err(why) => unread.push(Unread::file(
                "the database itself",
                format!("{why}; its files are read instead"),
            )),
        }
    }
    if databases.is_empty() {
        on_disk(root, &mut mysql, &mut databases, unread);
    } else {
        // A server's statistics may never have been brought up to date; nobody else has to be told that they were.
        let (mut files, mut found) = (mysql.clone(), Vec::new());
        on_disk(root, &mut files, &mut found, &mut Vec::new());
        take_larger(&mut mysql, &mut databases, files.data, found);
    }
    databases.retain(|database| !OWN.contains(&database.name.as_str()));
    (Some(mysql), databases)
}

/// What statistics say and what files take: of each the larger.
fn take_larger(
    mysql: &mut Mysql,
    databases: &mut [Database],
    data: Option<Said<Kib>>,
    files: Vec<Database>,
) {
    let size = |data: &Option<Said<Kib>>| data.as_ref().map(|said| said.value);
    if size(&data) > size(&mysql.data) {
        mysql.data = data;
    }
    for database in databases {
        let file = files.iter().find(|file| file.name == database.name);
        if let Some(file) = file.filter(|file| file.size > database.size) {
            *database = file.clone();
        }
    }
}

/// The process of the server that answered, by the file it keeps its number in.
fn pid(root: &Root, mysql: &Mysql) -> Option<i32> {
    let file = mysql.variables.get("pid_file")?;
    let datadir = mysql.variables.get("datadir").map_or("/", String::as_str);
    let path = Path::new(datadir).join(file);
    i32::try_from(root.number(path.to_str()?)?).ok()
}

/// Whose server it is: its process says, or its program, or its folder of configuration.
fn flavour(root: &Root, running: Option<&Process>) -> Flavour {
    let is_mariadb = running.is_some_and(|process| process.comm == "mariadbd")
        || ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/bin/mariadbd"]
            .iter()
            .any(|path| root.has(path))
        || root.has("/etc/mysql/mariadb.cnf")
        || root.has_folder("/etc/mysql/mariadb.conf.d");
    let is_mysql = ["/usr/sbin/mysqld", "/usr/libexec/mysqld"].iter().any(|path| root.has(path))
        || root.has_folder("/etc/mysql/mysql.conf.d");
    if is_mysql && !is_mariadb { Flavour::Mysql } else { Flavour::MariaDb }
}

/// The version by the package's, `1:10.11.6-0+deb12u1`.
fn package_version(root: &Root, flavour: Flavour) -> Option<(u32, u32, u32)> {
    /// dpkg's list of a large system.
    const LONGEST: u64 = 64 * 1024 * 1024;
    let bytes = root.bytes("/var/lib/dpkg/status", LONGEST).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let prefix = match flavour {
        Flavour::MariaDb => "mariadb-server",
        Flavour::Mysql => "mysql-server",
    };
    let mut is_ours = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("Package: ") {
            is_ours = name.starts_with(prefix) || name.starts_with("percona-server-server");
        } else if let Some(version) = line.strip_prefix("Version: ").filter(|_| is_ours) {
            let version = version.split_once(':').map_or(version, |(_, version)| version);
            return version_of(version);
        }
    }
    None
}

/// `10.11.6` of `10.11.6-MariaDB-log`.
fn version_of(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

/// Where an administrator would write: the distribution's own file for the server.
fn own_file(root: &Root, flavour: Flavour) -> String {
    let files: &[&str] = match flavour {
        Flavour::MariaDb => {
            &["/etc/mysql/mariadb.conf.d/50-server.cnf", "/etc/my.cnf.d/mariadb-server.cnf"]
        }
        Flavour::Mysql => &["/etc/mysql/mysql.conf.d/mysqld.cnf", "/etc/my.cnf.d/mysql-server.cnf"],
    };
    let mut all = files.iter().chain(&STARTS);
    all.find(|path| root.has(path)).map_or_else(|| "/etc/my.cnf".into(), |path| (*path).to_string())
}

/// The tables' files: what InnoDB has on disk is what its pool could come to hold.
fn on_disk(
    root: &Root,
    mysql: &mut Mysql,
    databases: &mut Vec<Database>,
    unread: &mut Vec<Unread>,
) {
    let said = mysql.variables.get("datadir").cloned();
    let said = said.or_else(|| mysql.options.get("datadir").map(|said| said.value.to_string()));
    let datadir = said.unwrap_or_else(|| "/var/lib/mysql".into());
    let datadir = datadir.trim_end_matches('/');
    let names = match root.names(datadir) {
        Ok(names) => names,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                unread.push(Unread::file(datadir, explained(&error)));
            }
            return;
        }
    };
    let mut data = Kib::ZERO;
    for name in names {
        let path = format!("{datadir}/{name}");
        if root.has_folder(&path) {
            let size = Kib::from_bytes(innodb_files(root, &path));
            data = data.saturating_add(size);
            databases.push(Database { name: decoded(&name), size, at: path });
        } else if name.starts_with("ibdata") {
            let stat = root.resolve(&path).and_then(std::fs::metadata);
            data = data.saturating_add(Kib::from_bytes(stat.map_or(0, |stat| stat.len())));
        }
    }
    if data > Kib::ZERO {
        mysql.data = Some(Said::new(data, datadir));
    }
}

fn innodb_files(root: &Root, folder: &str) -> u64 {
    let names = root.names(folder).unwrap_or_default();
    let files = names.iter().filter(|name| name.ends_with(".ibd")).take(MOST_FILES);
    let size = |name: &String| {
        let path = root.resolve(&format!("{folder}/{name}")).ok()?;
        Some(std::fs::metadata(path).ok()?.len())
    };
    files.filter_map(size).sum()
}

/// A database's name out of its folder's, where `-` is `@002d`.
fn decoded(folder: &str) -> String {
    folder.replace("@002d", "-").replace("@002e", ".")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn versions_of_both_are_read() {
        assert_eq!(version_of("10.11.6-MariaDB-0+deb12u1"), Some((10, 11, 6)));
        assert_eq!(version_of("8.0.36"), Some((8, 0, 36)));
        assert_eq!(version_of("8.4"), Some((8, 4, 0)));
        assert_eq!(version_of("unknown"), None);
    }

    #[test]
    fn statistics_that_lag_behind_the_files_do_not_count() {
        let of = |mib, at: &str| Database {
            name: "shop".into(),
            size: Kib::from_mib(mib),
            at: at.into(),
        };
        let said = |mib, at: &str| Some(Said::new(Kib::from_mib(mib), at));
        let mut mysql = Mysql { data: said(2, "tables"), ..Mysql::default() };
        let mut databases = vec![of(1, "tables")];
        take_larger(&mut mysql, &mut databases, said(400, "/d"), vec![of(390, "/d/shop")]);
        assert_eq!(
            (mysql.data.clone(), databases[0].clone()),
            (said(400, "/d"), of(390, "/d/shop"))
        );
        // Files that cannot be read say nothing.
        take_larger(&mut mysql, &mut databases, None, Vec::new());
        assert_eq!(mysql.data, said(400, "/d"));
    }

    #[test]
    fn a_captured_tree_tells_of_its_databases_by_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("etc/mysql/my.cnf", "!includedir /etc/mysql/mysql.conf.d/\n");
        put("etc/mysql/mysql.conf.d/mysqld.cnf", "[mysqld]\nmax_connections=77\ndatadir=/data/\n");
        put(
            "var/lib/dpkg/status",
            "Package: x\nVersion: 1\n\nPackage: mysql-server-8.0\nStatus: x\nVersion: 8.0.36-1\n",
        );
        put("data/shop@002dstaging/x.frm", "");
        for (path, mib) in [("data/shop@002dstaging/a.ibd", 40), ("data/ibdata1", 12)] {
            put(path, "");
            File::options()
                .write(true)
                .open(folder.path().join(path))
                .unwrap()
                .set_len(mib << 20)
                .unwrap();
        }
        let mut unread = Vec::new();
        let (mysql, databases) = gather(&Root::new(folder.path()), &[], None, &mut unread);
        let mysql = mysql.unwrap();
        assert_eq!((mysql.flavour, mysql.version), (Flavour::Mysql, Some((8, 0, 36))));
        assert_eq!(mysql.options.get("max_connections").unwrap().value, "77");
        assert_eq!(mysql.data, Some(Said::new(Kib::from_mib(52), "/data")));
        assert_eq!(
            (databases[0].name.as_str(), databases[0].size),
            ("shop-staging", Kib::from_mib(40))
        );
        assert_eq!(unread, []);
    }
}
