//! Convolutions by Winograd's algorithm on blocks of channels: each transform is of whole vectors.

use std::fmt;
use std::ops::Range;

use pulp::{Simd, WithSimd};
use xdnn_ir::Shape;

use super::super::super::channels::{Cut, Lane, Places, Tile, multiply};
use super::super::super::parallel::{Threads, even, jobs_on};
use super::super::super::simd::arch;
use super::super::winograd::{input, result};
use super::{Kernel, Needs, Operands, Result, Scratch};
use crate::ops::{self, CHANNELS, Direction, Layout, READ};

/// The most results of a tile along an axis.
const LARGEST: usize = 4;
/// The elements of a transformed tile.
const ELEMENTS: usize = READ * READ;
/// How many numbers the transformed tiles of a part may take, more or less.
const PART: usize = 1 << 18;
/// Fewer tiles in a part read the weights too often.
const FEWEST: usize = 48;

/// `y = Aᵀ·[Σ_c U_c ⊙ (Bᵀ·d_c·B)]·A` for all tiles.
pub(super) struct Winograd {
    op: ops::Winograd,
    /// Blocks of channels.
    inputs: usize,
    outputs: usize,
    /// The sizes of an image that is read, and of one that is written.
    from: [usize; 2],
    to: [usize; 2],
    batch: usize,
    /// The samples in a part, and the rows of tiles of each. Several samples only with all rows.
    samples: usize,
    rows: usize,
    /// What products at ±√½ and at ±√2 count for.
    scales: [f32; 2],
}

/// Some rows of tiles of some samples.
struct Part {
    samples: Range<usize>,
    rows: Range<usize>,
    columns: usize,
}

impl Part {
    /// The tiles of it.
    fn tiles(&self) -> usize {
        self.samples.len() * self.rows.len() * self.columns
    }
}

impl Winograd {
    pub(super) fn new(op: ops::Winograd, x: Shape, y: Shape) -> Self {
        let tiles = [2, 3].map(|axis| y.dim(axis).div_ceil(op.tile()));
        let [inputs, outputs] = [x.dim(1), y.dim(1)];
        let tile = ELEMENTS * CHANNELS * (inputs + outputs);
        let most = (PART / tile.max(1)).max(FEWEST);
        let rows = even(tiles[0], most / tiles[1].max(1));
        let samples = match rows == tiles[0] {
            true => even(x.dim(0), most / (tiles[0] * tiles[1]).max(1)),
            false => 1,
        };
        Self {
            op,
            inputs,
            outputs,
            from: [x.dim(2), x.dim(3)],
            to: [y.dim(2), y.dim(3)],
            batch: x.dim(0),
            samples,
            rows,
            scales: [1, 3].map(|k| op.scales()[k] as f32),
        }
    }

    fn parts(&self) -> impl Iterator<Item = Part> {
        let [height, columns] = self.to.map(|size| size.div_ceil(self.op.tile()));
        (0..self.batch)
            .step_by(self.samples)
            .flat_map(move |sample| {
                (0..height).step_by(self.rows).map(move |row| Part {
                    samples: sample..(sample + self.samples).min(self.batch),
                    rows: row..(row + self.rows).min(height),
                    columns,
                })
            })
    }

    /// The numbers that a block of channels of the largest part takes.
    fn room(&self) -> usize {
        let columns = self.to[1].div_ceil(self.op.tile());
        ELEMENTS * CHANNELS * self.samples * self.rows * columns
    }

    /// The products of one element of the kernels and of the tiles, of which there are `tiles`.
    fn products(&self, k: usize, tiles: usize, v: &[Lane], u: &[Lane], m: &mut [Lane]) {
        let cut = Cut::new(self.outputs, tiles);
        let rows = CHANNELS * self.inputs;
        let outputs = m.chunks_exact_mut(cut.blocks * tiles);
        for (m, weights) in outputs.zip(u.chunks_exact(cut.blocks * rows)) {
            for start in (0..tiles).step_by(cut.places) {
                let start = start.min(tiles - cut.places);
                let tile = Tile {
                    x: &v[k * tiles..],
                    stride: ELEMENTS * tiles,
                    blocks: self.inputs,
                    places: Places::From(start),
                    taps: 1,
                    weights,
                    cut,
                };
                multiply(tile, &mut m[start..], [tiles, 1]);
            }
        }
    }
}

