//! Convolutions by Winograd's algorithm: 36 products of matrices, some tiles at a time.

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};
use std::fmt;
use std::ops::Range;

use pulp::{Simd, WithSimd};
use xdnn_ir::Shape;

use super::super::parallel::{Threads, chunks_on, even, jobs_on};
use super::super::product::{self, Block, CHUNK, Left, Panels, Right, WIDEST};
use super::super::simd::{arch, lanes};
use super::{Kernel, Needs, Operands, Scratch};
use crate::error::Result;
use crate::ops::{self, READ, SIDE};

/// The most results of a tile along an axis.
const LARGEST: usize = 4;
/// Room for what a row of tiles of a panel reads.
const LINE: usize = LARGEST * (WIDEST + 1);
/// The elements of a transformed tile.
const ELEMENTS: usize = READ * READ;
/// How many numbers the transformed tiles of a block may take, more or less.
const BLOCK: usize = 1 << 18;
/// Fewer tiles in a block make products that are too narrow.
const FEWEST: usize = 64;
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
    /// What products at ±√½ and at ±√2 count for.
    scales: [f32; 2],
    /// How the tiles of a block are laid out.
    panels: Panels,
}

/// Some rows of tiles of some samples.
struct Part {
    samples: Range<usize>,
    rows: Range<usize>,
}

impl Winograd {
    pub(super) fn new(op: ops::Winograd, x: Shape, y: Shape) -> Self {
        let tiles = [2, 3].map(|axis| y.dim(axis).div_ceil(op.tile()));
        let channels = x.dim(1) + y.dim(1);
        let most = (BLOCK / (ELEMENTS * channels.max(1))).max(FEWEST);
        let rows = even(tiles[0], most / tiles[1].max(1));
        let samples = match rows == tiles[0] {
            true => even(x.dim(0), most / (tiles[0] * tiles[1]).max(1)),
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
            scales: [1, 3].map(|k| op.scales()[k] as f32),
            panels: Panels::new(samples * rows * tiles[1], lanes()),
        }
    }

    /// The tiles of a row.
    fn columns(&self) -> usize {
        self.to[1].div_ceil(self.op.tile())
    }

    fn blocks(&self) -> impl Iterator<Item = Part> {
        let samples = (0..self.batch).step_by(self.samples);
        samples.flat_map(move |sample| {
            let rows = self.to[0].div_ceil(self.op.tile());
            (0..rows).step_by(self.rows).map(move |row| Part {
                samples: sample..(sample + self.samples).min(self.batch),
                rows: row..(row + self.rows).min(rows),
            })
        })
    }

    /// How many channels are in a chunk of transformed tiles, and how many chunks there are.
    fn chunks(&self) -> (usize, usize) {
        let channels = self.inputs.next_multiple_of(SIDE).min(CHUNK);
        (channels, self.inputs.div_ceil(channels))
    }

    /// How many numbers a chunk of a panel takes: a line more, for the sake of the cache.
    fn chunk(&self) -> usize {
        let widest = self.panels.iter().map(|panel| panel.len()).max();
        ELEMENTS * self.chunks().0 * widest.unwrap_or_default() + 16
    }

    /// How many numbers the transformed tiles of a block take.
    fn room(&self) -> usize {
        self.panels.count() * self.chunks().1 * self.chunk()
    }

    /// Transforms the tiles of a panel for a chunk of channels: for each element a row of each channel.
    #[inline(always)]
    fn read<S: Simd, const TILE: usize>(&self, simd: S, from: &Source<'_>, v: &mut [f32]) {
        let (channels, width) = (self.chunks().0, from.panel.len());
        let plane = self.from[0] * self.from[1];
        let mut tiles = [0.0; ELEMENTS * WIDEST];
        let tiles = &mut tiles[..ELEMENTS * width];
        for c in 0..channels {
            let v = &mut v[c * width..];
            let channel = from.first + c;
            if channel >= self.inputs {
                let rows = v.chunks_mut(channels * width).take(ELEMENTS);
                rows.for_each(|row| row[..width].fill(0.0));
                continue;
            }
            for run in from.block.runs(from.panel.clone(), self.columns()) {
                let x = &from.x[(run.sample * self.inputs + channel) * plane..][..plane];
                for i in 0..READ {
                    let mut line = [0.0; LINE];
                    self.line(TILE * run.row + i, TILE * run.tile, x, &mut line);
                    let (line, _) = line.as_chunks::<TILE>();
                    for (j, row) in tiles[i * READ * width..]
                        .chunks_mut(width)
                        .take(READ)
                        .enumerate()
                    {
                        let row = &mut row[run.place.clone()];
                        for (tile, x) in row.iter_mut().zip(&line[j / TILE..]) {
                            *tile = x[j % TILE];
                        }
                    }
                }
            }
            transform(simd, tiles, width, v, channels * width);
        }
    }

