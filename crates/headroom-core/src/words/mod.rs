//! Every sentence said about an event, once: what prints chooses among them and never phrases.

pub mod explain;
pub mod finding;
pub mod release;
pub mod relief;
