//! Networks on a GPU: models, trainers and what can fail, by the stand-in for a device.
//!
//! The stand-in's settings and counts are the whole process's, so that tests run one after the other.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing helper is a failing test"
)]

#[path = "../common/mod.rs"]
mod common;

mod buffers;
mod cache;
mod children;
mod failures;
mod networks;
mod refusals;
mod results;
mod threads;
mod training;
