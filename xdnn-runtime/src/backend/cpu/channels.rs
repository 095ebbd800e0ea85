//! Sums of products where a vector holds output channels: what convolutions of values in blocks of channels, and products of
//! matrices, are made of.

use pulp::{Simd, WithSimd};

use super::simd::{arch, lanes};
use crate::ops::CHANNELS;

/// The channels of a block at one place.
pub(super) type Lane = [f32; CHANNELS];

/// No place: what is read there is 0.
pub(super) const NOWHERE: u32 = u32::MAX;

/// The most lanes of a tile: blocks of outputs times places.
pub(super) const MOST: usize = 24;

/// How many products of a line are added up before the next sum begins.
const CHAIN: usize = 16;

/// How tiles are cut: so many blocks of outputs, and so many places, that there are registers for all sums.
///
/// The more even the two are, the fewer numbers are read for each product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub blocks: usize,
    pub places: usize,
}

impl Cut {
    /// For each thread to have blocks of its own, where there are as many and not as many samples.
    pub(super) fn shared(blocks: usize, places: usize, samples: usize) -> Self {
        let threads = rayon::current_num_threads().div_ceil(samples.max(1));
        let mut jobs = threads.min(blocks)..=blocks;
        let jobs = jobs.find(|jobs| *jobs > 0 && blocks.is_multiple_of(*jobs));
        Self::new(blocks / jobs.unwrap_or(1), places)
    }

    /// For so many blocks of outputs and places in all. Tiles are no larger than that.
    pub(super) fn new(blocks: usize, places: usize) -> Self {
        let (blocks, vectors, sizes): (_, _, &[usize]) = match lanes() {
            CHANNELS if blocks.is_multiple_of(4) => (4, 1, &[6, 5, 4, 3, 2, 1]),
            CHANNELS if blocks.is_multiple_of(2) => (2, 1, &[12, 10, 8, 6, 5, 4, 3, 2, 1]),
            CHANNELS => (1, 1, &[12, 10, 8, 6, 5, 4, 3, 2, 1]),
            lanes => (1, CHANNELS / lanes, &[6, 5, 4, 3, 2, 1]),
        };
        // Fewer sums than these wait for one another, and each tile costs a little besides.
        let work = |size: usize| places.div_ceil(size) * ((blocks * vectors * size).max(8) + 1);
        let fits = sizes.iter().copied().filter(|size| *size <= places);
        let places = fits.min_by_key(|size| work(*size)).unwrap_or(1);
        Self { blocks, places }
    }
}

/// A tile of sums: `cut.places` places of `cut.blocks` blocks of output channels.
pub(super) trait Sums {
    fn cut(&self) -> Cut;

    /// Adds everything to the sums of `P` places and of `B` blocks of outputs of `V` vectors each.
    fn add<S: Simd, const P: usize, const B: usize, const V: usize>(
        &self,
        simd: S,
        sums: &mut [[[S::f32s; V]; P]; B],
    );
}

/// Where a tile reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Places<'a> {
    /// At consecutive places from this one on.
    From(usize),
    /// For each tap at these places, [`NOWHERE`] for none.
    Table(&'a [u32]),
}

/// `y[b, p] = Σ x[c, place(tap, p)] · w[b, tap, c]` for the places of a tile and some blocks of output channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile<'a> {
    /// The blocks of input channels, each of them a plane of lanes.
    pub x: &'a [Lane],
    /// The distance between blocks, and how many there are.
    pub stride: usize,
    pub blocks: usize,
    pub places: Places<'a>,
    pub taps: usize,
    /// For each block of outputs in turn a row of output channels for each tap and input channel.
    pub weights: &'a [Lane],
    pub cut: Cut,
}

/// `y[b, p] = Σ x[start + lines[l] + step · p + i] · w[b, l, i]`: windows over an image whose channels are side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows<'a> {
    pub x: &'a [f32],
    /// Where the first window starts, and how far the next is from it.
    pub start: usize,
    pub step: usize,
    /// Where the lines of a window are, and how long.
    pub lines: &'a [usize],
    pub length: usize,
    /// For each block of outputs in turn a row of output channels for each number of each line.
    pub weights: &'a [Lane],
    pub cut: Cut,
}