impl Kernel for Winograd {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let (x, u) = (operands.read(0)?, operands.read(1)?);
        let ((x, _), (u, _)) = (x.as_chunks::<CHANNELS>(), u.as_chunks::<CHANNELS>());
        let matrix = CHANNELS * self.inputs * self.outputs;
        let (v, m) = scratch.shared.split_at_mut(self.inputs * self.room());
        let plane = self.to[0] * self.to[1];
        let plane_read = self.from[0] * self.from[1];
        for part in self.parts() {
            let tiles = part.tiles();
            let block = ELEMENTS * tiles * CHANNELS;
            let v = &mut v[..self.inputs * block];
            let m = &mut m[..self.outputs * block];
            let threads = Threads::for_work(v.len() * self.outputs * CHANNELS);
            jobs_on(threads, v, block, 4 * block, |i, v| {
                let (v, _) = v.as_chunks_mut();
                for (at, sample) in part.samples.clone().enumerate() {
                    let x = &x[(sample * self.inputs + i) * plane_read..][..plane_read];
                    let first = at * part.rows.len() * part.columns;
                    let job = Read {
                        kernel: self,
                        part: &part,
                        first,
                        tiles,
                        x,
                        v,
                    };
                    arch().dispatch(job);
                }
                Ok(())
            })?;
            let (v, _) = v.as_chunks();
            let product = self.outputs * tiles * CHANNELS;
            jobs_on(
                threads,
                m,
                product,
                product * CHANNELS * self.inputs,
                |k, m| {
                    let u = &u[k * matrix..][..matrix];
                    self.products(k, tiles, v, u, m.as_chunks_mut().0);
                    Ok(())
                },
            )?;
            let (m, _) = m.as_chunks();
            let image = self.outputs * plane * CHANNELS;
            let first = part.samples.start * image;
            let y = &mut output[first..part.samples.end * image];
            let [from, to] = [part.rows.start, part.rows.end]
                .map(|row| (self.op.tile() * row).min(self.to[0]) * self.to[1] * CHANNELS);
            jobs_on(
                threads,
                y,
                plane * CHANNELS,
                4 * plane * CHANNELS,
                |i, y| {
                    let (sample, output) = (i / self.outputs, i % self.outputs);
                    let m = &m[output * tiles..];
                    let tile = sample * part.rows.len() * part.columns;
                    let lanes = y.as_chunks_mut().0;
                    let stride = self.outputs * tiles;
                    let job = Write {
                        kernel: self,
                        part: &part,
                        first: tile,
                        stride,
                        m,
                        y: lanes,
                    };
                    arch().dispatch(job);
                    let start = first + i * plane * CHANNELS + from;
                    operands.finish.apply(operands, start, &mut y[from..to])
                },
            )?;
        }
        Ok(())
    }

    fn finishes(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: (self.inputs + self.outputs) * self.room(),
            lane: 0,
        }
    }

    fn layout(&self) -> Option<Layout> {
        let direction = match self.op.transposed {
            true => Direction::Backward,
            false => Direction::Forward,
        };
        Some(Layout::WinogradChannels(self.op.kernels, direction))
    }
}

/// Transforms the tiles of a sample and of a block of channels.
struct Read<'a> {
    kernel: &'a Winograd,
    part: &'a Part,
    /// The number of its first tile in the part, and how many there are in the part.
    first: usize,
    tiles: usize,
    x: &'a [Lane],
    v: &'a mut [Lane],
}

