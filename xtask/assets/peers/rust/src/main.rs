//! candle and burn as peers of `cargo xtask bench-peers`: `peers PEER` answers commands, as `peers.py` does for the others.

mod burn;
mod candle;
mod network;
mod protocol;

use std::env;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    match env::args().nth(1).as_deref() {
        Some("candle") => protocol::serve(&candle::Candle),
        Some("burn") => protocol::serve(&burn::Burn::new()),
        peer => bail!("no peer {peer:?}"),
    }
}