    /// A part of a padded row of an image.
    #[inline(always)]
    fn line(&self, row: usize, start: usize, x: &[f32], line: &mut [f32]) {
        let [height, columns] = self.from;
        let [above, left] = self.op.padding;
        let Some(row) = row.checked_sub(above).filter(|row| *row < height) else {
            return;
        };
        let skipped = left.saturating_sub(start).min(line.len());
        let from = (start + skipped).saturating_sub(left).min(columns);
        let x = &x[row * columns..][from..columns];
        let count = x.len().min(line.len() - skipped);
        line[skipped..skipped + count].copy_from_slice(&x[..count]);
    }

    /// The results of some output channels, as rows of one element of a tile each.
    fn multiply(&self, u: &[Block], first: usize, v: &[f32], m: &mut [f32]) {
        let (arch, width) = (arch(), self.panels.width());
        let [rows, columns] = self.op.kernels.blocks();
        let (strides, start) = match self.op.transposed {
            true => ([1, columns], first / SIDE),
            false => ([columns, 1], first / SIDE * columns),
        };
        for k in 0..ELEMENTS {
            let a = Left {
                blocks: &u[self.op.element(k) * rows * columns + start..],
                rows: m.len() / (ELEMENTS * width),
                depth: self.inputs.div_ceil(SIDE),
                strides,
                row_major: self.op.transposed,
            };
            let ((channels, count), chunk) = (self.chunks(), self.chunk());
            for (panel, v) in self.panels.iter().zip(v.chunks_exact(count * chunk)) {
                let b = Right {
                    rows: &v[k * channels * panel.len()..],
                    width: panel.len(),
                    stride: chunk,
                };
                let m = &mut m[k * width + panel.start..];
                product::multiply(a, b, m, ELEMENTS * width, arch);
            }
        }
    }

    /// Transforms the results of an output channel back, and puts those of a sample where they belong.
    #[inline(always)]
    fn write<S: Simd, const TILE: usize>(
        &self,
        simd: S,
        block: &Part,
        sample: usize,
        m: &[f32],
        y: &mut [f32],
    ) {
        let (width, [_, columns]) = (self.panels.width(), self.to);
        let all = self.columns();
        let mut tiles = [0.0; LARGEST * LARGEST * WIDEST];
        for (i, row) in block.rows.clone().enumerate() {
            for start in (0..all).step_by(WIDEST) {
                let count = (all - start).min(WIDEST);
                let place = (sample * block.rows.len() + i) * all + start;
                let scales = self.scales;
                transform_back::<S, TILE>(simd, scales, &m[place..], width, count, &mut tiles);
                let lines = y.chunks_exact_mut(columns).skip(TILE * row).take(TILE);
                for (line, y) in lines.enumerate() {
                    let (whole, rest) = y[TILE * start..].as_chunks_mut::<TILE>();
                    for (j, tiles) in tiles[line * TILE * WIDEST..]
                        .chunks(WIDEST)
                        .take(TILE)
                        .enumerate()
                    {
                        for (y, tile) in whole.iter_mut().zip(&tiles[..count]) {
                            y[j] = *tile;
                        }
                        if let (true, Some(y)) = (whole.len() < count, rest.get_mut(j)) {
                            *y = tiles[count - 1];
                        }
                    }
                }
            }
        }
    }
}

/// What is read into a chunk: the tiles of a panel of a block, for some channels from `first` on.
struct Source<'a> {
    block: &'a Part,
    panel: Range<usize>,
    first: usize,
    x: &'a [f32],
}

