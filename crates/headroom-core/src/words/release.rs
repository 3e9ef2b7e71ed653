//! What is said of memory that the database gives back: the manual's four sentences, word for word.

use alloc::format;
use alloc::string::{String, ToString};

/// Memory is about to be looked at.
pub const CHECKING: &str = "Checking if we're in a low memory situation";

/// It is low, and the database is restarted.
pub const RESTARTING: &str = "Restarting MySQL...";

/// It is low, and was not released lately.
#[must_use]
pub fn low(cooldown_min: u64) -> String {
    format!(
        "Low memory condition detected and we haven't restarted MySQL in the last {cooldown_min} minutes"
    )
}

/// It is not low.
#[must_use]
pub fn not_low(below_mib: u64) -> String {
    format!("No low memory condition detected, have at least {below_mib} MB of mem available")
}

/// It was released lately.
#[must_use]
pub fn cooling_down(cooldown_min: u64) -> String {
    format!(
        "Not checking low memory condition, already restarted MySQL because of low mem in the last \
         {cooldown_min} minutes"
    )
}

/// The sentences for a verdict; the ones the manual has no words for are left to the caller.
#[must_use]
pub fn sentences(verdict: &str, restarted: bool, below_mib: u64, cooldown_min: u64) -> String {
    let lines = match verdict {
        "cooling_down" => return cooling_down(cooldown_min) + "\n",
        "not_low" => format!("{CHECKING}\n{}", not_low(below_mib)),
        _ if restarted => format!("{CHECKING}\n{}\n{RESTARTING}", low(cooldown_min)),
        _ => format!("{CHECKING}\n{}", low(cooldown_min)),
    };
    lines.to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_sentences_are_kept_word_for_word() {
        assert_eq!(
            sentences("released", true, 1024, 30),
            "Checking if we're in a low memory situation\n\
             Low memory condition detected and we haven't restarted MySQL in the last 30 minutes\n\
             Restarting MySQL...\n"
        );
        assert_eq!(
            sentences("not_low", false, 1024, 30),
            "Checking if we're in a low memory situation\n\
             No low memory condition detected, have at least 1024 MB of mem available\n"
        );
        assert_eq!(
            sentences("cooling_down", false, 1024, 30),
            "Not checking low memory condition, already restarted MySQL because of low mem in the last \
             30 minutes\n"
        );
    }
}
