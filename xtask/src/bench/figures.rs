//! Many measurements of one thing, and what is said of them.

use std::fs;

/// Measurements, in one unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures(Vec<f64>);

impl Figures {
    pub(super) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// A whole number of µs.
    pub(super) fn push_micros(&mut self, micros: u64) {
        self.push(std::time::Duration::from_micros(micros).as_secs_f64() * 1e6);
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The value under which that share of all lies, by the nearest rank; `None` without any.
    pub(super) fn percentile(&self, percent: usize) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    /// Cells of a table: p50, p99 and the greatest, of µs as ms.
    pub(super) fn cells_in_ms(&self) -> String {
        let cell = |percent| {
            self.percentile(percent).map_or("unknown".into(), |us| format!("{:.2} ms", us / 1000.0))
        };
        format!("{} | {} | {}", cell(50), cell(99), cell(100))
    }
}

/// The machine's load, since a figure from a busy machine is another one.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measurements_that_were_made() {
        let figures = Figures((1..=200).map(f64::from).collect());
        assert_eq!(figures.percentile(50), Some(100.0));
        assert_eq!(figures.percentile(99), Some(198.0));
        assert_eq!(figures.percentile(100), Some(200.0));
        assert_eq!(Figures::default().percentile(50), None);
    }
}
