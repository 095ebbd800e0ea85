//! Convolutions of 3×3 windows by Winograd's algorithm: 36 products of matrices, some tiles at a time.

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};
use std::fmt;
use std::ops::{Add, Mul, Range, Sub};

use pulp::Arch;
use xdnn_ir::Shape;

use super::super::gemm::{Matrix, MatrixMut, gemm};
use super::super::parallel::{Threads, chunks_on, jobs_on};
use super::super::strided;
use super::{Kernel, Needs, Operands, Scratch};
use crate::error::Result;
use crate::ops::{self, READ, TILE};

/// The elements of a transformed tile.
const ELEMENTS: usize = READ * READ;
/// How many numbers the transformed tiles of a block may take, more or less.
const BLOCK: usize = 1 << 20;
/// Fewer tiles in a block make products that are too narrow.
const TILES: usize = 48;
/// How many output channels a job computes.
const OUTPUTS: usize = 64;

/// `y = Aᵀ·[Σ_c U_c ⊙ (Bᵀ·d_c·B)]·A` for all tiles.
pub(super) struct Winograd {
    op: ops::Winograd,
    inputs: usize,
    outputs: usize,
    /// The sizes of an image that is read, and of one that is written.
    from: [usize; 2],
    to: [usize; 2],
    batch: usize,
    /// The samples in a block, and the rows of tiles of each. Several samples only with all rows.
    samples: usize,
    rows: usize,
}

/// Some rows of tiles of some samples.
struct Block {
    samples: Range<usize>,
    rows: Range<usize>,
}

impl Winograd {
    pub(super) fn new(op: ops::Winograd, x: Shape, y: Shape) -> Self {
        let tiles = [y.dim(2).div_ceil(TILE), y.dim(3).div_ceil(TILE)];
        let channels = x.dim(1) + y.dim(1);
        let most = (BLOCK / (ELEMENTS * channels.max(1))).max(TILES);
        let rows = (most / tiles[1].max(1)).clamp(1, tiles[0].max(1));
        let samples = match rows == tiles[0] {
            true => (most / (tiles[0] * tiles[1]).max(1)).clamp(1, x.dim(0).max(1)),
            false => 1,
        };
        Self {
            op,
            inputs: x.dim(1),
            outputs: y.dim(1),
            from: [x.dim(2), x.dim(3)],
            to: [y.dim(2), y.dim(3)],
            batch: x.dim(0),
            samples,
            rows,
        }
    }

    fn tiles(&self) -> [usize; 2] {
        self.to.map(|size| size.div_ceil(TILE))
    }

    /// The room for the tiles of a block, in whole vectors.
    fn width(&self) -> usize {
        (self.samples * self.rows * self.tiles()[1]).next_multiple_of(LANES)
    }

    fn blocks(&self) -> impl Iterator<Item = Block> {
        let samples = (0..self.batch).step_by(self.samples);
        samples.flat_map(move |sample| {
            let rows = self.tiles()[0];
            (0..rows).step_by(self.rows).map(move |row| Block {
                samples: sample..(sample + self.samples).min(self.batch),
                rows: row..(row + self.rows).min(rows),
            })
        })
    }

    /// The tiles of channel `c`, transformed: 36 rows of one element each.
    fn read(&self, block: &Block, c: usize, x: &[f32], tiles: &mut [f32], arch: Arch) {
        let width = self.width();
        let [height, columns] = self.from;
        tiles.fill(0.0);
        for (i, (sample, row)) in block.places().enumerate() {
            let plane = &x[(sample * self.inputs + c) * height * columns..][..height * columns];
            let start = i * self.tiles()[1];
            for (k, part) in tiles.chunks_exact_mut(width).enumerate() {
                let part = &mut part[start..][..self.tiles()[1]];
                let y = (TILE * row + k / READ).checked_sub(self.op.padding[0]);
                if let Some(y) = y.filter(|y| *y < height) {
                    self.row(k % READ, &plane[y * columns..][..columns], part);
                }
            }
        }
        arch.dispatch(
            #[inline(always)]
            || transform(tiles, width),
        );
    }

