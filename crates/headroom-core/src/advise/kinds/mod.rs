//! The advices, a file each: facts in, and an advice when there is something to say.

mod calendar;
mod cron_overlaps_itself;
mod crons_overlap;
mod crons_same_minute;
mod fpm;
mod fpm_idle;
mod fpm_recycled;
mod hugepages;
mod image;
mod import;
mod jvm;
mod kernel;
mod limits;
mod mysql;
mod mysql_pool;
mod mysql_schema;
pub(super) mod mysql_sizes;
mod mysql_temp;
mod need;
mod node_js;
pub(super) mod plan;
mod redis;
mod slab;
mod staging;
mod swap;
mod tmpfs;
mod varnish;
mod vm;

use alloc::vec::Vec;

use super::{Advice, Facts};

/// One that looks at the facts.
type Adviser = fn(&Facts) -> Vec<Advice>;

/// All of them but the one about plans, which looks at the others' advices.
pub(super) const ALL: [Adviser; 24] = [
    mysql::advise,
    mysql_pool::advise,
    mysql_temp::advise,
    mysql_schema::advise,
    fpm::advise,
    fpm_idle::advise,
    fpm_recycled::advise,
    redis::advise,
    jvm::advise,
    varnish::advise,
    node_js::advise,
    tmpfs::advise,
    hugepages::advise,
    slab::advise,
    staging::advise,
    crons_overlap::advise,
    cron_overlaps_itself::advise,
    crons_same_minute::advise,
    import::advise,
    image::advise,
    swap::advise,
    vm::advise,
    kernel::advise,
    limits::advise,
];
