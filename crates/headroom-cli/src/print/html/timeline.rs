//! The chart of what happened when: kills through all lanes, other logs' entries a lane a kind.

use std::fmt::Write;

use headroom_core::diagnose::Near;
use headroom_core::otherlog::{Peak, What};
use headroom_core::words;

use super::escape::{cut, esc};
use crate::explained::Explained;
use crate::input::when;

const MINUTE_US: i64 = 60_000_000;

/// As far back as the chart goes.
const REACH_US: i64 = 60 * MINUTE_US;

/// Where the lanes begin and end.
const LANES: (f64, f64) = (112.0, 950.0);

const ROW: f64 = 20.0;

/// Rows of a lane, beyond which entries are only in the table.
const MOST_ROWS: usize = 10;

/// The width of a character of the small font, about.
const CHARACTER: f64 = 6.1;

/// Kinds of entry by lane, in their order from top to bottom.
const NAMES: [&str; 6] = ["cron", "queries", "php", "application", "system", "people"];

struct Scale {
    from_us: i64,
    to_us: i64,
}

impl Scale {
    fn x(&self, us: i64) -> f64 {
        let (left, right) = LANES;
        let part = ratio(us.saturating_sub(self.from_us), self.to_us.saturating_sub(self.from_us));
        (left + part * (right - left)).clamp(left, right)
    }
}

/// The chart; nothing where no time is known or nothing but the kill happened.
pub(super) fn chart(explained: &Explained<'_>) -> String {
    let times: Vec<i64> = explained.dated.iter().filter_map(|dated| dated.at_us).collect();
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
        return String::new();
    };
    let near: Vec<&Near<'_>> = explained
        .context
        .near
        .iter()
        .filter(|near| near.distance_us.abs() <= REACH_US || near.running.is_some())
        .collect();
    if near.is_empty() && times.len() < 2 {
        return String::new();
    }
    let peak = near.iter().find_map(|near| match &near.entry.what {
        What::Requests(peak) => Some(peak),
        _ => None,
    });
    let scale = scale(&near, peak, *first, *last);
    let mut body = String::new();
    let mut y = 30.0;
    if let Some(peak) = peak {
        requests(&mut body, &scale, peak, *first, &mut y);
    }
    for (lane, name) in NAMES.iter().enumerate() {
        let entries: Vec<&&Near<'_>> =
            near.iter().filter(|near| lane_of(&near.entry.what) == Some(lane)).collect();
        if !entries.is_empty() {
            self::lane(&mut body, &scale, name, &entries, *last, &mut y);
        }
    }
    let mut out = format!(
        "<div class=chart><svg viewBox=\"0 0 960 {:.0}\" role=img aria-label=\"Timeline\">",
        y + 26.0
    );
    axis(&mut out, &scale, y);
    out += &body;
    kills(&mut out, &scale, explained, y);
    out + "</svg></div>"
}

