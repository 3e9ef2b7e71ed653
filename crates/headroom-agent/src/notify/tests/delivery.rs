//! Outages, limits, deaths: what arrives, how often, and when.

use headroom_api::notice::NoticeKind;

use super::*;

/// Incidents that come and go, `apart` from each other.
fn incidents(node: &mut Node, numbers: std::ops::RangeInclusive<u64>, apart: i64) {
    for number in numbers {
        node.opens(number);
        node.slays(number, 4711, "php", "php a.php");
        node.closes(number);
        node.goes_on();
        node.later(apart);
    }
}

#[test]
fn nothing_is_lost_while_the_receiver_is_down_and_nothing_comes_twice() {
    let mut node = Node::new();
    node.receiver.does(&[Does::Fail]);
    incidents(&mut node, 1..=3, MINUTE);
    for _ in 0..30 {
        node.later(MINUTE);
        node.pass();
    }
    assert!(node.receiver.got().is_empty());
    assert!(node.receiver.tries() < 15, "{} tries", node.receiver.tries());
    node.receiver.does(&[Does::Take]);
    node.later(20 * MINUTE);
    node.pass();
    node.pass();
    let ids = node.receiver.ids();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(ids.iter().zip(1..).all(|(id, n)| id.ends_with(&format!("-{n}/closed"))), "{ids:?}");
}

#[test]
fn a_receiver_that_is_down_is_tried_ever_more_rarely() {
    let mut node = Node::new();
    node.receiver.does(&[Does::Fail]);
    node.opens(1);
    node.turn();
    let mut waits = Vec::new();
    for _ in 0..9 {
        let next = node.pass().unwrap();
        waits.push((next - node.now()) / SECOND);
        assert_eq!(node.pass(), Some(next), "before its time nothing is tried");
        node.clock.0.set(next);
    }
    let expected = [10, 20, 40, 80, 160, 320, 640, 900, 900];
    assert!(
        waits.iter().zip(expected).all(|(wait, least)| (least..=least * 5 / 4).contains(wait)),
        "{waits:?}"
    );
    assert_eq!(node.receiver.tries(), 9);
}

#[test]
fn one_that_is_refused_holds_nobody_up_and_is_given_up() {
    let mut node = Node::new();
    node.receiver.does(&[Does::Refuse, Does::Take]);
    node.opens(1);
    node.turn();
    node.opens(2);
    node.goes_on();
    assert_eq!(node.receiver.ids(), ["2026-11-24T14:00:00Z-2/opened"]);
    node.receiver.does(&[Does::Refuse]);
    for _ in 0..200 {
        node.later(MINUTE);
        node.pass();
    }
    assert_eq!(node.states().get("refused"), Some(&1));
    assert_eq!(node.receiver.tries(), 5, "twice at first, then three more times");
}

#[test]
fn five_hundred_incidents_in_an_hour_are_few_messages_that_tell_of_all() {
    let mut node = Node::new();
    incidents(&mut node, 1..=500, 7 * SECOND);
    node.later(3 * HOUR);
    node.pass();
    let got = node.receiver.got();
    let singles: Vec<_> = got.iter().filter(|n| n.kind == NoticeKind::Closed).collect();
    let digests: Vec<_> = got.iter().filter_map(|n| n.gathered.as_ref()).collect();
    assert_eq!(singles.len(), 12, "the limit of one hour, all of them at once");
    assert_eq!(digests.len(), 1, "{:?}", node.receiver.ids());
    assert_eq!(digests[0].incidents, 488);
    assert_eq!(digests[0].slain, 488);
    assert_eq!(digests[0].listed.len(), 20);
    assert_eq!(digests[0].omitted, 468);
    let note = singles[11].note.clone().unwrap();
    assert!(note.contains("the limit. What happens until 2026-11-24 15:00:00"), "{note}");
    assert!(singles[10].note.is_none());
    assert!(
        node.states().keys().all(|state| ["sent", "merged", "gathered"].contains(&state.as_str()))
    );
}

#[test]
fn no_hour_ever_has_more_messages_than_the_limit() {
    let mut node = Node::with(5, 0);
    let mut times = Vec::new();
    for number in 1..=300 {
        node.opens(number);
        node.goes_on();
        times.resize(node.receiver.got().len(), node.now());
        node.later(73 * SECOND);
        node.closes(number);
        node.goes_on();
        times.resize(node.receiver.got().len(), node.now());
    }
    for (n, begin) in times.iter().enumerate() {
        let within = times[n..].iter().take_while(|t| **t < begin + HOUR).count();
        assert!(within <= 5, "{within} messages from {begin}");
    }
    assert!(times.len() > 20, "and some do come: {}", times.len());
}

#[test]
fn many_at_once_are_a_digest() {
    let mut node = Node::with(12, 0);
    node.receiver.does(&[Does::Fail]);
    incidents(&mut node, 1..=40, SECOND);
    node.receiver.does(&[Does::Take]);
    node.later(20 * MINUTE);
    node.pass();
    let got = node.receiver.got();
    let gathered = got[0].gathered.as_ref().unwrap().incidents;
    assert_eq!(got[0].title, format!("shop1: {gathered} incidents"));
    assert!(got.len() < 12, "{:?}", node.receiver.ids());
    assert_eq!(gathered + (got.len() as u64 - 1), 40, "each once, in it or by itself");
}

