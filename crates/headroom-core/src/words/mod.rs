//! Every sentence said about an event, once: what prints chooses among them and never phrases.

pub mod explain;
pub mod finding;
pub mod notice;
pub mod release;
pub mod relief;
pub mod replay;