    /// Element `j` of each tile that lies in a row of the image.
    fn row(&self, j: usize, row: &[f32], tiles: &mut [f32]) {
        let padding = self.op.padding[1];
        let first = padding.saturating_sub(j).div_ceil(TILE);
        let end = (row.len() + padding).saturating_sub(j).div_ceil(TILE);
        let end = end.min(tiles.len());
        if first < end {
            let from = TILE * first + j - padding;
            strided::read(&mut tiles[first..end], &row[from..], TILE, |tile, x| {
                *tile = x;
            });
        }
    }

    /// The results of some output channels, as rows of one element of a 4×4 tile each, before the rows that are not needed.
    fn multiply(
        &self,
        u: &[f32],
        first: usize,
        v: &[f32],
        m: &mut [f32],
        arch: Arch,
    ) -> Result<()> {
        let width = self.width();
        let outputs = m.len() / (ELEMENTS * width);
        for k in 0..ELEMENTS {
            let u = &u[self.op.matrix(k) * self.outputs * self.inputs..];
            let u = match self.op.transposed {
                true => Matrix::rows(&u[first..], self.outputs).transposed(),
                false => Matrix::rows(&u[first * self.inputs..], self.inputs),
            };
            let v = Matrix::rows(&v[k * width..], ELEMENTS * width);
            let target = MatrixMut {
                data: &mut m[k * width..],
                row: ELEMENTS * width,
                accumulate: false,
            };
            let size = [outputs, width, self.inputs];
            gemm(size, target, u, v, Threads::One)?;
        }
        for tiles in m.chunks_exact_mut(ELEMENTS * width) {
            arch.dispatch(
                #[inline(always)]
                || transform_back(tiles, width),
            );
        }
        Ok(())
    }

    /// Puts the results of an output channel of a sample where they belong.
    fn write(&self, block: &Block, sample: usize, tiles: &[f32], y: &mut [f32]) {
        let (width, [_, columns]) = (self.width(), self.to);
        for (i, row) in block.rows.clone().enumerate() {
            let start = (sample * block.rows.len() + i) * self.tiles()[1];
            let lines = y.chunks_exact_mut(columns).skip(TILE * row).take(TILE);
            for (line, y) in lines.enumerate() {
                for j in 0..TILE.min(columns) {
                    let count = (columns - j).div_ceil(TILE);
                    let tiles = &tiles[(line * TILE + j) * width + start..][..count];
                    strided::write(&mut y[j..], TILE, tiles, |y, tile| *y = tile);
                }
            }
        }
    }
}

impl Block {
    /// The sample and the row of each row of tiles.
    fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        let samples = self.samples.clone();
        samples.flat_map(|sample| self.rows.clone().map(move |row| (sample, row)))
    }
}

impl Kernel for Winograd {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let (x, u) = (operands.read(0)?, operands.read(1)?);
        let (arch, width) = (Arch::new(), self.width());
        let (v, rest) = scratch.shared.split_at_mut(ELEMENTS * self.inputs * width);
        let m = &mut rest[..ELEMENTS * self.outputs * width];
        let work = ELEMENTS * width * self.inputs;
        let threads = Threads::for_work(work * self.outputs);
        let share = self.outputs.div_ceil(rayon::current_num_threads());
        let share = share.clamp(1, OUTPUTS);
        let plane = self.to[0] * self.to[1];
        for block in self.blocks() {
            chunks_on(
                threads,
                v,
                ELEMENTS * width,
                8 * ELEMENTS * width,
                |c, v| {
                    self.read(&block, c, x, v, arch);
                },
            );
            let v = &*v;
            jobs_on(
                threads,
                m,
                share * ELEMENTS * width,
                share * work,
                |i, m| self.multiply(u, i * share, v, m, arch),
            )?;
            let m = &*m;
            let samples = block.samples.clone();
            let image = self.outputs * plane;
            let y = &mut output[samples.start * image..samples.end * image];
            chunks_on(threads, y, plane, 4 * plane, |i, y| {
                let (sample, channel) = (i / self.outputs, i % self.outputs);
                let tiles = &m[channel * ELEMENTS * width..][..ELEMENTS * width];
                self.write(&block, sample, tiles, y);
            });
        }
        Ok(())
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: ELEMENTS * (self.inputs + self.outputs) * self.width(),
            lane: 0,
        }
    }
}

