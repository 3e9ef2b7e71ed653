//! Who is connected: so many at once, and when there is no room, whoever has most connections gives one
//! up, the one that has been idle longest. So nobody is kept out by another who holds a thousand.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::http::guesses::Guesser;

/// Connections at once. Each takes two descriptors, of which systemd gives a service 1024.
const MOST: usize = 240;
/// Requests of one client at once: some wait for a service to restart.
const BUSY: usize = 32;

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Clients {
    seats: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    taken: HashMap<u64, Taken>,
}

#[derive(Debug)]
struct Taken {
    who: Guesser,
    /// Requests under way: 0 or 1.
    busy: Arc<AtomicUsize>,
    idle_since: Instant,
    task: Option<AbortHandle>,
}

/// One connection's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    busy: Arc<AtomicUsize>,
    clients: Arc<Clients>,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

impl Clients {
    /// A place for `who`; `None` when everybody who could give one up is being answered just now.
    pub(super) fn seat(self: &Arc<Self>, who: Guesser) -> Option<Arc<Seat>> {
        let mut table = self.table();
        if table.taken.len() >= MOST {
            table.make_room()?;
        }
        let number = table.next;
        table.next += 1;
        let busy = Arc::new(AtomicUsize::new(0));
        let idle_since = Instant::now();
        table.taken.insert(number, Taken { who, busy: Arc::clone(&busy), idle_since, task: None });
        Some(Arc::new(Seat { number, busy, clients: Arc::clone(self) }))
    }

    /// Waits until all have gone, but no longer than that.
    pub(super) async fn end(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        while !self.table().taken.is_empty() && Instant::now() < until {
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Ends the connection that is missed least; `None` when there is none.
    fn make_room(&mut self) -> Option<()> {
        let mut held: HashMap<Guesser, usize> = HashMap::new();
        for taken in self.taken.values() {
            *held.entry(taken.who).or_default() += 1;
        }
        let idle = self.taken.iter().filter(|(_, t)| t.busy.load(Ordering::Acquire) == 0);
        let (number, _) = idle.max_by_key(|(_, taken)| {
            (held.get(&taken.who).copied().unwrap_or(0), taken.idle_since.elapsed())
        })?;
        let taken = self.taken.remove(&{ *number })?;
        if let Some(task) = taken.task {
            task.abort();
        }
        Some(())
    }

    fn busy_of(&self, who: Guesser) -> usize {
        let of_them = self.taken.values().filter(|taken| taken.who == who);
        of_them.map(|taken| taken.busy.load(Ordering::Acquire)).sum()
    }
}

impl Seat {
    /// Runs the conversation of this place.
    pub(super) fn spawn(self: Arc<Self>, conversation: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(conversation).abort_handle();
        if let Some(taken) = self.clients.table().taken.get_mut(&self.number) {
            taken.task = Some(task);
        }
    }

    /// Notes that a request is under way; `None` when this client has too many of them.
    pub(super) fn busy(self: &Arc<Self>) -> Option<Busy> {
        let table = self.clients.table();
        let who = table.taken.get(&self.number)?.who;
        if table.busy_of(who) >= BUSY {
            return None;
        }
        self.busy.fetch_add(1, Ordering::AcqRel);
        Some(Busy(Arc::clone(self)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.clients.table().taken.remove(&self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Self(seat) = self;
        if let Some(taken) = seat.clients.table().taken.get_mut(&seat.number) {
            taken.idle_since = Instant::now();
        }
        seat.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Guesser = Guesser::User(1000);
    const OTHER: Guesser = Guesser::User(1001);

    fn held_by(clients: &Clients, who: Guesser) -> usize {
        clients.table().taken.values().filter(|taken| taken.who == who).count()
    }

    #[test]
    fn whoever_holds_most_gives_up_one_for_a_newcomer() {
        let clients = Arc::new(Clients::default());
        let others: Vec<_> = (0..3).map(|_| clients.seat(OTHER).unwrap()).collect();
        let many: Vec<_> = (0..1000).map(|_| clients.seat(ONE).unwrap()).collect();
        assert_eq!(clients.table().taken.len(), MOST);
        assert_eq!(held_by(&clients, OTHER), others.len());
        let newcomer = clients.seat(OTHER).unwrap();
        assert_eq!(held_by(&clients, OTHER), others.len() + 1);
        drop((many, newcomer, others));
        assert!(clients.table().taken.is_empty());
    }

    #[test]
    fn who_is_being_answered_is_not_sent_away() {
        let clients = Arc::new(Clients::default());
        let seats: Vec<_> = (0..MOST).map(|_| clients.seat(ONE).unwrap()).collect();
        let busy: Vec<_> = seats.iter().filter_map(|seat| seat.busy()).collect();
        assert_eq!(busy.len(), BUSY, "and no more than that at once");
        for _ in 0..MOST {
            drop(clients.seat(OTHER).unwrap());
        }
        assert_eq!(clients.table().busy_of(ONE), BUSY);
    }
}
