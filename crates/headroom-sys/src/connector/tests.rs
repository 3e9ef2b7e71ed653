use std::process::Command;
use std::time::{Duration, Instant};

use super::*;
use message::{ANSWER, DATA, EVENT};

/// As Linux 6.18 sent them: a fork of a process, one of a thread, an exec and an end.
const FORK: &str = "4c000000030000000000000000000000010000000100000000000000010000002800000001000000010000\
                    000c42c73e44040000d80b0000d80b0000110c0000110c00000000000000000000";
const THREAD: &str = "4c00000003000000000000000000000001000000010000000000000000000000280000000100000000000000\
                      c3e6cb3e440400000d0c0000d90b0000120c00000e0c00000000000000000000";
const EXEC: &str = "4c000000030000000500000000000000010000000100000005000000000000002800000002000000010000\
                    00d4d7043f44040000110c0000110c000000000000000000000000000000000000";
const EXIT: &str = "4c000000030000000600000000000000010000000100000006000000000000002800000000000080010000\
                    001e370c3f44040000110c0000110c00000000000011000000d80b0000d80b0000";
/// The name of a thread that is not its process's first.
const COMM_OF_A_THREAD: &str = "4c000000030000000200000000000000010000000100000002000000000000002800000000\
                                020000010000001e37cd3e44040000120c00000e0c00006374726c2d6300000000000000000000";

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn found(datagram: &[u8]) -> Vec<Found> {
    Messages::new(datagram).collect()
}

fn happened(kind: Kind, pid: i32) -> Found {
    Found::Event(Event::Happened { kind, pid })
}

#[test]
fn captured_messages_say_what_happened_to_which_process() {
    assert_eq!(found(&bytes(FORK)), [happened(Kind::Fork, 0xc11)]);
    assert_eq!(found(&bytes(EXEC)), [happened(Kind::Exec, 0xc11)]);
    assert_eq!(found(&bytes(EXIT)), [happened(Kind::Exit, 0xc11)]);
}

#[test]
fn single_threads_are_nobody() {
    assert_eq!(found(&bytes(THREAD)), []);
    assert_eq!(found(&bytes(COMM_OF_A_THREAD)), []);
}

#[test]
fn every_kind_has_its_own_bit() {
    for (what, kind) in [(0x4u32, Kind::Uid), (0x80, Kind::Sid), (0x200, Kind::Comm)] {
        let mut message = bytes(EXEC);
        message[EVENT..EVENT + 4].copy_from_slice(&what.to_ne_bytes());
        assert_eq!(found(&message), [happened(kind, 0xc11)]);
    }
}

#[test]
fn several_messages_in_one_datagram_are_all_read() {
    let datagram = [bytes(FORK), bytes(THREAD), bytes(EXEC), bytes(EXIT)].concat();
    let kinds = [Kind::Fork, Kind::Exec, Kind::Exit].map(|kind| happened(kind, 0xc11));
    assert_eq!(found(&datagram), kinds);
}

#[test]
fn what_is_cut_or_lies_about_its_length_counts_as_lost() {
    let exec = bytes(EXEC);
    let lost = [Found::Event(Event::Lost)];
    assert_eq!(found(&exec[..exec.len() - 1]), lost);
    for len in [0u32, 15, 77, u32::MAX] {
        let mut message = exec.clone();
        message[..4].copy_from_slice(&len.to_ne_bytes());
        assert_eq!(found(&message), lost, "{len}");
    }
    // Whole for netlink and too short for an event.
    for len in [16u32, 36, 51, 59] {
        let mut message = exec[..usize::try_from(len).unwrap()].to_vec();
        message[..4].copy_from_slice(&len.to_ne_bytes());
        assert_eq!(found(&message), [], "{len}");
    }
    assert_eq!(found(&[]), []);
}

#[test]
fn other_types_and_other_connectors_are_passed_over_and_an_overrun_is_a_loss() {
    let of_type = |kind: u16| {
        let mut message = bytes(EXEC);
        message[4..6].copy_from_slice(&kind.to_ne_bytes());
        found(&message)
    };
    assert_eq!(of_type(1), [], "NLMSG_NOOP");
    assert_eq!(of_type(2), [], "NLMSG_ERROR");
    assert_eq!(of_type(4), [Found::Event(Event::Lost)], "NLMSG_OVERRUN");
    for at in [16, 20] {
        let mut message = bytes(EXEC);
        message[at] = 9;
        assert_eq!(found(&message), []);
    }
    let mut unheard_of = bytes(EXEC);
    unheard_of[EVENT] = 0x10;
    assert_eq!(found(&unheard_of), []);
}

