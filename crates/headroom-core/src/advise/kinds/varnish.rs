//! `varnish-storage-too-large`: a cache in memory that does not fit, overhead included.

use alloc::format;
use alloc::vec::Vec;

use crate::advise::facts::Facts;
use crate::advise::room::{Room, Service, worth};
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let found = || {
        let storage = facts.varnish.as_ref()?;
        let room = Room::of(facts, Service::Varnish);
        let is_unbounded = storage.value.0 == u64::MAX;
        // About a kibibyte of each object comes on top (varnishd(1)); a fifth in the mean.
        let whole = if is_unbounded { facts.node.ram } else { storage.value.percent(120) };
        let fitting = Kib((room.left.0 * 100 / 120).min(facts.node.ram.percent(25).0));
        let fitting = Kib((fitting.0 / Kib::from_mib(32).0).max(2) * Kib::from_mib(32).0);
        let cut = whole.saturating_sub(fitting.percent(120));
        if whole <= room.left || !worth(facts, cut) {
            return None;
        }
        let mut advice = Advice::of(Kind::VarnishStorageTooLarge);
        let size = if is_unbounded { "no limit".into() } else { format!("{}", storage.value) };
        advice.title = format!("Varnish's storage ({size}) does not fit beside the rest");
        let what = format!("-s malloc: {size}, and a fifth for its objects' heads: {whole}");
        advice.because(storage.at.clone(), what);
        advice.because("room", format!("{}: {}", room.left, room.why));
        advice.cuts_peak = Some(cut);
        advice.confidence = Confidence::Medium;
        advice.risk = Risk::Medium;
        advice.command =
            format!("systemctl edit varnish: in ExecStart -s malloc,{}m", fitting.0 / 1024);
        advice.check = "varnishstat: MAIN.n_lru_nuked grows slowly".into();
        Some(advice)
    };
    found().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::parse::Said;

    fn facts(storage: Kib) -> Facts {
        let mut facts =
            Facts { varnish: Some(Said::new(storage, "varnish.service:9")), ..Facts::default() };
        facts.node.ram = Kib::from_mib(2048);
        facts
    }

    #[test]
    fn a_storage_beyond_the_room_is_cut() {
        let advice = advise(&facts(Kib::from_mib(3072))).remove(0);
        let cut = Kib::from_mib(3072).percent(120).saturating_sub(Kib::from_mib(512).percent(120));
        assert_eq!(advice.cuts_peak, Some(cut));
        assert!(advice.command.contains("malloc,512m"));
        assert!(!advise(&facts(Kib(u64::MAX))).is_empty());
        assert_eq!(advise(&facts(Kib::from_mib(256))), []);
    }
}
