//! The heap in a `jvm.options` (Elasticsearch, OpenSearch) or on a Java command line.

use alloc::format;

use super::size::{self, Form};
use super::{Said, numbered};
use crate::units::Kib;

/// The largest heap one argument asks for.
fn heap_of(argument: &str) -> Option<Kib> {
    let value =
        argument.strip_prefix("-Xmx").or_else(|| argument.strip_prefix("-XX:MaxHeapSize="))?;
    size::size(value, Form::Binary)
}

/// `-Xmx` of a file; the last one wins. Lines may begin with the Java versions they hold for, `8-13:`.
#[must_use]
pub fn heap(path: &str, text: &str) -> Option<Said<Kib>> {
    let lines = numbered(text).filter(|(_, line)| !line.trim_start().starts_with('#'));
    let found = lines.filter_map(|(number, line)| {
        let line = line.trim();
        let bare = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        let line = bare.strip_prefix(':').unwrap_or(line);
        Some(Said::new(heap_of(line)?, format!("{path}:{number}")))
    });
    found.last()
}

/// `-Xmx` of a running program, or in `ES_JAVA_OPTS="-Xms1g -Xmx1g"`.
#[must_use]
pub fn heap_of_arguments<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Option<Kib> {
    arguments.into_iter().filter_map(|argument| heap_of(argument.trim_matches(['"', '\'']))).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_heap_wins_and_comments_do_not_count() {
        let text = "## -Xmx9g\n-Xms1g\n-Xmx1g\n8-13:-XX:+UseG1GC\n14-:-Xmx2g\n";
        assert_eq!(heap("/j", text), Some(Said::new(Kib::from_mib(2048), "/j:5")));
        assert_eq!(heap("/j", "-Xmxhuge\n"), None);
    }

    #[test]
    fn arguments_say_it_too() {
        let line = ["java", "-Xms1g", "-XX:MaxHeapSize=512m", "org.elasticsearch"];
        assert_eq!(heap_of_arguments(line), Some(Kib::from_mib(512)));
    }
}