#[test]
fn an_answer_bears_the_number_of_its_request() {
    let asked = request(Wanted::Listen, 0x1234);
    assert_eq!(asked[DATA - 16..], 1u32.to_ne_bytes());
    assert_eq!(asked[28..32], 0x1234u32.to_ne_bytes());
    let mut answer = bytes(EXEC);
    // The kernel numbers it like its other messages, and adds one to what it acknowledges.
    answer[24..28].copy_from_slice(&77u32.to_ne_bytes());
    answer[28..32].copy_from_slice(&0x1235u32.to_ne_bytes());
    answer[EVENT..EVENT + 4].copy_from_slice(&ANSWER.to_ne_bytes());
    answer[DATA..DATA + 4].copy_from_slice(&1u32.to_ne_bytes());
    assert_eq!(found(&answer), [Found::Answer { number: 0x1234, error: 1 }]);
}

/// A listener, or `None` where there can be none, and then that is what is said.
fn listener(kinds: &[Kind]) -> Option<Connector> {
    match Connector::open(kinds) {
        Ok(connector) => Some(connector),
        Err(refused) => {
            assert!(!refused.why.is_empty() && !refused.to_string().ends_with('.'), "{refused}");
            let may = own::has_capability(own::Capability::NetAdmin);
            assert!(!may || refused.error != ReadError::Forbidden, "{refused}");
            let known = std::fs::read_to_string("/proc/net/connector").unwrap_or_default();
            let is_node = own::in_initial_user_namespace() && own::in_initial_pid_namespace();
            let has_events = may && is_node && known.contains("cn_proc");
            assert!(!has_events, "this kernel has process events: {refused}");
            None
        }
    }
}

/// Reads until that happened; everything else that was read before it.
fn wait_for(connector: &mut Connector, awaited: Event) -> Vec<Event> {
    let give_up = Instant::now() + Duration::from_secs(60);
    let mut before = Vec::new();
    loop {
        assert!(Instant::now() < give_up, "{awaited:?} was not told");
        match connector.next_event().unwrap() {
            Some(event) if event == awaited => return before,
            Some(event) => before.push(event),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

#[test]
fn a_fork_an_exec_and_an_end_are_told_in_their_order() {
    let Some(mut connector) = listener(&[Kind::Fork, Kind::Exec, Kind::Exit]) else { return };
    let mut child = Command::new("true").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    for kind in [Kind::Fork, Kind::Exec, Kind::Exit] {
        wait_for(&mut connector, Event::Happened { kind, pid });
    }
    child.wait().unwrap();
    assert!(connector.queue_bytes().is_some_and(|bytes| bytes > 0));
}

#[test]
fn the_kernel_keeps_back_what_was_not_asked_for() {
    let Some(mut connector) = listener(&[Kind::Exit]) else { return };
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let before = wait_for(&mut connector, Event::Happened { kind: Kind::Exit, pid });
    let is_exit = |event: &Event| matches!(event, Event::Happened { kind: Kind::Exit, .. });
    assert!(before.iter().all(is_exit), "{before:?}");
}

#[test]
fn a_full_queue_is_told_as_a_loss_and_the_listener_goes_on() {
    let Some(mut connector) = listener(&[Kind::Fork, Kind::Exec, Kind::Exit]) else { return };
    // The least there is: a few messages.
    set_socket_recv_buffer_size(&connector.socket, 1).unwrap();
    for _ in 0..20 {
        Command::new("true").status().unwrap();
    }
    wait_for(&mut connector, Event::Lost);
    set_socket_recv_buffer_size(&connector.socket, QUEUE).unwrap();
    while connector.next_event().unwrap().is_some() {}
    let mut child = Command::new("true").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    wait_for(&mut connector, Event::Happened { kind: Kind::Exec, pid });
    child.wait().unwrap();
}

#[test]
fn a_message_that_is_not_the_kernels_is_not_believed() {
    let Some(mut connector) = listener(&[Kind::Exec]) else { return };
    let flags = SocketFlags::CLOEXEC;
    let forger = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(CONNECTOR));
    let forger = forger.unwrap();
    bind(&forger, &SocketAddrNetlink::new(0, 0)).unwrap();
    // No process has this number, so that nobody else can be told of it.
    let mut message = bytes(EXEC);
    for at in [DATA, DATA + 4] {
        message[at..at + 4].copy_from_slice(&i32::MAX.to_ne_bytes());
    }
    let group = SocketAddrNetlink::new(0, GROUP);
    if sendto(&forger, &message, SendFlags::empty(), &group).is_err() {
        return;
    }
    let mut child = Command::new("true").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let before = wait_for(&mut connector, Event::Happened { kind: Kind::Exec, pid });
    child.wait().unwrap();
    assert!(!before.contains(&Event::Happened { kind: Kind::Exec, pid: i32::MAX }));
}

#[test]
fn errors_name_what_is_missing() {
    for (errno, word) in [
        (Errno::PERM, "CAP_NET_ADMIN"),
        (Errno::CONNREFUSED, "namespace"),
        (Errno::PROTONOSUPPORT, "kernel"),
    ] {
        assert!(refused(errno).to_string().contains(word));
    }
}
