//! Processes: who runs, and what each holds.

use std::io::ErrorKind;

use headroom_core::advise::facts::Process;
use headroom_core::advise::parse::Unread;
use headroom_core::units::Kib;

use super::root::Root;

/// `USER_HZ`, which has been this on all that runs web nodes since Linux 2.6.
const TICKS: u64 = 100;

/// Looks at all processes. Kernel threads are none.
pub(super) fn gather(root: &Root, unread: &mut Vec<Unread>) -> Vec<Process> {
    let uptime = root.maybe("/proc/uptime").and_then(|text| text.split('.').next()?.parse().ok());
    let names = root.names("/proc").unwrap_or_default();
    let mut pids: Vec<i32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    let mut closed = 0;
    let found =
        pids.into_iter().filter_map(|pid| process(root, pid, uptime, &mut closed)).collect();
    if closed > 0 {
        unread.push(Unread::file(
            "/proc/*/smaps_rollup",
            format!(
                "not readable for you at {closed} of them, which count with what is their own alone; \
                 root sees their share"
            ),
        ));
    }
    found
}

/// One process; `None` for a kernel thread or one that is gone.
fn process(root: &Root, pid: i32, uptime: Option<u64>, closed: &mut u64) -> Option<Process> {
    let file = |name: &str| format!("/proc/{pid}/{name}");
    let status = root.maybe(&file("status"));
    let status = status.as_deref().unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()
    };
    let size = |name: &str| field(name)?.parse().ok().map(Kib);
    let stat = root.maybe(&file("stat"));
    // The name stands in brackets and may hold some itself.
    let after = stat.as_deref().and_then(|stat| stat.rsplit_once(')')).map(|(_, rest)| rest);
    let number = |index: usize| after?.split_whitespace().nth(index)?.parse::<u64>().ok();
    let comm = root.maybe(&file("comm")).or_else(|| {
        let name = stat.as_deref()?.split_once('(')?.1.rsplit_once(')')?.0;
        Some(name.to_string())
    });
    let comm = comm.or_else(|| field("Name").map(ToString::to_string))?.trim().to_string();
    let cmdline = root.maybe(&file("cmdline")).unwrap_or_default();
    let arguments: Vec<String> = cmdline
        .trim_end_matches('\0')
        .split('\0')
        .filter(|argument| !argument.is_empty())
        .map(|argument| argument.trim_end().to_string())
        .collect();
    let own = size("RssAnon").map(|anon| anon.saturating_add(size("RssShmem").unwrap_or_default()));
    let swapped = size("VmSwap").unwrap_or_default();
    let resident = own.or_else(|| size("VmRSS")).map(|size| size.saturating_add(swapped));
    let share = match root.read(&file("smaps_rollup")) {
        Ok(text) => {
            let line = |name: &str| {
                let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
                rest.split_whitespace().next()?.parse().ok().map(Kib)
            };
            // What was swapped out is held all the same.
            line("Pss:").map(|share| share.saturating_add(line("SwapPss:").unwrap_or_default()))
        }
        Err(error) => {
            *closed += u64::from(error.kind() == ErrorKind::PermissionDenied);
            None
        }
    };
    let held = share.or(resident)?;
    let swappable =
        size("RssAnon").map(|anon| anon.saturating_sub(size("VmLck").unwrap_or_default()));
    let now = size("VmRSS").map(|now| now.saturating_add(swapped));
    let grown = size("VmHWM").zip(now).map(|(most, now)| most.saturating_sub(now));
    Some(Process {
        pid,
        parent: field("PPid")
            .and_then(|p| p.parse().ok())
            .or_else(|| i32::try_from(number(1)?).ok())?,
        uid: field("Uid").and_then(|uid| uid.parse().ok()),
        comm,
        arguments,
        held,
        is_pss: share.is_some(),
        highest: grown.map(|grown| held.saturating_add(grown)),
        // Field 22 of proc_pid_stat(5), the twentieth after the name.
        swappable,
        // Fields 14 and 15: in user mode and in the kernel.
        cpu_s: number(11).zip(number(12)).map(|(user, kernel)| (user + kernel) / TICKS),
        age_s: uptime.zip(number(19)).map(|(now, start)| now.saturating_sub(start / TICKS)),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_process_holds_its_share_or_else_what_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let put = |pid: u32, name: &str, text: &str| {
            let dir = folder.path().join(format!("proc/{pid}"));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(name), text).unwrap();
        };
        put(
            7,
            "status",
            "Name:\tphp-fpm8.2\nPPid:\t1\nUid:\t33\t33\t33\t33\nVmHWM:\t1000 kB\nVmRSS:\t900 kB\nRssAnon:\t500 kB\nRssShmem:\t20 kB\n",
        );
        put(7, "cmdline", "php-fpm: pool www\0\0\0");
        put(8, "status", "Name:\tmariadbd\nPPid:\t1\nVmRSS:\t900 kB\n");
        put(
            8,
            "smaps_rollup",
            "55-77 ---p 0 00:00 0 [rollup]\nRss: 900 kB\nPss: 640 kB\nSwapPss: 60 kB\n",
        );
        put(9, "status", "Name:\tkthreadd\nPPid:\t0\n");
        let mut unread = Vec::new();
        let found = gather(&Root::new(folder.path()), &mut unread);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].held, found[0].is_pss, found[0].line()),
            (Kib(520), false, "php-fpm: pool www".into())
        );
        assert_eq!(
            (found[1].held, found[1].is_pss, found[1].comm.as_str()),
            (Kib(700), true, "mariadbd")
        );
        // At its highest it was 100 KiB above what it is now.
        assert_eq!((found[0].highest, found[1].highest), (Some(Kib(620)), None));
        assert_eq!((found[0].swappable, found[0].cpu_s), (Some(Kib(500)), None));
        assert_eq!(unread, []);
    }
}
