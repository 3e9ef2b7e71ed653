//! Processes that bear a store's name and are none: a job copied or renamed to `mysqld`.
//!
//! A name is all a report has of a program, and whoever starts one chooses it. But a store of the
//! distribution runs as a system user, in a unit of its own. So a process is no store when a store of the
//! same name that does is in the same table while it belongs to a login user, or when the kernel says
//! that it ran in cron's or a login's cgroup.

use alloc::borrow::Cow;
use alloc::format;

use super::group;
use crate::oomlog::{Event, Task};

/// From here on users are people (Debian's and Red Hat's `UID_MIN`), up to what user namespaces map.
const PEOPLE: core::ops::Range<u32> = 1000..60_000;

/// The event with such processes under a name that says what they are; the event itself where there are
/// none.
#[must_use]
pub(super) fn unmasked(event: &Event) -> Cow<'_, Event> {
    if !event.tasks.iter().any(|task| is_impostor(event, task)) {
        return Cow::Borrowed(event);
    }
    let mut plain = event.clone();
    for (task, original) in plain.tasks.iter_mut().zip(&event.tasks) {
        if !is_impostor(event, original) {
            continue;
        }
        let name = format!("{} of uid {}", original.comm, original.uid.unwrap_or_default());
        let same = plain.victims.iter_mut().filter(|victim| victim.pid == Some(original.pid));
        same.for_each(|victim| victim.comm.clone_from(&name));
        task.comm = name;
    }
    Cow::Owned(plain)
}

fn is_impostor(event: &Event, task: &Task) -> bool {
    if !group::is_database(&task.comm) || !task.uid.is_some_and(|uid| PEOPLE.contains(&uid)) {
        return false;
    }
    let family = group::family(&task.comm);
    let real = event.tasks.iter().any(|other| {
        other.uid.is_some_and(|uid| uid < PEOPLE.start)
            && group::is_database(&other.comm)
            && group::family(&other.comm) == family
    });
    let chosen = event.victims.iter().any(|victim| victim.pid == Some(task.pid));
    real || chosen && event.task_cgroup.as_deref().is_some_and(is_jobs)
}

/// Whether a cgroup is cron's or that of somebody who logged in.
fn is_jobs(cgroup: &str) -> bool {
    let parts = || cgroup.split('/');
    parts().any(|part| matches!(part, "cron.service" | "crond.service" | "cronie.service"))
        || parts().any(|part| part.starts_with("session-") && part.ends_with(".scope"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oomlog::Victim;

    fn task(pid: u32, comm: &str, uid: u32) -> Task {
        Task { pid, comm: comm.into(), uid: Some(uid), ..Task::default() }
    }

    fn names(event: &Event) -> alloc::vec::Vec<alloc::string::String> {
        unmasked(event).tasks.iter().map(|task| task.comm.clone()).collect()
    }

    #[test]
    fn a_users_process_beside_the_real_store_is_none() {
        let tasks = [task(7, "mariadbd", 105), task(9, "mysqld", 1000)].into();
        let victims = [Victim { pid: Some(9), comm: "mysqld".into(), ..Victim::default() }].into();
        let event = Event { tasks, victims, ..Event::default() };
        assert_eq!(names(&event), ["mariadbd", "mysqld of uid 1000"]);
        assert_eq!(unmasked(&event).victims[0].comm, "mysqld of uid 1000");
    }

    #[test]
    fn a_store_in_a_container_or_of_a_user_alone_is_one() {
        for uid in [27, 999, 100_998, 1000] {
            let event = Event { tasks: [task(9, "mysqld", uid)].into(), ..Event::default() };
            assert_eq!(names(&event), ["mysqld"], "{uid}");
        }
    }

    #[test]
    fn what_died_in_crons_cgroup_is_a_job() {
        let event = Event {
            tasks: [task(9, "redis-server", 1000)].into(),
            victims: [Victim { pid: Some(9), ..Victim::default() }].into(),
            task_cgroup: Some("/system.slice/cron.service".into()),
            ..Event::default()
        };
        assert_eq!(names(&event), ["redis-server of uid 1000"]);
    }
}