fn scale(near: &[&Near<'_>], peak: Option<&Peak>, first: i64, last: i64) -> Scale {
    let began = near.iter().map(|near| near.began_us()).min().unwrap_or(first);
    let ended = near.iter().map(|near| near.at_us).max().unwrap_or(last).max(last);
    let reach = peak.map_or(0, |peak| i64::try_from(peak.by_minute.len()).unwrap_or(0) * MINUTE_US);
    let from = began.min(first - reach).max(first - REACH_US).min(first - 2 * MINUTE_US);
    // A margin, so that nothing stands on the edge.
    let margin = (ended - from) / 20;
    Scale { from_us: from - margin, to_us: ended + margin * 2 }
}

fn lane_of(what: &What) -> Option<usize> {
    Some(match what {
        What::CronStarted { .. } => 0,
        What::Query { .. } => 1,
        What::SlowRequest { .. } | What::WorkersExhausted { .. } | What::MemoryLimit { .. } => 2,
        What::Complaint { .. } => 3,
        What::UnitKilled { .. } | What::Package { .. } | What::Deployed { .. } => 4,
        What::Login { .. } | What::Command { .. } => 5,
        What::Requests(_) => return None,
    })
}

fn axis(out: &mut String, scale: &Scale, bottom: f64) {
    let span = scale.to_us - scale.from_us;
    let steps = [10, 30, 60, 120, 300, 600, 900, 1800, 3600].map(|s| s * 1_000_000);
    let step = steps.into_iter().find(|step| span / step <= 9).unwrap_or(2 * 3_600_000_000);
    let mut at = scale.from_us - scale.from_us.rem_euclid(step) + step;
    while at < scale.to_us {
        let x = scale.x(at);
        let time = when::clock(at).unwrap_or_default();
        let time = if step >= MINUTE_US { time.get(..5).unwrap_or("") } else { time.as_str() };
        let _ = write!(
            out,
            "<line x1={x:.1} x2={x:.1} y1=24 y2={bottom:.1} stroke=\"var(--grid)\"/>\
             <text class=\"faint num\" x={x:.1} y={:.1} text-anchor=middle>{time}</text>",
            bottom + 18.0
        );
        at += step;
    }
}

/// Requests a minute, as columns.
fn requests(out: &mut String, scale: &Scale, peak: &Peak, first: i64, y: &mut f64) {
    const HEIGHT: f64 = 44.0;
    let most = peak.by_minute.iter().copied().max().unwrap_or(1).max(1);
    let count = i64::try_from(peak.by_minute.len()).unwrap_or(0);
    name(out, "requests", *y + HEIGHT - 6.0);
    for (minute, number) in (0..).zip(&peak.by_minute) {
        let from = first - (count - minute) * MINUTE_US;
        let (left, right) = (scale.x(from), scale.x(from + MINUTE_US));
        let height =
            ratio(i64::try_from(*number).unwrap_or(0), i64::try_from(most).unwrap_or(1)) * HEIGHT;
        let _ = write!(
            out,
            "<rect x={left:.1} y={:.1} width={:.1} height={height:.1} fill=\"var(--c5)\"><title>{number} requests</title></rect>",
            *y + HEIGHT - height,
            (right - left - 1.0).max(0.5)
        );
    }
    let _ = write!(
        out,
        "<text class=\"faint num\" x={} y={:.1} text-anchor=end>{most}/min</text>",
        LANES.0 - 10.0,
        *y + 10.0
    );
    *y += HEIGHT + 14.0;
}

fn name(out: &mut String, name: &str, y: f64) {
    let _ =
        write!(out, "<text class=soft x={} y={y:.1} text-anchor=end>{name}</text>", LANES.0 - 10.0);
}

/// One lane: bars for what lasted, dots for what did not, packed into rows.
fn lane(
    out: &mut String,
    scale: &Scale,
    title: &str,
    entries: &[&&Near<'_>],
    last: i64,
    y: &mut f64,
) {
    name(out, title, *y + 14.0);
    // Where each row's last text ends.
    let mut ends: Vec<f64> = Vec::new();
    for near in entries {
        let until = if near.running.is_some() { last } else { near.at_us };
        let (left, right) = (scale.x(near.began_us()), scale.x(until));
        let bar = right - left >= 3.0;
        let label = label(near);
        let inside = bar && label.chars().count() as f64 * CHARACTER + 10.0 <= right - left;
        let room = LANES.1 - right - 12.0;
        // Near the right edge a label stands to the left of its mark.
        let to_left = !inside && room < 150.0;
        let room = if to_left { left - LANES.0 - 12.0 } else { room };
        let shown = if inside { label.clone() } else { cut(&label, fitting(room.min(420.0))) };
        let width = shown.chars().count() as f64 * CHARACTER;
        let (start, end) = if inside {
            (left, right)
        } else if to_left {
            (left - width - 14.0, right)
        } else {
            (left, right + width + 14.0)
        };
        let row = ends.iter().position(|taken| *taken <= start).unwrap_or(ends.len());
        if row >= MOST_ROWS {
            continue;
        }
        match ends.get_mut(row) {
            Some(taken) => *taken = end + 6.0,
            None => ends.push(end + 6.0),
        }
        let top = *y + rows(row) * ROW;
        let colour = colour(&near.entry.what);
        let tip = format!(
            "{}: {}",
            words::context::distance(near.distance_us),
            words::context::what(near)
        );
        let mark = if bar {
            format!(
                "<rect x={left:.1} y={:.1} width={:.1} height=14 rx=3 fill=\"{colour}\"/>",
                top + 3.0,
                right - left
            )
        } else {
            format!("<circle cx={left:.1} cy={:.1} r=4 fill=\"{colour}\"/>", top + 10.0)
        };
        let (x, anchor, class) = if inside {
            (left + 6.0, "start", "in")
        } else if to_left {
            (left - 8.0, "end", "faint")
        } else {
            (right + 8.0, "start", "faint")
        };
        let _ = write!(
            out,
            "<g><title>{}</title>{mark}<text class={class} x={x:.1} y={:.1} text-anchor={anchor}>{}</text></g>",
            esc(&tip),
            top + 14.0,
            esc(&shown)
        );
    }
    *y += rows(ends.len()) * ROW + 12.0;
}

fn label(near: &Near<'_>) -> String {
    match &near.entry.what {
        What::CronStarted { command, .. } => command.clone(),
        What::SlowRequest { script, .. } => script.clone(),
        What::Package { action } => action.clone(),
        What::Complaint { message, .. } => message.clone(),
        What::UnitKilled { unit, ended: true } => format!("{unit} failed"),
        What::UnitKilled { unit, ended: false } => format!("{unit} lost a process"),
        _ => words::context::what(near),
    }
}

fn colour(what: &What) -> &'static str {
    match what {
        What::CronStarted { .. } => "var(--c0)",
        What::Query { .. } => "var(--c1)",
        What::SlowRequest { .. } | What::WorkersExhausted { .. } | What::MemoryLimit { .. } => {
            "var(--c3)"
        }
        What::Complaint { .. } => "var(--c6)",
        What::UnitKilled { .. } => "var(--accent)",
        What::Package { .. } | What::Deployed { .. } => "var(--c2)",
        What::Login { .. } | What::Command { .. } | What::Requests(_) => "var(--rest)",
    }
}

/// The kills, each a line through everything.
fn kills(out: &mut String, scale: &Scale, explained: &Explained<'_>, bottom: f64) {
    let mut taken = f64::MIN;
    for dated in &explained.dated {
        let Some(at) = dated.at_us else { continue };
        let x = scale.x(at);
        let names: Vec<&str> =
            dated.event.victims.iter().map(|victim| victim.comm.as_str()).collect();
        let label = match names[..] {
            [] => "out of memory".to_string(),
            [one] => one.to_string(),
            [first, ..] => format!("{first} and {} more", names.len() - 1),
        };
        let _ = write!(
            out,
            "<g><title>{}</title><line x1={x:.1} x2={x:.1} y1=20 y2={bottom:.1} stroke=\"var(--accent)\" stroke-width=\"1.5\"/>\
             <circle cx={x:.1} cy=20 r=3.5 fill=\"var(--accent)\"/>",
            esc(&label)
        );
        let shown = format!("✕ {}", cut(&label, 24));
        let half = shown.chars().count() as f64 * 3.4;
        if x - half > taken {
            let x = x.clamp(LANES.0 + half, LANES.1 - half + 8.0);
            let _ = write!(
                out,
                "<text class=kill x={x:.1} y=12 text-anchor=middle>{}</text>",
                esc(&shown)
            );
            taken = x + half + 8.0;
        }
        *out += "</g>";
    }
}

#[expect(clippy::cast_precision_loss, reason = "a chart needs no more than a float's precision")]
fn ratio(part: i64, whole: i64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "a lane has few rows")]
fn rows(count: usize) -> f64 {
    count as f64
}

/// How many characters fit into so much room.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held between 4 and what a chart is wide"
)]
fn fitting(room: f64) -> usize {
    (room / CHARACTER).clamp(4.0, 160.0) as usize
}
