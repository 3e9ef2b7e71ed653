//! `limits-contradict`: memory settings of units that cannot all be true
//! (`systemd.resource-control(5)`, `Documentation/admin-guide/cgroup-v2.rst`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::advise::facts::Facts;
use crate::advise::parse::Said;
use crate::advise::parse::units::{Limit, UnitLimits};
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

type Setting = Option<Said<Limit>>;

fn size(setting: &Setting) -> Option<Kib> {
    match setting.as_ref()?.value {
        Limit::Size(size) => Some(size),
        Limit::Infinite => None,
    }
}

fn at(setting: &Setting) -> String {
    setting.as_ref().map(|said| said.at.clone()).unwrap_or_default()
}

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let mut advices = Vec::new();
    for unit in &facts.units {
        advices.extend(within(unit));
        advices.extend(beyond_parent(facts, unit));
        advices.extend(protection(facts, unit, "MemoryMin", |unit| &unit.min));
        advices.extend(protection(facts, unit, "MemoryLow", |unit| &unit.low));
    }
    advices.extend(promised(facts));
    advices
}

fn contradiction(title: String, figure: Kib, command: String) -> Advice {
    let mut advice = Advice::of(Kind::LimitsContradict);
    advice.title = title;
    advice.cuts_peak = Some(figure);
    advice.confidence = Confidence::High;
    advice.risk = Risk::Low;
    advice.command = command;
    advice.check = "systemctl show -p MemoryMin,MemoryLow,MemoryHigh,MemoryMax UNIT".into();
    advice
}

/// A unit's own settings against its MemoryMax.
fn within(unit: &UnitLimits) -> Vec<Advice> {
    let Some(max) = size(&unit.max) else { return Vec::new() };
    let settings = [("MemoryHigh", &unit.high), ("MemoryLow", &unit.low), ("MemoryMin", &unit.min)];
    let over = settings.into_iter().filter_map(|(name, setting)| {
        let value = size(setting).filter(|value| *value > max)?;
        let mut advice = contradiction(
            format!("{} of {} is {value}, above its MemoryMax of {max}", name, unit.name),
            value.saturating_sub(max),
            format!("systemctl edit {}: {name} below {}M", unit.name, max.0 / 1024),
        );
        let effect = if name == "MemoryHigh" {
            "it is killed at its MemoryMax before it is ever slowed down"
        } else {
            "more is protected than it may have"
        };
        advice.because(at(setting), format!("{name}={value}: {effect}"));
        advice.because(at(&unit.max), format!("MemoryMax={max}"));
        Some(advice)
    });
    over.collect()
}

/// The nearest slice above that has a MemoryMax.
fn limited_parent<'a>(facts: &'a Facts, unit: &UnitLimits) -> Option<(&'a UnitLimits, Kib)> {
    let mut parent = unit.parent();
    // A slice's name has only so many dashes; a loop is not possible, a bound costs nothing.
    for _ in 0..16 {
        let name = parent?;
        let found = facts.units.iter().find(|unit| unit.name == name);
        if let Some(limit) = found.and_then(|slice| Some((slice, size(&slice.max)?))) {
            return Some(limit);
        }
        let slice = UnitLimits { name, ..UnitLimits::default() };
        parent = found.unwrap_or(&slice).parent();
    }
    None
}

/// A unit that may take more than the slice it is in.
fn beyond_parent(facts: &Facts, unit: &UnitLimits) -> Option<Advice> {
    let max = size(&unit.max)?;
    let (slice, limit) = limited_parent(facts, unit).filter(|(_, limit)| max > *limit)?;
    let mut advice = contradiction(
        format!("{} may take {max}, its slice {} only {limit}", unit.name, slice.name),
        max.saturating_sub(limit),
        format!("systemctl edit {}: MemoryMax below {}M", unit.name, limit.0 / 1024),
    );
    advice.because(at(&unit.max), format!("MemoryMax={max}: it is never reached"));
    advice.because(at(&slice.max), format!("MemoryMax={limit} of {}", slice.name));
    Some(advice)
}

