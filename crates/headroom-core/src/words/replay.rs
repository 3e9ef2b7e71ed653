//! What is said about a replay, above all of what it cannot know.

/// What holds for every replay.
pub const LIMITS: [&str; 5] = [
    "from the first difference on the record no longer says what would have happened: processes take \
     what they took in the record when they had run as long, one that is paused holds what it has, one \
     that is slain returns it",
    "stall, refaults and the kernel's kills stay as they were recorded",
    "classes are those of the record: the rules of the policy are not asked again",
    "only the largest processes of each sample are known: a swarm of small ones is not",
    "what jobs took before the record begins is not known: the replay learns it anew",
];

/// One that was slain in the record lives on.
pub const BEYOND: &str = "processes that the record saw slain live longer here: they are taken to go on as \
                          others of their kind did that ended, or to grow on where there was none";

/// More was held than there was.
pub const RAN_OUT: &str = "memory runs out in the replay: there the kernel would have killed, which is not \
                           part of it";

/// The zones do not fit.
pub const OTHER_ZONES: &str = "the record has another number of zones than the policy: those that it does \
                               not have are taken not to exist";
