//! The real agent on folders of the test's: asked, abused and killed.
#![cfg(test)]

mod abuse;
mod api;
mod crash;
mod document;
mod harness;
mod tls;