/// Computes a tile. The sums of a block of outputs are `strides[0]` lanes from those of the block before, and those of a place
/// `strides[1]`.
pub(super) fn multiply(tile: impl Sums, y: &mut [Lane], strides: [usize; 2]) {
    arch().dispatch(Multiply { tile, y, strides });
}

struct Multiply<'y, T> {
    tile: T,
    y: &'y mut [Lane],
    strides: [usize; 2],
}

impl<T: Sums> WithSimd for Multiply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (S::F32_LANES, self.tile.cut().blocks) {
            (16, 4) => self.few::<S, 4, 1>(simd),
            (16, 2) => self.many::<S, 2, 1>(simd),
            (16, _) => self.many::<S, 1, 1>(simd),
            (8, _) => self.few::<S, 1, 2>(simd),
            (4, _) => self.few::<S, 1, 4>(simd),
            _ => self.few::<S, 1, CHANNELS>(simd),
        }
    }
}

impl<T: Sums> Multiply<'_, T> {
    #[inline(always)]
    fn many<S: Simd, const B: usize, const V: usize>(self, simd: S) {
        match self.tile.cut().places {
            12 => self.sums::<S, 12, B, V>(simd),
            10 => self.sums::<S, 10, B, V>(simd),
            8 => self.sums::<S, 8, B, V>(simd),
            _ => self.few::<S, B, V>(simd),
        }
    }

    #[inline(always)]
    fn few<S: Simd, const B: usize, const V: usize>(self, simd: S) {
        match self.tile.cut().places {
            6 => self.sums::<S, 6, B, V>(simd),
            5 => self.sums::<S, 5, B, V>(simd),
            4 => self.sums::<S, 4, B, V>(simd),
            3 => self.sums::<S, 3, B, V>(simd),
            2 => self.sums::<S, 2, B, V>(simd),
            _ => self.sums::<S, 1, B, V>(simd),
        }
    }

    #[inline(always)]
    fn sums<S: Simd, const P: usize, const B: usize, const V: usize>(self, simd: S) {
        let mut sums = [[[simd.splat_f32s(0.0); V]; P]; B];
        self.tile.add(simd, &mut sums);
        for (block, sums) in sums.iter().enumerate() {
            for (place, vectors) in sums.iter().enumerate() {
                let y = &mut self.y[block * self.strides[0] + place * self.strides[1]];
                S::as_mut_simd_f32s(y).0.copy_from_slice(vectors);
            }
        }
    }
}

impl Sums for Tile<'_> {
    fn cut(&self) -> Cut {
        self.cut
    }

    #[inline(always)]
    fn add<S: Simd, const P: usize, const B: usize, const V: usize>(
        &self,
        simd: S,
        sums: &mut [[[S::f32s; V]; P]; B],
    ) {
        const NOTHING: Lane = [0.0; CHANNELS];
        let (weights, _) = self.weights.as_chunks::<CHANNELS>();
        for tap in 0..self.taps {
            let (first, scattered) = match self.places {
                Places::From(first) => (first, None),
                Places::Table(table) => {
                    let places = &table[tap * P..][..P];
                    if places.iter().all(|place| *place == NOWHERE) {
                        continue;
                    }
                    let first = places[0];
                    let consecutive = (0..)
                        .zip(places)
                        .all(|(i, at)| *at == first.wrapping_add(i));
                    let consecutive = consecutive && first != NOWHERE;
                    (first as usize, (!consecutive).then_some(places))
                }
            };
            for block in 0..self.blocks {
                let x = &self.x[block * self.stride..];
                let w: [&[Lane; CHANNELS]; B] =
                    std::array::from_fn(|b| &weights[(b * self.taps + tap) * self.blocks + block]);
                match scattered {
                    None => {
                        let x = &x[first..first + P];
                        add(simd, sums, w, |place, i| x[place][i]);
                    }
                    Some(places) => {
                        let x: [&Lane; P] = std::array::from_fn(|i| match places[i] {
                            NOWHERE => &NOTHING,
                            place => &x[place as usize],
                        });
                        add(simd, sums, w, |place, i| x[place][i]);
                    }
                }
            }
        }
    }
}

