//! What the tests of graphs share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::result_large_err,
    reason = "each test binary uses a part; a failing helper is a failing test, and none needs to be fast"
)]

pub mod derivative;
pub mod network;
pub mod numbers;
pub mod random_network;
pub mod random_structure;
pub mod run;
