//! The services that the shop needs, as systemd sees them.

use lab_facts::Service;

use crate::shell;

/// What must live through every storm.
pub(crate) const ESSENTIAL: [&str; 5] = ["mariadb", "php8.2-fpm", "nginx", "ssh", "cron"];

/// All of [`ESSENTIAL`] at this moment.
pub(crate) fn essential() -> Vec<Service> {
    ESSENTIAL.iter().map(|name| service(name)).collect()
}

/// The main process of a unit, if it has one.
pub(crate) fn main_pid(unit: &str) -> Option<u32> {
    Some(service(unit).main_pid).filter(|pid| *pid != 0)
}

fn service(name: &str) -> Service {
    let arguments = ["show", "-p", "MainPID", "-p", "NRestarts", "-p", "ActiveState", name];
    parse(name, &shell::output("systemctl", &arguments))
}

fn parse(name: &str, shown: &str) -> Service {
    let value = |key: &str| {
        let mut pairs = shown.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(found, _)| *found == key).map_or("", |(_, value)| value)
    };
    Service {
        name: name.to_owned(),
        main_pid: value("MainPID").parse().unwrap_or(0),
        restarts: value("NRestarts").parse().unwrap_or(0),
        state: value("ActiveState").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_is_down_has_no_main_process() {
        let down = parse("mariadb", "MainPID=0\nNRestarts=0\nActiveState=inactive\n");
        assert_eq!((down.main_pid, down.state.as_str()), (0, "inactive"));
    }
}