/// Protection of units that their slice does not have to give.
fn protection(
    facts: &Facts,
    slice: &UnitLimits,
    name: &str,
    setting: fn(&UnitLimits) -> &Setting,
) -> Option<Advice> {
    if !slice.name.ends_with(".slice") {
        return None;
    }
    let own = match setting(slice).as_ref().map(|said| said.value) {
        Some(Limit::Infinite) => return None,
        Some(Limit::Size(size)) => size,
        None => Kib::ZERO,
    };
    let children = facts.units.iter().filter(|unit| unit.parent().as_deref() == Some(&slice.name));
    let protected: Vec<(&UnitLimits, Kib)> =
        children.filter_map(|unit| Some((unit, size(setting(unit))?))).collect();
    let sum = protected.iter().fold(Kib::ZERO, |sum, (_, size)| sum.saturating_add(*size));
    if sum <= own {
        return None;
    }
    let lacking = sum.saturating_sub(own);
    let mut advice = contradiction(
        format!(
            "{name} of {} units is {sum}, their slice {} has {own}",
            protected.len(),
            slice.name
        ),
        lacking,
        format!("systemctl edit {}: {name}={}M", slice.name, sum.0.div_ceil(1024)),
    );
    for (unit, size) in &protected {
        advice.because(at(setting(unit)), format!("{}: {name}={size}", unit.name));
    }
    let what = match setting(slice) {
        Some(_) => format!("{}: {name}={own}, what is above it protects nobody", slice.name),
        None => format!("{}: no {name}, so that none of it protects anybody", slice.name),
    };
    let source = at(setting(slice));
    advice.because(if source.is_empty() { slice.name.clone() } else { source }, what);
    Some(advice)
}

/// More MemoryMin than there is RAM: nothing is left to reclaim, and the kernel kills.
fn promised(facts: &Facts) -> Option<Advice> {
    let services = facts.units.iter().filter(|unit| unit.name.ends_with(".service"));
    let all: Vec<(&UnitLimits, Kib)> =
        services.filter_map(|unit| Some((unit, size(&unit.min)?))).collect();
    let sum = all.iter().fold(Kib::ZERO, |sum, (_, size)| sum.saturating_add(*size));
    let most = facts.node.ram.percent(80);
    if facts.node.ram == Kib::ZERO || sum <= most {
        return None;
    }
    let mut advice = contradiction(
        format!("{} units are promised {sum} of {}", all.len(), facts.node.ram),
        sum.saturating_sub(most),
        format!("lower MemoryMin= until all together are below {}M", most.0 / 1024),
    );
    for (unit, size) in &all {
        advice.because(at(&unit.min), format!("{}: MemoryMin={size}", unit.name));
    }
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, text: &str) -> UnitLimits {
        let mut unit = UnitLimits { name: name.into(), ..UnitLimits::default() };
        let section = if name.ends_with(".slice") { "Slice" } else { "Service" };
        let text = format!("[{section}]\n{text}");
        unit.read(
            &format!("/etc/systemd/system/{name}"),
            &text,
            Kib::from_mib(1000),
            &mut Vec::new(),
        );
        unit
    }

    fn titles(units: Vec<UnitLimits>) -> Vec<(String, u64)> {
        let mut facts = Facts { units, ..Facts::default() };
        facts.node.ram = Kib::from_mib(1000);
        advise(&facts).into_iter().map(|a| (a.title.clone(), a.gives().0 / 1024)).collect()
    }

    #[test]
    fn a_high_above_the_max_is_never_reached() {
        let found = titles(alloc::vec![unit("x.service", "MemoryHigh=500M\nMemoryMax=300M\n")]);
        assert_eq!(
            found,
            [("MemoryHigh of x.service is 500 MiB, above its MemoryMax of 300 MiB".into(), 200)]
        );
    }

    #[test]
    fn a_child_cannot_have_more_than_its_slice() {
        let found = titles(alloc::vec![
            unit("limited.slice", "MemoryMax=800M\n"),
            unit("x.service", "Slice=limited.slice\nMemoryMax=900M\n"),
        ]);
        assert_eq!(found[0].1, 100);
        assert!(found[0].0.contains("its slice limited.slice only 800 MiB"));
    }

    #[test]
    fn a_slice_must_have_what_its_units_are_promised() {
        let found = titles(alloc::vec![
            unit("limited.slice", "MemoryMin=100M\n"),
            unit("a.service", "Slice=limited.slice\nMemoryMin=200M\n"),
            unit("b.service", "Slice=limited.slice\nMemoryMin=300M\n"),
        ]);
        assert_eq!(
            found,
            [(
                "MemoryMin of 2 units is 500 MiB, their slice limited.slice has 100 MiB".into(),
                400
            )]
        );
    }

    #[test]
    fn what_fits_together_is_not_mentioned() {
        let found = titles(alloc::vec![
            unit("limited.slice", "MemoryLow=300M\nMemoryMax=900M\n"),
            unit(
                "a.service",
                "Slice=limited.slice\nMemoryLow=300M\nMemoryHigh=500M\nMemoryMax=600M\n"
            ),
            unit("b.service", "MemoryMax=infinity\n"),
        ]);
        assert_eq!(found, []);
    }

    #[test]
    fn more_promises_than_ram_are_a_contradiction() {
        let found = titles(alloc::vec![unit("a.service", "MemoryMin=900M\n")]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, 100);
    }
}
