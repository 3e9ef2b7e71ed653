//! What Headroom's programs say to each other and to scripts: wire types, the journal's records,
//! framing, exit codes and the places on disk.
//!
//! The types of the core are not serializable on purpose: what is decided by may change freely,
//! what scripts lean on may not.

pub mod advise;
pub mod agent;
pub mod exit;
pub mod explain;
pub mod frame;
pub mod guard;
pub mod history;
pub mod journal;
pub mod notice;
pub mod paths;
pub mod policy;
pub mod protect;
pub mod release;
pub mod replay;
pub mod service;
pub mod settings;
pub mod setup;
pub mod status;
pub mod time;
pub mod tokens;
pub mod trial;
