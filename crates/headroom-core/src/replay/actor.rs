//! One process of a storm: what it holds by how long it has run, and how it takes signals.

use alloc::vec::Vec;
use core::time::Duration;

use crate::snapshot::{Moment, Process};
use crate::units::Kib;

/// The growth of the last second is that of the future.
const LAST: Duration = Duration::from_secs(1);

/// What becomes of a process after the last that is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// It ends.
    Ends,
    /// It holds what it has.
    #[default]
    Stays,
    /// It grows on as it did at last: the record saw it slain.
    GrowsOn,
}

/// What a process holds, by how long it has run; linear in between.
#[derive(Clone, Debug, Default)]
pub struct Path {
    points: Vec<(Duration, Kib, Kib)>,
    then: Then,
}

impl Path {
    /// A process that begins with this.
    #[must_use]
    pub fn starting(gives_back: Kib, rss: Kib) -> Self {
        Self { points: alloc::vec![(Duration::ZERO, gives_back, rss)], then: Then::Stays }
    }

    /// Goes on to this, which it has when it has run for `ran`.
    pub fn reach(&mut self, ran: Duration, gives_back: Kib, rss: Kib) {
        // Three alike in a row are two.
        if let [.., (_, a, b), last] = self.points.as_mut_slice()
            && (*a, *b) == (gives_back, rss)
            && (last.1, last.2) == (gives_back, rss)
        {
            last.0 = ran;
            return;
        }
        self.points.push((ran, gives_back, rss));
    }

    /// Goes on as another of its kind did, which ended by itself.
    pub fn go_on_as(&mut self, other: &Self) {
        let known = self.length();
        for (ran, gives_back, rss) in other.points.iter().filter(|(ran, ..)| *ran > known) {
            self.reach(*ran, *gives_back, *rss);
        }
        self.then = other.then;
    }

    /// What becomes of it after the last that is known.
    #[must_use]
    pub const fn then(&self) -> Then {
        self.then
    }

    /// Says what becomes of it afterwards.
    pub fn end_with(&mut self, then: Then) {
        self.then = then;
    }

    /// How long it runs as far as is known.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.points.last().map_or(Duration::ZERO, |(ran, ..)| *ran)
    }

    /// What it holds when it has run that long: what its end returns, and its resident memory. `None`
    /// when it has ended by then.
    #[must_use]
    pub fn at(&self, ran: Duration) -> Option<(Kib, Kib)> {
        let after = self.points.partition_point(|(at, ..)| *at <= ran);
        let before = self.points.get(after.checked_sub(1)?)?;
        match (self.points.get(after), self.then) {
            (Some(next), _) => {
                let part =
                    |from: Kib, to: Kib| between(from, to, ran - before.0, next.0 - before.0);
                Some((part(before.1, next.1), part(before.2, next.2)))
            }
            (None, Then::Ends) => None,
            (None, Then::Stays) => Some((before.1, before.2)),
            (None, Then::GrowsOn) => {
                let from = self.points.iter().rev().find(|(at, ..)| before.0 - *at >= LAST);
                let from = from.or(self.points.first())?;
                let time = (before.0 - from.0).max(Duration::from_millis(1));
                let grown = before.1.saturating_sub(from.1).0;
                let more = u128::from(grown) * (ran - before.0).as_micros() / time.as_micros();
                let more = Kib(u64::try_from(more).unwrap_or(u64::MAX));
                Some((before.1.saturating_add(more), before.2.saturating_add(more)))
            }
        }
    }
}

/// The value `part` of the way from one to the other.
pub(super) fn between(from: Kib, to: Kib, part: Duration, whole: Duration) -> Kib {
    let share = |distance: u64| {
        let share = u128::from(distance) * part.as_micros() / whole.as_micros().max(1);
        Kib(u64::try_from(share).unwrap_or(u64::MAX))
    };
    if to >= from {
        from.saturating_add(share(to.0 - from.0))
    } else {
        from.saturating_sub(share(from.0 - to.0))
    }
}

/// How a process takes what is done to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Temper {
    /// SIGTERM does not end it.
    pub deaf: bool,
    /// No signal ends it: it sleeps uninterruptibly.
    pub stuck: bool,
    /// Whenever it is stopped it holds a lock.
    pub holds_lock: bool,
}

/// One process of a storm.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Who it is; what it holds is that of the present moment.
    pub process: Process,
    /// When it appears.
    pub born: Moment,
    /// What it holds.
    pub path: Path,
    /// How it takes signals.
    pub temper: Temper,
    /// How long it has run.
    pub(super) ran: Duration,
    /// From here on its path is that of another of its kind.
    pub(super) known_for: Option<Duration>,
    /// When it ended, by itself or not.
    pub ended: Option<Moment>,
    /// It ended by itself.
    pub finished: bool,
}

impl Actor {
    /// A process that will appear at `born`.
    #[must_use]
    pub fn new(process: Process, born: Moment, path: Path) -> Self {
        Self {
            process,
            born,
            path,
            temper: Temper::default(),
            ran: Duration::ZERO,
            known_for: None,
            ended: None,
            finished: false,
        }
    }

    /// Whether it is there.
    #[must_use]
    pub fn lives(&self, now: Moment) -> bool {
        self.born <= now && self.ended.is_none()
    }

    /// Whether it has run longer than anybody saw it run, so that what it does is guessed.
    #[must_use]
    pub fn is_beyond_record(&self) -> bool {
        let grows_on = (self.path.then == Then::GrowsOn).then(|| self.path.length());
        self.known_for.or(grows_on).is_some_and(|known| self.ran > known)
    }

    /// Lets time pass for it, up to `now`.
    pub(super) fn pass(&mut self, time: Duration, now: Moment) {
        if !self.lives(now) {
            return;
        }
        if !self.process.paused {
            self.ran += time.min(now.since(self.born));
        }
        match self.path.at(self.ran) {
            Some((gives_back, rss)) => {
                (self.process.gives_back, self.process.rss) = (gives_back, rss);
            }
            None => {
                self.ended = Some(now);
                self.finished = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_straight_between_what_is_known_and_goes_on_as_it_was_told() {
        let mut path = Path::starting(Kib(100), Kib(200));
        path.reach(Duration::from_secs(2), Kib(300), Kib(400));
        path.reach(Duration::from_secs(3), Kib(200), Kib(300));
        let holds = |path: &Path, ms| path.at(Duration::from_millis(ms)).map(|(kib, _)| kib.0);
        assert_eq!(holds(&path, 500), Some(150));
        assert_eq!(holds(&path, 2500), Some(250));
        assert_eq!(holds(&path, 9000), Some(200));
        path.end_with(Then::Ends);
        assert_eq!((holds(&path, 2999), holds(&path, 3000)), (Some(201), None));
        path.reach(Duration::from_secs(4), Kib(700), Kib(800));
        path.end_with(Then::GrowsOn);
        assert_eq!(holds(&path, 6000), Some(1700));
    }

    #[test]
    fn what_does_not_change_takes_no_room() {
        let mut path = Path::starting(Kib(100), Kib(200));
        (1..1000).for_each(|s| path.reach(Duration::from_secs(s), Kib(100), Kib(200)));
        assert_eq!((path.points.len(), path.length()), (2, Duration::from_secs(999)));
    }
}
