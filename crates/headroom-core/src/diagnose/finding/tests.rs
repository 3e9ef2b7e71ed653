//! The order of findings, which no single finding's file decides.