/// A part of a row of tiles: the first of them, and their columns in a panel.
struct Run {
    sample: usize,
    row: usize,
    tile: usize,
    place: Range<usize>,
}

impl Part {
    /// The rows of tiles of which a panel has some, of `columns` tiles each.
    fn runs(&self, panel: Range<usize>, columns: usize) -> impl Iterator<Item = Run> {
        let rows = self.rows.len();
        let end = panel.end.min(self.samples.len() * rows * columns);
        let places = panel.start / columns..end.div_ceil(columns);
        places.map(move |place| {
            let start = panel.start.max(place * columns);
            let end = end.min((place + 1) * columns);
            Run {
                sample: self.samples.start + place / rows,
                row: self.rows.start + place % rows,
                tile: start - place * columns,
                place: start - panel.start..end - panel.start,
            }
        })
    }
}

impl Kernel for Winograd {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let (x, u) = (operands.read(0)?, operands.read(1)?);
        let (u, _) = u.as_chunks();
        let (arch, width) = (arch(), self.panels.width());
        let (v, rest) = scratch.shared.split_at_mut(self.room());
        let m = &mut rest[..ELEMENTS * self.outputs * width];
        let work = ELEMENTS * width * self.inputs;
        let threads = Threads::for_work(work * self.outputs);
        let share = self.outputs.div_ceil(rayon::current_num_threads());
        let share = share.min(OUTPUTS).next_multiple_of(SIDE);
        let plane = self.to[0] * self.to[1];
        for block in self.blocks() {
            let ((channels, count), chunk) = (self.chunks(), self.chunk());
            chunks_on(threads, v, chunk, 8 * chunk, |i, v| {
                let from = Source {
                    block: &block,
                    panel: self.panels.columns(i / count),
                    first: i % count * channels,
                    x,
                };
                arch.dispatch(Read {
                    kernel: self,
                    from,
                    v,
                });
            });
            let v = &*v;
            let part = ELEMENTS * width;
            chunks_on(threads, m, share * part, share * work, |i, m| {
                self.multiply(u, i * share, v, m);
            });
            let m = &*m;
            let samples = block.samples.clone();
            let image = self.outputs * plane;
            let y = &mut output[samples.start * image..samples.end * image];
            let first = block.samples.start * image;
            let [from, to] =
                [block.rows.start, block.rows.end].map(|row| self.op.tile() * row * self.to[1]);
            let written = from..to.min(plane);
            jobs_on(threads, y, plane, 4 * plane, |i, y| {
                let (sample, channel) = (i / self.outputs, i % self.outputs);
                arch.dispatch(Write {
                    kernel: self,
                    block: &block,
                    sample,
                    m: &m[channel * part..][..part],
                    y,
                });
                let y = &mut y[written.clone()];
                operands.finish.apply(operands, first + i * plane + from, y)
            })?;
        }
        Ok(())
    }

    fn finishes(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: self.room() + ELEMENTS * self.outputs * self.panels.width(),
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

/// [`Winograd::read`] with the instructions of this machine.
struct Read<'a> {
    kernel: &'a Winograd,
    from: Source<'a>,
    v: &'a mut [f32],
}

impl WithSimd for Read<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.kernel.op.tile() {
            4 => self.kernel.read::<S, 4>(simd, &self.from, self.v),
            _ => self.kernel.read::<S, 2>(simd, &self.from, self.v),
        }
    }
}

/// [`Winograd::write`] with the instructions of this machine.
struct Write<'a> {
    kernel: &'a Winograd,
    block: &'a Part,
    sample: usize,
    m: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            kernel,
            block,
            sample,
            m,
            y,
        } = self;
        match kernel.op.tile() {
            4 => kernel.write::<S, 4>(simd, block, sample, m, y),
            _ => kernel.write::<S, 2>(simd, block, sample, m, y),
        }
    }
}