impl fmt::Display for Winograd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inputs, outputs, [h, w], [oh, ow]) = (self.inputs, self.outputs, self.from, self.to);
        write!(f, "winograd {inputs}→{outputs}, {h}×{w} → {oh}×{ow}")
    }
}

/// How many tiles are transformed side by side.
const LANES: usize = 8;

/// The same element of several tiles.
#[derive(Clone, Copy)]
struct Lanes([f32; LANES]);

impl Lanes {
    #[inline(always)]
    fn load(row: &[f32], at: usize) -> Self {
        let mut lanes = [0.0; LANES];
        lanes.copy_from_slice(&row[at..at + LANES]);
        Self(lanes)
    }

    #[inline(always)]
    fn store(self, row: &mut [f32], at: usize) {
        row[at..at + LANES].copy_from_slice(&self.0);
    }
}

macro_rules! elementwise {
    ($($trait:ident $method:ident $op:tt;)*) => {$(
        impl $trait for Lanes {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] $op other.0[i]))
            }
        }
    )*};
}

elementwise! {
    Add add +;
    Sub sub -;
}

impl Mul<Lanes> for f32 {
    type Output = Lanes;

    #[inline(always)]
    fn mul(self, lanes: Lanes) -> Lanes {
        Lanes(lanes.0.map(|x| self * x))
    }
}

/// `Bᵀ·d`
#[inline(always)]
fn input(d: [Lanes; READ]) -> [Lanes; READ] {
    let (even, odd) = (2.0 * d[2] - d[4], B * d[1] - A * d[3]);
    let (far_even, far_odd) = (0.5 * d[4] - 0.25 * d[2], A * d[3] - 0.5 * A * d[1]);
    [
        d[0] - 2.5 * d[2] + d[4],
        even + odd,
        even - odd,
        far_even + far_odd,
        far_even - far_odd,
        d[1] - 2.5 * d[3] + d[5],
    ]
}

/// `Aᵀ·m`
#[inline(always)]
fn result(m: [Lanes; READ]) -> [Lanes; TILE] {
    let (even, odd) = (m[1] + m[2], m[1] - m[2]);
    let (far_even, far_odd) = (m[3] + m[4], m[3] - m[4]);
    [
        m[0] + even + far_even,
        A * odd + B * far_odd,
        0.5 * even + 2.0 * far_even,
        0.5 * A * odd + 2.0 * B * far_odd + m[5],
    ]
}

/// `Bᵀ·d·B` of each tile, in place; `tiles` holds rows of `width`, one for each element.
#[inline(always)]
fn transform(tiles: &mut [f32], width: usize) {
    for at in (0..width).step_by(LANES) {
        let mut columns = [[Lanes([0.0; LANES]); READ]; READ];
        for (j, column) in columns.iter_mut().enumerate() {
            *column = input(std::array::from_fn(|i| {
                Lanes::load(tiles, (i * READ + j) * width + at)
            }));
        }
        for i in 0..READ {
            let row = input(std::array::from_fn(|j| columns[j][i]));
            for (j, lanes) in row.into_iter().enumerate() {
                lanes.store(tiles, (i * READ + j) * width + at);
            }
        }
    }
}

/// `Aᵀ·m·A` of each tile, in place: the first 16 rows.
#[inline(always)]
fn transform_back(tiles: &mut [f32], width: usize) {
    for at in (0..width).step_by(LANES) {
        let mut columns = [[Lanes([0.0; LANES]); TILE]; READ];
        for (j, column) in columns.iter_mut().enumerate() {
            *column = result(std::array::from_fn(|i| {
                Lanes::load(tiles, (i * READ + j) * width + at)
            }));
        }
        for i in 0..TILE {
            let row = result(std::array::from_fn(|j| columns[j][i]));
            for (j, lanes) in row.into_iter().enumerate() {
                lanes.store(tiles, (i * TILE + j) * width + at);
            }
        }
    }
}
