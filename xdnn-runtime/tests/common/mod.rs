//! What the tests of graphs share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test binary uses a part; a failing helper is a failing test"
)]

pub mod derivative;
pub mod network;
pub mod numbers;
pub mod random_network;
pub mod run;
