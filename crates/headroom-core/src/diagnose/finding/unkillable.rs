//! Memory that no kill could give back, because its owners may not be killed.

use super::{Confidence, Finding, Kind, Suspect, View, weighed, weight};
use crate::diagnose::group::Role;
use crate::words::finding as words;

/// A single protected process that is no service: somebody wrapped a job, and the job took everything.
pub(super) fn hog(view: &View<'_>) -> Option<Suspect> {
    let facts = view.facts;
    let unkillable = facts.holders.iter().filter(|holder| holder.unkillable);
    let holder = unkillable.filter(|h| h.role == Role::Job).max_by_key(|h| h.rss)?;
    // Where nothing says how much there was, the last one alive is not thereby a hog.
    (facts.capacity.is_some() && facts.part(holder.rss) >= 0.3).then(|| {
        let finding =
            Finding::new(Kind::UnkillableShare, Confidence::High, words::hog(holder, facts))
                .about(&holder.group)
                .seen(&[facts.event.evidence.table])
                .advise(words::hog_advice());
        // It weighs more than the same process as a runaway: that it could not be killed is the point.
        Suspect { finding, weight: weighed(holder.held(), 2 * weight::JOB) }
    })
}

/// Much of everything was held by whoever may not be killed.
pub(super) fn share(view: &View<'_>) -> Option<Finding> {
    let facts = view.facts;
    let largest = facts.holders.iter().find(|holder| holder.unkillable);
    let known = facts.capacity.is_some();
    (known && facts.part(facts.unkillable) >= 0.5).then(|| {
        let finding =
            Finding::new(Kind::UnkillableShare, Confidence::High, words::unkillable(facts))
                .seen(&[facts.event.evidence.table])
                .advise(words::unkillable_advice());
        match largest {
            Some(holder) => finding.about(&holder.group),
            None => finding,
        }
    })
}
