//! What the machine can do at most: products of matrices, and reading.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use anyhow::Result;

use super::peers::{CANDLE, PYTORCH, Peers};

/// Those that multiply matrices for it, and by what: candle by the crate `gemm`.
pub const PRODUCTS: [(&str, &str); 2] = [(PYTORCH, "torch.mm"), (CANDLE, "gemm")];

/// `f32`s of the array that is read, 256 MiB: many times a cache.
const LENGTH: usize = 64 << 20;
const PASSES: usize = 8;
/// Sums that do not wait for each other.
const LANES: usize = 64;

/// With a number of threads.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling {
    pub threads: usize,
    /// GFLOP/s of products of square matrices, the best of PyTorch's and the crate `gemm`'s.
    pub product: f64,
    pub by: &'static str,
    /// GB/s of summing.
    pub reading: f64,
}

impl Ceiling {
    pub fn measure(peers: &mut Peers) -> Result<Self> {
        let (mut product, mut by) = (0.0, "");
        for (peer, name) in PRODUCTS {
            let rate: f64 = peers.get(peer)?.ask("product")?.parse()?;
            if rate > product {
                (product, by) = (rate, name);
            }
        }
        Ok(Self {
            threads: peers.threads,
            product,
            by,
            reading: reading(peers.threads),
        })
    }
}

fn reading(threads: usize) -> f64 {
    let array = vec![1.0_f32; LENGTH];
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let start = Instant::now();
        thread::scope(|scope| {
            for part in array.chunks(LENGTH.div_ceil(threads)) {
                scope.spawn(|| black_box(sum(part)));
            }
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    1e-9 * (4 * LENGTH) as f64 / best
}

fn sum(values: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    sums.iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_sum_misses_nothing() {
        assert_eq!(super::sum(&[1.0; 1000]), 1000.0);
    }
}
