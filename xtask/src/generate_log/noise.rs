//! The lines of a kern.log that are about anything but memory: mostly the firewall's.

use std::fmt::Write;

/// Marsaglia's xorshift: the same numbers every time.
pub(super) struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// The log's own time, which only goes forward.
pub(super) struct Clock {
    uptime_us: u64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { uptime_us: 8_446_136_027_520 }
    }
}

impl Clock {
    /// What rsyslog writes before a kernel line, `forward` microseconds after the line before.
    pub(super) fn prefix(&mut self, into: &mut String, forward: u64) {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        self.uptime_us += forward;
        let seconds = self.uptime_us / 1_000_000;
        // Months of 28 days are days that every month has.
        let (day, month) = (seconds / 86_400 % 28 + 1, seconds / 86_400 / 28 % 12);
        let month = MONTHS[usize::try_from(month).unwrap_or(0)];
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let fraction = self.uptime_us % 1_000_000;
        // Writing to a string cannot fail.
        let _ = write!(
            into,
            "{month} {day:>2} {hour:02}:{minute:02}:{second:02} web1 kernel: [{seconds}.{fraction:06}] "
        );
    }
}

/// One line, the firewall's nine times in ten.
pub(super) fn line(into: &mut String, clock: &mut Clock, random: &mut Random) {
    if random.below(10) > 0 {
        return blocked(into, clock, random);
    }
    let forward = random.below(400_000);
    clock.prefix(into, forward);
    let number = random.below(1000);
    let _ = match random.below(6) {
        0 => writeln!(
            into,
            "audit: type=1400 audit(1527508741.{number:03}:{}): apparmor=\"DENIED\" operation=\"open\" profile=\"/usr/sbin/mysqld\" name=\"/proc/{number}/status\" pid={number} comm=\"mysqld\" requested_mask=\"r\" denied_mask=\"r\" fsuid=110 ouid=0",
            random.below(1_000_000)
        ),
        1 => writeln!(
            into,
            "docker0: port {number}(veth{number:x}a{number:x}) entered disabled state"
        ),
        2 => writeln!(
            into,
            "TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.  Check SNMP counters."
        ),
        3 => writeln!(into, "EXT4-fs (vda1): re-mounted. Opts: errors=remount-ro"),
        4 => writeln!(
            into,
            "php-fpm7.0[{number}]: segfault at 7ffd{number:08x} ip 0000557{number:09x} sp 00007ffd{number:08x} error 6 in php-fpm7.0[557{number:08x}+3f1000]"
        ),
        _ => writeln!(into, "nf_conntrack: nf_conntrack: table full, dropping packet"),
    };
}

/// What ufw has the kernel log of a packet it drops.
pub(super) fn blocked(into: &mut String, clock: &mut Clock, random: &mut Random) {
    let forward = random.below(400_000);
    clock.prefix(into, forward);
    let (address, id) = (random.below(1 << 24), random.below(1 << 16));
    let (from, to) = (random.below(1 << 16), [22, 23, 445, 3389, 5060, 8080, 6379][at(random)]);
    let [a, b, c] = [address >> 16, address >> 8 & 0xff, address & 0xff];
    let _ = writeln!(
        into,
        "[UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:12:34:56:00:00:5e:00:01:01:08:00 SRC=198.{a}.{b}.{c} DST=192.0.2.10 LEN={} TOS=0x00 PREC=0x00 TTL={} ID={id} PROTO=TCP SPT={from} DPT={to} WINDOW={} RES=0x00 SYN URGP=0 ",
        40 + 4 * random.below(6),
        40 + random.below(210),
        1024 * random.below(64)
    );
}

fn at(random: &mut Random) -> usize {
    usize::try_from(random.below(7)).unwrap_or(0)
}
