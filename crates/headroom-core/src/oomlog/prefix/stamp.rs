//! What printk and `dmesg` put before a message: level, time since boot, caller.

use alloc::string::ToString;

use super::super::event::Wall;
use super::super::scan;
use super::{Origin, Record, Relative, clock, header, months};

/// `[   23.157011]`, `[Nov23 22:20]`, `[  +0.000123]`, the caller id behind it, and what Android's
/// vendors add.
pub(super) fn kernel<'a>(text: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    let after = if let Some((uptime_us, after)) = clock::uptime(text) {
        record.stamp.uptime_us = Some(uptime_us);
        after
    } else {
        relative(text.strip_prefix('[')?, record)?
    };
    record.prefixed = true;
    let after = vendor(caller(after, record));
    let after = after.strip_prefix(' ').unwrap_or(after);
    Some(header::strip_after_uptime(after, record))
}

/// `[ T5241]`, `[T17032]` or `[    C0]`, printed with CONFIG_PRINTK_CALLER.
fn caller<'a>(text: &'a str, record: &mut Record<'_>) -> &'a str {
    let id = |text: &'a str| {
        let inner = text.strip_prefix('[')?.trim_start_matches(' ');
        let (id, after) = inner.split_at_checked(inner.find(']')?)?;
        let digits = id.strip_prefix(['T', 'C'])?;
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| (id, after.strip_prefix(']').unwrap_or(after)))
    };
    match id(text).or_else(|| id(text.trim_start_matches(' '))) {
        Some((id, after)) => {
            record.caller = Some(id.to_string());
            after
        }
        None => text,
    }
}

/// What the kernels of phones write for a caller: `  (1)[480:python3]`, ` [1:  python3:  480] `,
/// ` c1    480 `.
fn vendor(text: &str) -> &str {
    let rest = text.trim_start_matches(' ');
    let mediatek = || {
        let (_, rest) = scan::number(rest.strip_prefix('(')?)?;
        let (_, rest) = scan::number(rest.strip_prefix(")[")?)?;
        Some(rest.strip_prefix(':')?.split_once(']')?.1)
    };
    let samsung = || {
        let rest = rest.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or(rest);
        let (_, rest) = scan::number(rest.strip_prefix('[')?.trim_start_matches(' '))?;
        let (who, rest) = rest.strip_prefix(':')?.split_once(']')?;
        let (_, pid) = who.rsplit_once(':')?;
        pid.trim().bytes().all(|b| b.is_ascii_digit()).then_some(rest)
    };
    let qualcomm = || {
        let (_, rest) = scan::number(rest.strip_prefix('c')?)?;
        let (_, rest) = scan::number(rest.strip_prefix(' ')?.trim_start_matches(' '))?;
        rest.starts_with(' ').then_some(rest)
    };
    mediatek().or_else(samsung).or_else(qualcomm).unwrap_or(text)
}

/// `  +0.000123]` and `Nov23 22:20]`, the stamps of `dmesg -d` and `-e`: the time since the line before,
/// and the minute where it changed.
fn relative<'a>(inner: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    let (stamp, after) = inner.split_at_checked(inner.find(']')?)?;
    let after = after.strip_prefix(']')?;
    let stamp = stamp.trim();
    if let Some(delta) = stamp.strip_prefix('+') {
        let (seconds, rest) = scan::number(delta)?;
        let (fraction, rest) = scan::fraction_us(rest.strip_prefix('.')?)?;
        let us = seconds.checked_mul(1_000_000)?.checked_add(fraction)?;
        record.relative = rest.is_empty().then_some(Relative::Later(us));
        return record.relative.is_some().then_some(after);
    }
    let (date, time) = stamp.split_once(' ')?;
    let name = date.trim_end_matches(|c: char| c.is_ascii_digit());
    let month = u8::try_from(months::number(name.trim_end_matches('.'))?).ok()?;
    let day = date.get(name.len()..)?.parse().ok()?;
    let (hour, rest) = scan::fixed(time, 2)?;
    let (minute, rest) = scan::fixed(rest.strip_prefix(':')?, 2)?;
    let valid = rest.is_empty() && hour < 24 && minute < 60 && (1..=31).contains(&day);
    let time_us = (hour * 60 + minute) * 60_000_000;
    record.relative = valid.then_some(Relative::Minute(Wall::Civil {
        year: None,
        month,
        day,
        time_us,
        offset_s: None,
    }));
    valid.then_some(after)
}

/// `4,19685342,241227987454,-,caller=T12845;text`, a record of /dev/kmsg
/// (`Documentation/ABI/testing/dev-kmsg`); extended netconsole may put the kernel's release first.
pub(super) fn kmsg<'a>(text: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    let (front, rest) = text.split_once(',')?;
    let release = front.contains('.') && front.starts_with(|c: char| c.is_ascii_digit());
    let text = if release { rest } else { text };
    let (_, rest) = scan::number(text)?;
    let (_, rest) = scan::number(rest.strip_prefix(',')?)?;
    let (uptime_us, rest) = scan::number(rest.strip_prefix(',')?)?;
    let rest = rest.strip_prefix(',')?;
    let (fields, text) = rest.split_at_checked(rest.find(';')?)?;
    record.stamp.uptime_us = Some(uptime_us);
    record.origin = Origin::Kernel;
    record.prefixed = true;
    record.caller =
        fields.split(',').find_map(|field| field.strip_prefix("caller=")).map(ToString::to_string);
    text.strip_prefix(';')
}

/// `<4>`, the syslog level of printk, pstore and RFC 3164, in words `<kern.warn>`, and with the length
/// before it that RFC 6587 has over TCP.
pub(super) fn level(text: &str) -> Option<&str> {
    let counted = scan::number(text).and_then(|(_, rest)| rest.strip_prefix(" <"));
    if let Some(inner) = counted {
        return number_level(inner)
            .filter(|rest| rest.starts_with("1 ") || rest.len() < text.len());
    }
    let inner = text.strip_prefix('<')?;
    number_level(inner).or_else(|| inner.strip_prefix("kern.")?.split_once('>').map(|(_, r)| r))
}

fn number_level(text: &str) -> Option<&str> {
    let (value, rest) = scan::number(text)?;
    (value < 192).then(|| rest.strip_prefix('>')).flatten()
}

/// `kern  :warn  : `, what `dmesg -x` prints.
pub(super) fn decoded_level(text: &str) -> Option<&str> {
    const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
    let (facility, rest) = text.split_at_checked(text.get(..12)?.find(':')?)?;
    let rest = rest.strip_prefix(':')?;
    let (level, rest) = rest.split_at_checked(rest.get(..8)?.find(':')?)?;
    let known = LEVELS.contains(&level.trim_end())
        && facility.trim_end().bytes().all(|b| b.is_ascii_alphanumeric());
    let rest = rest.strip_prefix(':')?;
    known.then(|| rest.strip_prefix(' ').unwrap_or(rest))
}
