//! The steps that make the schema, in their order. One that was released is never changed.

/// Each brings the schema one form further.
pub(super) const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/1-core.sql"),
    include_str!("migrations/2-services.sql"),
    include_str!("migrations/3-mysql.sql"),
    include_str!("migrations/4-notify.sql"),
];
