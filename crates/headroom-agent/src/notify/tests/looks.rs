//! What messages look like, whole.

use headroom_api::notice::NoticeKind;

use super::super::{html, kernel, text};
use super::*;

/// A storm in which the guard ended a job and the kernel killed one as well.
fn storm() -> Vec<Notice> {
    let mut node = Node::with(12, 0);
    let mut kernel = kernel::tests::followed(NOON - HOUR);
    node.later(3 * MINUTE + 20 * SECOND);
    node.opens(7);
    kernel::tests::write(&mut kernel, 100, 3600 + 201, 0);
    node.turn_with(&kernel.poll(HOUR));
    node.later(2 * SECOND);
    node.slays(7, 4720, "php", "php bin/magento import:run --api-token=abc");
    node.pass();
    node.later(198 * SECOND);
    node.closes(7);
    node.goes_on();
    node.receiver.got()
}

fn of(kind: NoticeKind) -> Notice {
    storm().into_iter().find(|notice| notice.kind == kind).unwrap()
}

#[test]
fn the_mail_at_the_beginning() {
    insta::assert_snapshot!(text::body(&of(NoticeKind::Opened)));
}

#[test]
fn the_mail_at_the_end() {
    insta::assert_snapshot!(text::body(&of(NoticeKind::Closed)));
}

#[test]
fn the_mail_at_the_end_as_html() {
    insta::assert_snapshot!(html::document(&of(NoticeKind::Closed)));
}

#[test]
fn a_digest() {
    let mut node = Node::with(2, 0);
    for number in 1..=5 {
        node.opens(number);
        node.slays(number, 4711, "php", "php a.php");
        node.closes(number);
        node.goes_on();
        node.later(9 * MINUTE);
    }
    node.later(HOUR);
    node.pass();
    let digest = node.receiver.got().into_iter().find(|n| n.kind == NoticeKind::Digest).unwrap();
    insta::assert_snapshot!(text::body(&digest));
}
