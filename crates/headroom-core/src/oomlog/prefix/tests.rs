use super::*;

fn civil(year: Option<i16>, month: u8, day: u8, seconds: u64) -> Wall {
    Wall::Civil { year, month, day, time_us: seconds * 1_000_000, offset_s: None }
}

#[test]
fn every_form_of_prefix_leaves_the_same_text() {
    const TEXT: &str = "php-fpm invoked oom-killer: gfp_mask=0xd0, order=0";
    for prefix in [
        "",
        "> ",
        "[ 5864.708440] ",
        "    [41368.535735] ",
        "<4>[  842.796720] ",
        "kern  :warn  : [   23.157011] ",
        "kern  :warn  : [Fri Sep 25 15:29:47 2020] ",
        "[Di Aug 12 03:54:03 2025] ",
        "[Sep25 15:29] ",
        "[  +0.000123] ",
        "[  828.600750][ T5241] ",
        "[  771.427685][T17032] ",
        "[  771.427685] [    C0] ",
        "Jan  5 15:19:27 kernel: [ 5864.708440] ",
        "Jun 20 12:47:02 new-db1 kernel: [15180285.537297] ",
        "Sep 29 08:12:34 hnsin-varnish kernel: ",
        "Sep 29 08:12:34.123456 host kernel: ",
        "Sep 29 08:12:34 host kernel:[ 5864.708440] ",
        "2026-11-23T22:20:23.043143+00:00 lab kernel: [    7.958320] ",
        "2026-03-18T04:06:54+0100 ist-pmacontrol kernel: ",
        "2026-03-18T04:06:54,123456+01:00 ",
        "Wed 2026-03-18 04:06:54 UTC host kernel: ",
        "[15180285.537297] host kernel: ",
        "10:52:29 t14s kernel: ",
        "1500316299 dev37-devc [30533610.306528] ",
        "1500316299.123456 host kernel: ",
        "kernel: ",
        "kernel: [ 5864.708440] ",
        "<4>1 2026-11-23T22:20:23Z host kernel - - - ",
        "<4>Jan  5 15:19:27 host kernel: [ 5864.708440] ",
        "Mon Jan  1 00:00:00 2024 kern.warn kernel: [ 5864.708440] ",
        "Jan  1 00:00:00 host kern.warn kernel: [ 5864.708440] ",
        "4,19685342,241227987454,-,caller=T12845;",
        "6,30574071,3816544225430,-;",
        "Creating journal (262144 blocks): [   35.419377] ",
        "\u{1b}[32m[ 5864.708440] \u{1b}[0m\u{1b}[1m",
    ] {
        let line = alloc::format!("{prefix}{TEXT}");
        assert_eq!(strip(&line).text, TEXT, "behind {prefix:?}");
    }
}

#[test]
fn both_clocks_are_kept() {
    let line = "Jun 20 12:47:02 new-db1 kernel: [15180285.537297] php-fpm cpuset=/ mems_allowed=0";
    let record = strip(line);
    assert_eq!(record.stamp.uptime_us, Some(15_180_285_537_297));
    assert_eq!(record.stamp.wall, Some(civil(None, 6, 20, 46_022)));
    assert_eq!(record.host.as_deref(), Some("new-db1"));
    assert_eq!(record.origin, Origin::Kernel);
}

#[test]
fn another_program_is_told_from_the_kernel() {
    let line =
        "Jun 24 18:49:43 aks node-problem-detector-startup.sh[6018]: I0624 Killed process 68061";
    assert_eq!(strip(line).origin, Origin::Program("node-problem-detector-startup.sh".into()));
    let line = "Jun 02 16:52:32 main systemd-oomd[722]: Killed /user.slice due to memory pressure";
    assert_eq!(strip(line).origin, Origin::Program("systemd-oomd".into()));
}

#[test]
fn a_journal_entry_keeps_its_newlines() {
    let line = r#"{"MESSAGE":"anon 1\nfile 2","_TRANSPORT":"kernel","__REALTIME_TIMESTAMP":"1795472420594402","_SOURCE_MONOTONIC_TIMESTAMP":"6324438"}"#;
    let record = strip(line);
    assert_eq!(record.text, "anon 1\nfile 2");
    assert_eq!(record.stamp.wall, Some(Wall::Unix(1_795_472_420_594_402)));
    assert_eq!(record.stamp.uptime_us, Some(6_324_438));
    let bytes = r#"{"MESSAGE":[104,105,27],"_TRANSPORT":"kernel"}"#;
    assert_eq!(strip(bytes).text, "hi\u{1b}");
}

#[test]
fn escaped_newlines_become_newlines() {
    assert_eq!(strip("kernel: a:1#012 b:2").text, "a:1\n b:2");
    assert_eq!(strip("4,1,2,-;a:1\\x0a b:2").text, "a:1\n b:2");
}

#[test]
fn a_line_without_prefix_says_so() {
    assert!(!strip("                file 32768").prefixed);
    assert!(!strip("[    480]     0   480    80239    21016 python3").prefixed);
    assert_eq!(strip("[    480]     0   480").text, "[    480]     0   480");
}

#[test]
fn a_program_behind_an_uptime_is_known_by_its_tag() {
    let line =
        "[   34.350119] lab headroom-guard[433]: headroom-guard: slay php (452) with SIGTERM: x";
    assert_eq!(strip(line).origin, Origin::Program("headroom-guard".into()));
    let line = "[   34.350119] usb runc:[2:INIT]: descriptor";
    assert_eq!(strip(line).origin, Origin::Unknown);
}