#[test]
fn what_waited_too_long_is_told_in_a_summary() {
    let mut node = Node::new();
    node.receiver.does(&[Does::Fail]);
    incidents(&mut node, 1..=4, MINUTE);
    for _ in 0..50 {
        node.later(HOUR);
        node.pass();
    }
    node.opens(5);
    node.turn();
    node.receiver.does(&[Does::Take]);
    node.later(HOUR);
    node.pass();
    let got = node.receiver.got();
    let [summary, opened] = got.as_slice() else { panic!("{:?}", node.receiver.ids()) };
    assert_eq!((summary.kind, opened.kind), (NoticeKind::Summary, NoticeKind::Opened));
    assert_eq!(summary.gathered.as_ref().unwrap().incidents, 4);
    assert!(summary.state.contains("could not be delivered here in time"), "{}", summary.state);
    assert_eq!(node.states().get("expired"), Some(&4));
}

#[test]
fn a_digest_that_waited_too_long_ends_in_the_summary_as_well() {
    let mut node = Node::with(2, 0);
    node.receiver.does(&[Does::Fail]);
    incidents(&mut node, 1..=10, SECOND);
    node.later(HOUR);
    node.pass();
    assert_eq!(node.states().get("gathered"), Some(&10));
    node.later(25 * HOUR);
    node.pass();
    node.receiver.does(&[Does::Take]);
    node.later(HOUR);
    node.pass();
    let got = node.receiver.got();
    let [summary] = got.as_slice() else { panic!("{:?}", node.receiver.ids()) };
    assert_eq!(summary.kind, NoticeKind::Summary);
    assert_eq!(summary.gathered.as_ref().unwrap().incidents, 10);
}

#[test]
fn an_agent_that_dies_before_the_handing_over_sends_once() {
    let mut node = Node::new();
    node.opens(1);
    node.turn();
    // Killed when the message was taken from the queue and not yet out of our hands.
    node.store.wait(|db| db.execute("UPDATE notify_message SET state = 'claimed'", [])).unwrap();
    assert_eq!(node.is_killed(), 0);
    node.pass();
    node.pass();
    assert_eq!(node.receiver.ids(), ["2026-11-24T14:00:00Z-1/opened"]);
}

#[test]
fn an_agent_that_dies_in_the_handing_over_sends_again_the_same_under_the_same_id() {
    let mut node = Node::with(1, 0);
    node.receiver.does(&[Does::TakeSilently, Does::Take]);
    node.opens(1);
    node.goes_on();
    node.store.wait(|db| db.execute("UPDATE notify_message SET state = 'handed'", [])).unwrap();
    assert_eq!(node.is_killed(), 1);
    node.later(2 * HOUR);
    node.pass();
    node.later(HOUR);
    node.pass();
    let got = node.receiver.got();
    let [first, again] = got.as_slice() else { panic!("{:?}", node.receiver.ids()) };
    assert_eq!(first, again, "byte for byte, so that it can be told for what it is");
}

#[test]
fn an_agent_that_dies_after_the_receivers_answer_does_not_send_again() {
    let mut node = Node::new();
    node.opens(1);
    node.goes_on();
    // Killed when the answer had come and the store did not know it yet.
    node.store.wait(|db| db.execute("UPDATE notify_message SET state = 'handed'", [])).unwrap();
    assert_eq!(node.is_killed(), 0);
    node.pass();
    assert_eq!(node.receiver.ids().len(), 1);
    assert_eq!(node.states().get("sent"), Some(&1));
}

#[test]
fn a_beginning_that_may_have_arrived_is_not_merged_away() {
    let mut node = Node::new();
    node.receiver.does(&[Does::TakeSilently, Does::Take]);
    node.opens(1);
    node.goes_on();
    node.closes(1);
    node.turn();
    node.later(MINUTE);
    node.pass();
    let id = "2026-11-24T14:00:00Z-1";
    let expected = ["opened", "opened", "closed"].map(|moment| format!("{id}/{moment}"));
    assert_eq!(node.receiver.ids(), expected);
}

#[test]
fn a_clock_that_is_set_back_silences_nobody_for_long() {
    let mut node = Node::with(2, 0);
    incidents(&mut node, 1..=2, SECOND);
    node.receiver.does(&[Does::Fail]);
    incidents(&mut node, 3..=3, SECOND);
    node.receiver.does(&[Does::Take]);
    node.clock.0.set(NOON - 30 * 24 * HOUR);
    node.pass();
    assert_eq!(node.receiver.got().len(), 3);
}

#[test]
fn old_messages_are_forgotten_and_open_ones_never() {
    let mut node = Node::new();
    incidents(&mut node, 1..=3, MINUTE);
    node.later(31 * 24 * HOUR);
    node.opens(9);
    node.goes_on();
    // The records of that turn are taken; the next one that tells something clears up.
    node.later(HOUR);
    node.turn();
    let states = node.states();
    assert_eq!(states.get("merged"), None, "{states:?}");
}
