//! Messages about incidents: mail, webhooks, a command, the system's journal.
//!
//! `desk` makes notices of what the guard recorded and the kernel reported (`track` remembers an
//! incident while it lasts, `write` writes it down), `queue` keeps them until they are delivered,
//! `deliver` sends them by a `channel`, within limits and after failures again (`gather`, `backoff`).
//! A channel is a file.

mod api;
mod backoff;
mod channel;
mod command;
mod config;
mod deliver;
mod desk;
mod frame;
mod gather;
mod html;
mod journal;
mod kernel;
mod mail;
mod program;
mod queue;
mod receipt;
mod secret;
mod sendmail;
mod sign;
mod slack;
mod smtp;
mod start;
#[cfg(test)]
mod tests;
mod text;
mod track;
mod trust;
mod webhook;
mod write;

pub(crate) use api::routes;
pub(crate) use config::Config;
pub(crate) use start::start;
