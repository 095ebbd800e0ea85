//! Dividing work among threads.

use rayon::prelude::*;

use super::kernel::Scratch;
use crate::error::Result;

/// The number of simple operations that is worth a thread's attention.
pub(super) const GRAIN: usize = 1 << 15;

/// Whether a kernel may use several threads, or is itself one of several jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    /// Only the one that it runs on.
    One,
    /// All of rayon's pool.
    All,
}

impl Threads {
    /// One thread where there is little to do.
    pub(super) fn for_work(work: usize) -> Self {
        if work < 2 * GRAIN || rayon::current_num_threads() == 1 {
            Self::One
        } else {
            Self::All
        }
    }

    /// The share of a thread of `size`.
    pub(super) fn share(self, size: usize) -> usize {
        match self {
            Self::One => size,
            Self::All => size.div_ceil(rayon::current_num_threads()),
        }
    }
}

/// The size of equal parts of `size`, as few as there can be of at most `limit`.
pub(super) fn even(size: usize, limit: usize) -> usize {
    let parts = size.div_ceil(limit.max(1)).max(1);
    size.div_ceil(parts).max(1)
}

/// Calls `each(i, chunk)` for each chunk of `size` elements of `output`, the last one of which may be shorter. `work` is
/// the number of simple operations a chunk.
pub(super) fn chunks(
    output: &mut [f32],
    size: usize,
    work: usize,
    each: impl Fn(usize, &mut [f32]) + Sync,
) {
    let total = output.len().div_ceil(size.max(1)).saturating_mul(work);
    chunks_on(Threads::for_work(total), output, size, work, each);
}

/// [`chunks`] on the threads that it is told to use.
pub(super) fn chunks_on(
    threads: Threads,
    output: &mut [f32],
    size: usize,
    work: usize,
    each: impl Fn(usize, &mut [f32]) + Sync,
) {
    let size = size.max(1);
    match threads {
        Threads::One => output
            .chunks_mut(size)
            .enumerate()
            .for_each(|(i, chunk)| each(i, chunk)),
        Threads::All => output
            .par_chunks_mut(size)
            .with_min_len(GRAIN.div_ceil(work.max(1)))
            .enumerate()
            .for_each(|(i, chunk)| each(i, chunk)),
    }
}

/// [`chunks_on`] where a chunk can fail.
pub(super) fn jobs_on(
    threads: Threads,
    output: &mut [f32],
    size: usize,
    work: usize,
    each: impl Fn(usize, &mut [f32]) -> Result<()> + Sync,
) -> Result<()> {
    let size = size.max(1);
    match threads {
        Threads::One => output
            .chunks_mut(size)
            .enumerate()
            .try_for_each(|(i, chunk)| each(i, chunk)),
        Threads::All => output
            .par_chunks_mut(size)
            .with_min_len(GRAIN.div_ceil(work.max(1)))
            .enumerate()
            .try_for_each(|(i, chunk)| each(i, chunk)),
    }
}

/// Calls `each(i, chunk, lane)` for each chunk of `size` elements of `output`. Each lane of the scratch memory serves
/// one thread, which takes as many consecutive chunks as any other.
pub(super) fn lanes_on(
    threads: Threads,
    output: &mut [f32],
    size: usize,
    scratch: Scratch<'_>,
    each: impl Fn(usize, &mut [f32], &mut [f32]) -> Result<()> + Sync,
) -> Result<()> {
    let (size, lane) = (size.max(1), scratch.lane.max(1));
    let lanes = match threads {
        Threads::One => 1,
        Threads::All => (scratch.lanes.len() / lane).max(1),
    };
    let share = output.len().div_ceil(size).div_ceil(lanes).max(1);
    let serve = |(i, chunks): (usize, &mut [f32]), lane: &mut [f32]| {
        chunks
            .chunks_mut(size)
            .enumerate()
            .try_for_each(|(j, chunk)| each(i * share + j, chunk, lane))
    };
    if lanes == 1 {
        return serve((0, output), scratch.lanes);
    }
    output
        .par_chunks_mut(share * size)
        .enumerate()
        .zip(scratch.lanes.par_chunks_exact_mut(lane))
        .try_for_each(|(chunks, lane)| serve(chunks, lane))
}