impl Sums for Windows<'_> {
    fn cut(&self) -> Cut {
        self.cut
    }

    #[inline(always)]
    fn add<S: Simd, const P: usize, const B: usize, const V: usize>(
        &self,
        simd: S,
        sums: &mut [[[S::f32s; V]; P]; B],
    ) {
        let length = self.length;
        for (line, at) in self.lines.iter().enumerate() {
            let first = self.start + at;
            let x: [&[f32]; P] =
                std::array::from_fn(|place| &self.x[first + place * self.step..][..length]);
            let w: [&[Lane]; B] = std::array::from_fn(|b| {
                &self.weights[(b * self.lines.len() + line) * length..][..length]
            });
            if length <= CHAIN {
                for i in 0..length {
                    add_one(simd, sums, w.map(|w| &w[i]), &|place| x[place][i]);
                }
                continue;
            }
            for start in (0..length).step_by(CHAIN) {
                let mut part = [[[simd.splat_f32s(0.0); V]; P]; B];
                for i in start..length.min(start + CHAIN) {
                    add_one(simd, &mut part, w.map(|w| &w[i]), &|place| x[place][i]);
                }
                let sums = sums.as_flattened_mut().as_flattened_mut();
                let part = part.as_flattened().as_flattened();
                for (sum, part) in sums.iter_mut().zip(part) {
                    *sum = simd.add_f32s(*sum, *part);
                }
            }
        }
    }
}

/// Adds the products of a block of input channels.
#[inline(always)]
fn add<S: Simd, const P: usize, const B: usize, const V: usize>(
    simd: S,
    sums: &mut [[[S::f32s; V]; P]; B],
    weights: [&[Lane; CHANNELS]; B],
    x: impl Fn(usize, usize) -> f32,
) {
    let mut one = |i: usize| add_one(simd, sums, weights.map(|w| &w[i]), &|place| x(place, i));
    for four in 0..CHANNELS / 4 {
        one(4 * four);
        one(4 * four + 1);
        one(4 * four + 2);
        one(4 * four + 3);
    }
}

