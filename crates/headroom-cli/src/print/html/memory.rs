//! The chart of who held the memory: one bar for everything there was, then a bar a holder.

use std::fmt::Write;

use headroom_core::diagnose::{Facts, Use, percent_of};
use headroom_core::units::Kib;
use headroom_core::words;

use super::escape::{cut, esc};

/// The chart's width in its own units.
const WIDTH: f64 = 960.0;

/// Holders with a colour of their own.
const COLOURS: usize = 8;

/// Where the bars of holders begin and end.
const BARS: (f64, f64) = (230.0, 760.0);

const ROW: f64 = 27.0;

struct Segment {
    name: String,
    size: Kib,
    swap: Kib,
    colour: String,
    note: String,
}

/// The chart and its legend; nothing where the report has no table and no memory block.
pub(super) fn chart(facts: &Facts<'_>) -> String {
    let segments = segments(facts);
    let sum = segments.iter().fold(0, |sum, segment| sum + segment.size.0);
    if sum == 0 {
        return String::new();
    }
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(out, "{}{}", whole(facts, &segments, sum), bars(facts, &segments));
    out
}

fn segments(facts: &Facts<'_>) -> Vec<Segment> {
    let mut list: Vec<Segment> = Vec::new();
    let mut rest = (0, Kib::ZERO, Kib::ZERO);
    for (number, holder) in facts.holders.iter().enumerate() {
        let swap = holder.swap.unwrap_or_default();
        let small = holder.share < 0.005 && swap.0 < facts.whole().0 / 200;
        if number >= COLOURS || small {
            rest = (
                rest.0 + holder.processes,
                rest.1.saturating_add(holder.rss),
                rest.2.saturating_add(swap),
            );
            continue;
        }
        let count =
            if holder.processes > 1 { format!(" × {}", holder.processes) } else { String::new() };
        list.push(Segment {
            name: format!("{}{count}", cut(&holder.group, 22)),
            size: holder.rss,
            swap,
            colour: format!("var(--c{number})"),
            note: if holder.unkillable { "may not be killed".into() } else { String::new() },
        });
    }
    if rest.0 > 0 {
        let name = format!("{} other processes", rest.0);
        let (size, swap) = (rest.1, rest.2);
        list.push(Segment { name, size, swap, colour: "var(--rest)".into(), note: String::new() });
    }
    for beside in facts.beside.iter().filter(|beside| beside.share >= 0.005) {
        let colour = match beside.usage {
            Use::SharedMemory => "var(--shm)",
            Use::PageCache => "var(--cache)",
            Use::Free => "var(--free)",
            Use::Unaccounted => "var(--lost)",
            _ => "var(--kernel)",
        };
        list.push(Segment {
            name: words::context::usage(beside.usage).to_string(),
            size: beside.size,
            swap: Kib::ZERO,
            colour: colour.into(),
            note: String::new(),
        });
    }
    list
}

/// One bar for everything there was.
fn whole(facts: &Facts<'_>, segments: &[Segment], sum: u64) -> String {
    let capacity = facts.whole().0.max(sum);
    let mut out = String::from(
        "<div class=chart><svg viewBox=\"0 0 960 62\" role=img aria-label=\"Memory by holder\">",
    );
    let mut x = 0.0;
    for segment in segments {
        let width = scaled(segment.size.0, capacity, WIDTH);
        let _ = write!(
            out,
            "<rect x={x:.1} y=0 width={:.1} height=34 fill=\"{}\"><title>{}: {}</title></rect>",
            (width - 1.0).max(0.3),
            segment.colour,
            esc(&segment.name),
            segment.size
        );
        x += width;
    }
    let _ = write!(
        out,
        "<rect x=.5 y=.5 width=959 height=33 fill=none stroke=\"var(--line)\"/>\
         <text class=faint x=0 y=54>0</text><text class=faint x=960 y=54 text-anchor=end>{} of {}</text></svg></div>",
        facts.whole(),
        esc(match facts.capacity {
            Some(_) => facts.capacity_name(),
            None => "all processes",
        })
    );
    out
}

/// A bar a holder.
fn bars(facts: &Facts<'_>, segments: &[Segment]) -> String {
    let most = segments.iter().map(|s| s.size.0.saturating_add(s.swap.0)).max().unwrap_or(1);
    let height = rows(segments.len()) * ROW;
    let mut out = format!(
        "<div class=chart><svg viewBox=\"0 0 960 {height:.0}\" role=img aria-label=\"Bars by holder\">"
    );
    for (number, segment) in segments.iter().enumerate() {
        let y = rows(number) * ROW;
        let (from, to) = BARS;
        let width = scaled(segment.size.0, most, to - from).max(1.0);
        let swapped = scaled(segment.swap.0, most, to - from);
        let _ = write!(
            out,
            "<text x={} y={:.1} text-anchor=end>{}</text>\
             <rect x={from} y={:.1} width={width:.1} height=16 rx=3 fill=\"{}\"/>",
            from - 12.0,
            y + 15.5,
            esc(&segment.name),
            y + 3.0,
            segment.colour,
        );
        if swapped >= 1.0 {
            let _ = write!(
                out,
                "<rect x={:.1} y={:.1} width={:.1} height=15 rx=3 fill=none stroke=\"{}\" stroke-dasharray=\"3 2\">\
                 <title>in swap</title></rect>",
                from + width + 1.0,
                y + 3.5,
                swapped - 1.0,
                segment.colour
            );
        }
        let mut label = format!("{} · {} %", segment.size, percent_of(segment.size, facts.whole()));
        if segment.swap > Kib::ZERO {
            let _ = write!(label, " · {} in swap", segment.swap);
        }
        if !segment.note.is_empty() {
            let _ = write!(label, " · {}", segment.note);
        }
        let _ = write!(
            out,
            "<text class=\"soft num\" x={:.1} y={:.1}>{}</text>",
            from + width + swapped + 10.0,
            y + 15.5,
            esc(&label)
        );
    }
    out + "</svg></div>"
}

#[expect(clippy::cast_precision_loss, reason = "a chart needs no more than a float's precision")]
fn scaled(value: u64, whole: u64, length: f64) -> f64 {
    value as f64 / whole.max(1) as f64 * length
}

#[expect(clippy::cast_precision_loss, reason = "a chart has few rows")]
fn rows(count: usize) -> f64 {
    count as f64
}