impl WithSimd for Read<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        const NOTHING: Lane = [0.0; CHANNELS];
        let Winograd { op, from, .. } = self.kernel;
        let [height, width] = *from;
        let mut tile = self.first;
        for row in self.part.rows.clone() {
            for column in 0..self.part.columns {
                let top = (op.tile() * row).wrapping_sub(op.padding[0]);
                let left = (op.tile() * column).wrapping_sub(op.padding[1]);
                let lines: [Option<&[Lane]>; READ] = std::array::from_fn(|i| {
                    let y = top.wrapping_add(i);
                    (y < height).then(|| &self.x[y * width..][..width])
                });
                let d: [[&Lane; READ]; READ] = lines.map(|line| match line {
                    Some(line) => {
                        std::array::from_fn(|j| line.get(left.wrapping_add(j)).unwrap_or(&NOTHING))
                    }
                    None => [&NOTHING; READ],
                });
                for at in (0..CHANNELS).step_by(S::F32_LANES) {
                    let load = |lane: &Lane| S::as_simd_f32s(&lane[at..at + S::F32_LANES]).0[0];
                    let mut rows = [[simd.splat_f32s(0.0); READ]; READ];
                    for j in 0..READ {
                        let column = [0, 1, 2, 3, 4, 5].map(|i: usize| load(d[i][j]));
                        for (row, value) in rows.iter_mut().zip(input(simd, column)) {
                            row[j] = value;
                        }
                    }
                    for (i, row) in rows.into_iter().enumerate() {
                        for (j, value) in input(simd, row).into_iter().enumerate() {
                            let lane = &mut self.v[(i * READ + j) * self.tiles + tile];
                            let lane = &mut lane[at..at + S::F32_LANES];
                            S::as_mut_simd_f32s(lane).0[0] = value;
                        }
                    }
                }
                tile += 1;
            }
        }
    }
}

/// Transforms the products of a sample and of a block of channels back.
struct Write<'a> {
    kernel: &'a Winograd,
    part: &'a Part,
    first: usize,
    /// The distance between the elements of a product.
    stride: usize,
    m: &'a [Lane],
    y: &'a mut [Lane],
}

impl WithSimd for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.kernel.op.tile() {
            4 => self.sized::<S, 4>(simd),
            _ => self.sized::<S, 2>(simd),
        }
    }
}

impl Write<'_> {
    #[inline(always)]
    fn sized<S: Simd, const TILE: usize>(self, simd: S) {
        let Winograd { to, scales, .. } = self.kernel;
        let [height, width] = *to;
        let mut tile = self.first;
        for row in self.part.rows.clone() {
            for column in 0..self.part.columns {
                let results: [[Lane; LARGEST]; LARGEST] = self.back::<S, TILE>(simd, *scales, tile);
                let (top, left) = (TILE * row, TILE * column);
                let count = TILE.min(width - left);
                for (i, line) in results.iter().enumerate().take(TILE.min(height - top)) {
                    let y = &mut self.y[(top + i) * width + left..][..count];
                    y.copy_from_slice(&line[..count]);
                }
                tile += 1;
            }
        }
    }

    /// `Aᵀ·m·A` of a tile.
    #[inline(always)]
    fn back<S: Simd, const TILE: usize>(
        &self,
        simd: S,
        scales: [f32; 2],
        tile: usize,
    ) -> [[Lane; LARGEST]; LARGEST] {
        let mut results = [[[0.0; CHANNELS]; LARGEST]; LARGEST];
        for at in (0..CHANNELS).step_by(S::F32_LANES) {
            let mut rows = [[simd.splat_f32s(0.0); READ]; TILE];
            for j in 0..READ {
                let column = [0, 1, 2, 3, 4, 5].map(|i: usize| {
                    let lane = &self.m[(i * READ + j) * self.stride + tile];
                    S::as_simd_f32s(&lane[at..at + S::F32_LANES]).0[0]
                });
                let values = result::<S, TILE>(simd, scales, column);
                for (row, value) in rows.iter_mut().zip(values) {
                    row[j] = value;
                }
            }
            for (i, row) in rows.into_iter().enumerate() {
                let values = result::<S, TILE>(simd, scales, row);
                for (j, value) in values.into_iter().enumerate() {
                    let lane = &mut results[i][j][at..at + S::F32_LANES];
                    S::as_mut_simd_f32s(lane).0[0] = value;
                }
            }
        }
        results
    }
}

impl fmt::Display for Winograd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [inputs, outputs] = [self.inputs, self.outputs].map(|blocks| CHANNELS * blocks);
        let ([h, w], [oh, ow]) = (self.from, self.to);
        write!(
            f,
            "winograd blocks of {inputs}→{outputs}, {h}×{w} → {oh}×{ow}"
        )
    }
}
