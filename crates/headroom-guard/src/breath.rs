//! Long work in slices: the guard runs before all others, and what takes it a tenth of a second would keep the shop
//! from its processor for as long.

use std::thread;
use std::time::Duration;

use headroom_core::snapshot::Moment;
use headroom_sys::own;

/// It works this long, and then everybody else has as long a turn.
const SLICE: Duration = Duration::from_millis(15);

/// Long work that is under way.
#[derive(Debug)]
pub(crate) struct Breath {
    /// The slice under way began then.
    began: Moment,
    /// All slices before it took this long together.
    worked: Duration,
    may: bool,
}

impl Breath {
    /// Begins; it works without a pause unless it `may` take one.
    pub(crate) fn begin(may: bool) -> Self {
        Self { began: own::now(), worked: Duration::ZERO, may }
    }

    /// Between two pieces of the work: where the slice is over, lets the others have their turn.
    pub(crate) fn take(&mut self) {
        let took = own::now().since(self.began);
        if self.may && took >= SLICE {
            thread::sleep(took);
            self.worked += took;
            self.began = own::now();
        }
    }

    /// How long it worked by now, without the turns of the others.
    pub(crate) fn worked(&self) -> Duration {
        self.worked + own::now().since(self.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works for at least this long, in pieces of a millisecond; returns how long it worked and how long that took.
    fn work(may: bool, at_least: Duration) -> (Duration, Duration) {
        let began = own::now();
        let mut breath = Breath::begin(may);
        while breath.worked() < at_least {
            let piece = own::now();
            while own::now().since(piece) < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
            breath.take();
        }
        (breath.worked(), own::now().since(began))
    }

    #[test]
    fn long_work_leaves_the_others_half_of_the_time_unless_it_may_not() {
        let (worked, took) = work(true, Duration::from_millis(60));
        let others = took.saturating_sub(worked);
        assert!(others >= Duration::from_millis(30), "{others:?} of {took:?}");
        let (worked, took) = work(false, Duration::from_millis(60));
        assert!(took.saturating_sub(worked) < Duration::from_millis(1), "{worked:?} of {took:?}");
    }
}
