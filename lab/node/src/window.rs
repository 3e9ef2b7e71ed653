//! From single answers to the figures of one stretch of time.

use std::time::Duration;

use lab_facts::Window;

/// A visitor gives up after this.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

/// One question and what came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// When it was asked.
    pub(crate) start: Duration,
    /// Until the answer was complete, or was given up.
    pub(crate) took: Duration,
    /// Whether the answer was complete and had status 200.
    pub(crate) answered: bool,
}

impl Sample {
    /// How long the visitor was without the page, as far as it was waited for. An error page that comes at
    /// once must not make a dead shop look quick.
    fn without_page(&self) -> Duration {
        if self.answered { self.took } else { TIMEOUT.max(self.took) }
    }
}

/// The figures of those `samples` that were asked from `from` until before `to`.
pub(crate) fn window(samples: &[Sample], from: Duration, to: Duration) -> Window {
    let mut within: Vec<Sample> =
        samples.iter().filter(|s| (from..to).contains(&s.start)).copied().collect();
    within.sort_by_key(|sample| sample.start);
    let mut took: Vec<Duration> = within.iter().map(Sample::without_page).collect();
    took.sort_unstable();
    let ms = |index: usize| took.get(index).map_or(0.0, |took| took.as_secs_f64() * 1e3);
    Window {
        probes: u32::try_from(within.len()).unwrap_or(u32::MAX),
        answered: u32::try_from(within.iter().filter(|s| s.answered).count()).unwrap_or(u32::MAX),
        longest_outage_s: longest_outage(&within).as_secs_f64(),
        p50_ms: ms(took.len() / 2),
        p99_ms: ms(took.len() * 99 / 100),
        max_ms: ms(took.len().saturating_sub(1)),
    }
}

/// From the start of the first unanswered question in a row to the end of the last, at its longest.
fn longest_outage(by_start: &[Sample]) -> Duration {
    let mut worst = Duration::ZERO;
    let mut since = None;
    for sample in by_start {
        if sample.answered {
            since = None;
        } else {
            let since = *since.get_or_insert(sample.start);
            worst = worst.max((sample.start + sample.took).saturating_sub(since));
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(start_s: u64, took_ms: u64, answered: bool) -> Sample {
        let (start, took) = (Duration::from_secs(start_s), Duration::from_millis(took_ms));
        Sample { start, took, answered }
    }

    #[test]
    fn an_outage_lasts_from_the_first_unanswered_question_to_the_end_of_the_last() {
        let samples = [
            sample(0, 50, true),
            sample(3, 3000, false),
            sample(1, 3000, false),
            sample(2, 3000, false),
            sample(4, 70, true),
            sample(5, 3000, false),
        ];
        let window = window(&samples, Duration::ZERO, Duration::from_secs(10));
        assert_eq!((window.probes, window.answered), (6, 2));
        assert!((window.longest_outage_s - 5.0).abs() < 1e-9);
    }

    #[test]
    fn only_questions_asked_in_the_window_count() {
        let samples = [sample(0, 10, true), sample(14, 20, true), sample(15, 30, false)];
        let window = window(&samples, Duration::from_secs(14), Duration::from_secs(15));
        assert_eq!((window.probes, window.answered), (1, 1));
        assert!((window.p99_ms - 20.0).abs() < 1e-9);
    }

    #[test]
    fn an_error_that_comes_at_once_is_no_quick_answer() {
        let samples = [sample(0, 2, false), sample(1, 40, true), sample(2, 2, false)];
        let window = window(&samples, Duration::ZERO, Duration::from_secs(3));
        assert!((window.p50_ms - 3000.0).abs() < 1e-9);
    }

    #[test]
    fn no_samples_make_an_empty_window() {
        assert_eq!(window(&[], Duration::ZERO, Duration::MAX), Window::default());
    }
}
