//! Any bytes as a log: the entry of the fuzz target and of the test that damages real reports.

use headroom_core::diagnose::{self, Case, Context, Dated, Facts};
use headroom_core::oomlog::{Event, Parser, Position, needles::Search};
use headroom_core::words;

/// Reads and explains a log, and checks what must hold whatever it is.
pub(crate) fn explain(log: &[u8]) {
    // Where the search says nothing is, is nothing that it need have found; it must find its way all the same.
    let at = Search::default().first(log, true);
    assert!(at.is_none_or(|at| at < log.len()));
    let mut parser = Parser::new();
    let mut lines = 0;
    for line in log.split_inclusive(|b| *b == b'\n') {
        lines += 1;
        parser.feed(line, Position { source: 0, line: lines });
    }
    parser.finish();
    assert!(parser.is_idle());
    let events: Vec<Event> = std::iter::from_fn(|| parser.next_event()).collect();
    assert!(events.len() <= log.len() / 8 + 1, "more events than lines could hold");
    for event in &events {
        assert!(event.first <= event.last && event.last.line <= lines);
        assert!(event.tasks.len() <= log.len() / 8 + 1);
        for victim in &event.victims {
            let _: Option<bool> = diagnose::expected_victim(event, victim);
        }
    }
    let dated: Vec<Dated> =
        events.iter().map(|event| Dated { event: event.clone(), at_us: None }).collect();
    let history: Vec<&Event> = events.iter().collect();
    for incident in diagnose::incidents(&dated) {
        let events: Vec<&Event> = incident.events.iter().map(|i| &dated[*i].event).collect();
        let context = Context::default();
        let case = Case {
            events: &events,
            kind: incident.kind,
            history: &history,
            context: &context,
            repeats: None,
        };
        let findings = diagnose::findings(&case);
        assert!(!findings.is_empty(), "an incident nothing is said about");
        let facts = Facts::of(&events).expect("facts of an incident");
        assert!(!words::explain::what_ran_out(facts.event).is_empty());
        assert!(!words::explain::who_died(&events, None).is_empty());
        assert!(facts.holders.iter().all(|holder| (0.0..=1.0).contains(&holder.share)));
    }
}