/// `Bᵀ·d·B` of tiles `d`, which are rows of one element each; elements of the result are `stride` apart.
#[inline(always)]
fn transform<S: Simd>(simd: S, d: &[f32], width: usize, v: &mut [f32], stride: usize) {
    for at in (0..width).step_by(S::F32_LANES) {
        let mut rows = [[simd.splat_f32s(0.0); READ]; READ];
        for j in 0..READ {
            let mut column = [simd.splat_f32s(0.0); READ];
            for (i, value) in column.iter_mut().enumerate() {
                let d = &d[(i * READ + j) * width + at..][..S::F32_LANES];
                *value = S::as_simd_f32s(d).0[0];
            }
            for (row, value) in rows.iter_mut().zip(input(simd, column)) {
                row[j] = value;
            }
        }
        for (i, row) in rows.into_iter().enumerate() {
            for (j, value) in input(simd, row).into_iter().enumerate() {
                let v = &mut v[(i * READ + j) * stride + at..][..S::F32_LANES];
                S::as_mut_simd_f32s(v).0[0] = value;
            }
        }
    }
}

/// `Aᵀ·m·A` of `count` products, which are rows of one element each, as rows of results.
#[inline(always)]
fn transform_back<S: Simd, const TILE: usize>(
    simd: S,
    scales: [f32; 2],
    m: &[f32],
    width: usize,
    count: usize,
    y: &mut [f32],
) {
    for at in (0..count).step_by(S::F32_LANES) {
        let mut rows = [[simd.splat_f32s(0.0); READ]; TILE];
        for j in 0..READ {
            let mut column = [simd.splat_f32s(0.0); READ];
            for (i, value) in column.iter_mut().enumerate() {
                let m = &m[(i * READ + j) * width + at..];
                *value = match S::as_simd_f32s(m).0 {
                    [value, ..] => *value,
                    [] => simd.partial_load_f32s(m),
                };
            }
            for (row, value) in rows.iter_mut().zip(result::<S, TILE>(simd, scales, column)) {
                row[j] = value;
            }
        }
        for (i, row) in rows.into_iter().enumerate() {
            for (j, value) in result::<S, TILE>(simd, scales, row).into_iter().enumerate() {
                let y = &mut y[(i * TILE + j) * WIDEST + at..][..S::F32_LANES];
                S::as_mut_simd_f32s(y).0[0] = value;
            }
        }
    }
}

/// `Bᵀ·d`
#[inline(always)]
pub(super) fn input<S: Simd>(simd: S, d: [S::f32s; READ]) -> [S::f32s; READ] {
    let even = simd.sub_f32s(times(simd, 2.0, d[2]), d[4]);
    let odd = plus(simd, times(simd, B, d[1]), -A, d[3]);
    let far_even = plus(simd, times(simd, 0.5, d[4]), -0.25, d[2]);
    let far_odd = plus(simd, times(simd, A, d[3]), -0.5 * A, d[1]);
    [
        plus(simd, simd.add_f32s(d[0], d[4]), -2.5, d[2]),
        simd.add_f32s(even, odd),
        simd.sub_f32s(even, odd),
        simd.add_f32s(far_even, far_odd),
        simd.sub_f32s(far_even, far_odd),
        plus(simd, simd.add_f32s(d[1], d[5]), -2.5, d[3]),
    ]
}

/// `Aᵀ·m`
#[inline(always)]
pub(super) fn result<S: Simd, const TILE: usize>(
    simd: S,
    [near, far]: [f32; 2],
    m: [S::f32s; READ],
) -> [S::f32s; TILE] {
    let (even, odd) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (far_even, far_odd) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    let mut y = [simd.splat_f32s(0.0); TILE];
    y[0] = plus(simd, plus(simd, m[0], near, even), far, far_even);
    y[1] = plus(simd, times(simd, near * A, odd), far * B, far_odd);
    if TILE == LARGEST {
        y[2] = plus(simd, times(simd, far * 2.0, far_even), near * 0.5, even);
        y[3] = plus(
            simd,
            times(simd, near * 0.5 * A, odd),
            far * 2.0 * B,
            far_odd,
        );
    }
    y[TILE - 1] = simd.add_f32s(y[TILE - 1], m[5]);
    y
}

/// `a·x`
#[inline(always)]
fn times<S: Simd>(simd: S, a: f32, x: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.splat_f32s(a), x)
}

/// `y + a·x`
#[inline(always)]
fn plus<S: Simd>(simd: S, y: S::f32s, a: f32, x: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(a), x, y)
}