/// Adds the products of an input channel. What is not inlined here costs a call for each product.
#[inline(always)]
fn add_one<S: Simd, const P: usize, const B: usize, const V: usize>(
    simd: S,
    sums: &mut [[[S::f32s; V]; P]; B],
    weights: [&Lane; B],
    x: &impl Fn(usize) -> f32,
) {
    let mut rows = [[simd.splat_f32s(0.0); V]; B];
    for (row, weights) in rows.iter_mut().zip(weights) {
        row.copy_from_slice(&S::as_simd_f32s(weights).0[..V]);
    }
    for place in 0..P {
        let factor = simd.splat_f32s(x(place));
        for (sums, row) in sums.iter_mut().zip(&rows) {
            for (sum, w) in sums[place].iter_mut().zip(row) {
                *sum = simd.mul_add_e_f32s(factor, *w, *sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pulp::{Scalar, Scalar128b, Scalar256b, Scalar512b};

    use super::*;

    /// Small whole numbers, whose sums are exact.
    fn number(i: usize) -> f32 {
        (i * 7919 % 13) as f32 - 6.0
    }

    fn lanes(count: usize, seed: usize) -> Vec<Lane> {
        (0..count)
            .map(|at| std::array::from_fn(|i| number(seed + at * CHANNELS + i)))
            .collect()
    }

    fn check<S: Simd>(simd: S, cut: Cut, consecutive: bool) {
        let (stride, blocks, taps) = (17, 2, 3);
        let x = lanes(stride * blocks, 1);
        let rows = taps * blocks * CHANNELS;
        let weights = lanes(cut.blocks * rows, 2);
        let size = cut.places;
        let table: Vec<u32> = (0..taps * size)
            .map(|i| match (consecutive, i / size, i % 5) {
                (true, ..) => (i % size + i / size) as u32,
                (false, 1, _) | (_, _, 3) => NOWHERE, // a whole tap, and some places
                _ => (i * 7 % stride) as u32,
            })
            .collect();
        let tile = Tile {
            x: &x,
            stride,
            blocks,
            places: Places::Table(&table),
            taps,
            weights: &weights,
            cut,
        };
        let apart = size + 3;
        let mut y = vec![[f32::NAN; CHANNELS]; cut.blocks * apart];
        let job = Multiply {
            tile,
            y: &mut y,
            strides: [apart, 1],
        };
        job.with_simd(simd);
        for (b, y) in y.chunks(apart).enumerate() {
            for (place, lane) in y.iter().enumerate() {
                if place >= size {
                    assert!(lane.iter().all(|y| y.is_nan()), "too much is written");
                    continue;
                }
                for (o, y) in lane.iter().enumerate() {
                    let mut expected = 0.0;
                    for tap in 0..taps {
                        let at = table[tap * size + place];
                        for c in (0..blocks * CHANNELS).filter(|_| at != NOWHERE) {
                            let x = x[c / CHANNELS * stride + at as usize][c % CHANNELS];
                            expected += x * weights[b * rows + tap * blocks * CHANNELS + c][o];
                        }
                    }
                    assert_eq!(*y, expected, "place {place} of {size}, channel {o}");
                }
            }
        }
    }

    fn check_windows<S: Simd>(simd: S, cut: Cut, length: usize) {
        let (step, start, lines) = (3, 2, [0, length + 5]);
        let size = start + lines[1] + step * cut.places + length;
        let x: Vec<f32> = (0..size).map(number).collect();
        let weights = lanes(cut.blocks * lines.len() * length, 2);
        let windows = Windows {
            x: &x,
            start,
            step,
            lines: &lines,
            length,
            weights: &weights,
            cut,
        };
        // A place after the other, each with all its blocks, and one lane more.
        let apart = cut.blocks + 1;
        let mut y = vec![[f32::NAN; CHANNELS]; cut.places * apart];
        let job = Multiply {
            tile: windows,
            y: &mut y,
            strides: [1, apart],
        };
        job.with_simd(simd);
        for (place, y) in y.chunks(apart).enumerate() {
            for (b, lane) in y.iter().enumerate() {
                if b == cut.blocks {
                    assert!(lane.iter().all(|y| y.is_nan()), "too much is written");
                    continue;
                }
                for (o, y) in lane.iter().enumerate() {
                    let mut expected = 0.0;
                    for (line, at) in lines.iter().enumerate() {
                        for i in 0..length {
                            let w = weights[(b * lines.len() + line) * length + i][o];
                            expected += x[start + at + step * place + i] * w;
                        }
                    }
                    assert_eq!(*y, expected, "place {place}, block {b}, channel {o}");
                }
            }
        }
    }

    /// Calls `each` with the tiles that there are with vectors of 16 numbers, and of fewer.
    fn cuts(mut wide: impl FnMut(Cut), mut narrow: impl FnMut(Cut)) {
        for places in [1, 2, 3, 4, 5, 6, 8, 10, 12] {
            for blocks in [1, 2, 4] {
                if places <= MOST / blocks {
                    wide(Cut { blocks, places });
                }
            }
            if places <= 6 {
                narrow(Cut { blocks: 1, places });
            }
        }
    }

    #[test]
    fn tiles_of_every_size_with_vectors_of_every_size() {
        for consecutive in [false, true] {
            let narrow = |cut| {
                check(Scalar, cut, consecutive);
                check(Scalar128b, cut, consecutive);
                check(Scalar256b, cut, consecutive);
            };
            cuts(|cut| check(Scalar512b, cut, consecutive), narrow);
        }
    }

    #[test]
    fn windows_of_every_size_with_vectors_of_every_size() {
        for length in [1, CHAIN, 2 * CHAIN + 3] {
            let narrow = |cut| {
                check_windows(Scalar, cut, length);
                check_windows(Scalar128b, cut, length);
                check_windows(Scalar256b, cut, length);
            };
            cuts(|cut| check_windows(Scalar512b, cut, length), narrow);
        }
    }

    #[test]
    fn tiles_are_no_larger_than_what_they_tile() {
        for blocks in 1..9 {
            for places in 1..200 {
                let cut = Cut::new(blocks, places);
                assert!(cut.places <= places && blocks.is_multiple_of(cut.blocks));
                assert!(cut.places * cut.blocks <= MOST);
            }
        }
    }
}
