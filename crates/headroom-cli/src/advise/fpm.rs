//! php-fpm: the pools of every PHP on the node, in the places the distributions and panels put them.

use headroom_core::advise::facts::{FpmPool, Process};
use headroom_core::advise::parse::Unread;
use headroom_core::advise::parse::fpm::{self, Ini};

use super::root::Root;

/// Where a PHP has its php-fpm's configuration, its pools and its settings.
struct Place {
    main: &'static str,
    pools: &'static str,
    ini: &'static [&'static str],
}

/// As the packages of Debian, Red Hat, Remi, cPanel's EasyApache 4, Plesk and Docker's php image have them.
const PLACES: [Place; 6] = [
    Place {
        main: "/etc/php/*/fpm/php-fpm.conf",
        pools: "/etc/php/*/fpm/pool.d/*.conf",
        ini: &["/etc/php/*/fpm/php.ini", "/etc/php/*/fpm/conf.d/*.ini"],
    },
    Place {
        main: "/etc/php-fpm.conf",
        pools: "/etc/php-fpm.d/*.conf",
        ini: &["/etc/php.ini", "/etc/php.d/*.ini"],
    },
    Place {
        main: "/etc/opt/remi/*/php-fpm.conf",
        pools: "/etc/opt/remi/*/php-fpm.d/*.conf",
        ini: &["/etc/opt/remi/*/php.ini", "/etc/opt/remi/*/php.d/*.ini"],
    },
    Place {
        main: "/opt/cpanel/*/root/etc/php-fpm.conf",
        pools: "/opt/cpanel/*/root/etc/php-fpm.d/*.conf",
        ini: &["/opt/cpanel/*/root/etc/php.ini", "/opt/cpanel/*/root/etc/php.d/*.ini"],
    },
    Place {
        main: "/opt/plesk/php/*/etc/php-fpm.conf",
        pools: "/opt/plesk/php/*/etc/php-fpm.d/*.conf",
        ini: &["/opt/plesk/php/*/etc/php.ini", "/opt/plesk/php/*/etc/php.d/*.ini"],
    },
    Place {
        main: "/usr/local/etc/php-fpm.conf",
        pools: "/usr/local/etc/php-fpm.d/*.conf",
        ini: &["/usr/local/etc/php/php.ini", "/usr/local/etc/php/conf.d/*.ini"],
    },
];

/// The pools of all PHPs; where some of them run, of these alone.
pub(super) fn gather(root: &Root, processes: &[Process], unread: &mut Vec<Unread>) -> Vec<FpmPool> {
    let masters: Vec<String> = processes
        .iter()
        .map(Process::line)
        .filter(|line| line.starts_with("php-fpm: master process"))
        .collect();
    let mut found: Vec<FpmPool> = Vec::new();
    let mut read: Vec<String> = Vec::new();
    for place in &PLACES {
        let mut mains = root.glob(place.main);
        // Pools whose main file is not there, as in a tree that was captured in part.
        let known: Vec<String> = mains.iter().map(|main| folder(main).to_string()).collect();
        let is_loose =
            |pool: &String| !known.iter().any(|folder| pool.starts_with(folder.as_str()));
        mains.extend(root.glob(place.pools).into_iter().filter(is_loose));
        for main in mains {
            let is_main = main.ends_with("/php-fpm.conf");
            let runs = masters.iter().any(|line| line.contains(&main));
            if is_main && root.is_live() && !masters.is_empty() && !runs {
                continue;
            }
            let (pools, problems) = fpm::pools(&main, &mut root.clone());
            read.push(main.clone());
            unread.extend(problems);
            let ini = ini(root, place, &main);
            found.extend(pools.into_iter().map(|pool| FpmPool { pool, ini: ini.clone() }));
        }
    }
    // One that was started on a file of its own says which in its title.
    for file in masters.iter().filter_map(|line| line.split_once('(')?.1.strip_suffix(')')) {
        if !read.iter().any(|known| known == file) && root.has(file) {
            let (pools, problems) = fpm::pools(file, &mut root.clone());
            unread.extend(problems);
            found.extend(pools.into_iter().map(|pool| FpmPool { pool, ini: Ini::default() }));
        }
    }
    found
}

/// The settings of the PHP a file belongs to.
fn ini(root: &Root, place: &Place, main: &str) -> Ini {
    let mut ini = Ini::default();
    for pattern in place.ini {
        for path in root.glob(pattern) {
            // The star of both patterns stands for the same PHP.
            let version = |pattern: &str, path: &str| {
                let (before, _) = pattern.split_once('*')?;
                Some(path.strip_prefix(before)?.split('/').next()?.to_string())
            };
            let is_same = match version(place.main, main) {
                Some(of_main) => version(pattern, &path).is_some_and(|of_ini| of_ini == of_main),
                None => true,
            };
            if let Some(text) = root.maybe(&path).filter(|_| is_same) {
                fpm::ini(&mut ini, &path, &text);
            }
        }
    }
    ini
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use headroom_core::advise::parse::fpm::Limit;
    use headroom_core::units::Kib;

    use super::*;

    #[test]
    fn each_php_has_its_own_pools_and_settings() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("etc/php/8.1/fpm/php-fpm.conf", "include=/etc/php/8.1/fpm/pool.d/*.conf\n");
        put("etc/php/8.1/fpm/pool.d/www.conf", "[www]\npm.max_children = 5\n");
        put("etc/php/8.1/fpm/php.ini", "memory_limit = 128M\n");
        put("etc/php/8.2/fpm/pool.d/two.conf", "[two]\npm.max_children = 6\n");
        put("etc/php/8.2/fpm/php.ini", "memory_limit = 1G\n");
        put("etc/php-fpm.d/www.conf", "[rhel]\npm.max_children = x\n");
        let mut unread = Vec::new();
        let found = gather(&Root::new(folder.path()), &[], &mut unread);
        let limits: Vec<_> = found
            .iter()
            .map(|pool| {
                (pool.pool.name.as_str(), pool.ini.memory_limit.as_ref().map(|said| said.value))
            })
            .collect();
        let mib = |mib| Some(Limit::Size(Kib::from_mib(mib)));
        assert_eq!(limits, [("www", mib(128)), ("two", mib(1024)), ("rhel", None)]);
        assert_eq!(unread[0].source, "/etc/php-fpm.d/www.conf:2");
        put("srv/own.conf", "[own]\npm.max_children = 3\n");
        let master = |file: &str| Process {
            arguments: vec![format!("php-fpm: master process ({file})")],
            ..Process::default()
        };
        let masters = [master("/srv/own.conf"), master("/etc/php/8.1/fpm/php-fpm.conf")];
        let found = gather(&Root::new(folder.path()), &masters, &mut unread);
        let names: Vec<_> = found.iter().map(|pool| pool.pool.name.as_str()).collect();
        assert_eq!(names, ["www", "two", "rhel", "own"]);
    }
}
