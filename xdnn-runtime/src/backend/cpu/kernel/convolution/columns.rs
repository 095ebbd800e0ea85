//! Unrolled inputs: one row for each input channel and tap, one column for each window.

use std::ops::Range;

use super::super::super::gemm::Matrix;
use super::super::super::parallel::{Threads, chunks_on};
use super::super::super::strided;
use super::geometry::{Geometry, Tile};

/// A part of a row of a tile that belongs to one sample.
struct Part {
    sample: usize,
    columns: Range<usize>,
    /// Where it is in what is asked for.
    place: Range<usize>,
}

impl Tile {
    /// The parts of some of its columns; those beyond its width have none.
    fn parts(&self, columns: Range<usize>) -> impl Iterator<Item = Part> {
        let (size, first) = (self.columns.len().max(1), self.columns.start);
        let end = columns.end.min(self.width());
        let samples = columns.start / size..end.div_ceil(size);
        samples.map(move |i| {
            let part = columns.start.max(i * size)..end.min((i + 1) * size);
            Part {
                sample: self.samples.start + i,
                columns: first + part.start - i * size..first + part.end - i * size,
                place: part.start - columns.start..part.end - columns.start,
            }
        })
    }
}

impl Geometry {
    /// Some columns of a row of the unrolled input; what is beyond the tile is 0.
    pub(super) fn unroll(
        &self,
        tile: &Tile,
        group: usize,
        row: usize,
        columns: Range<usize>,
        x: &[f32],
        unrolled: &mut [f32],
    ) {
        let (taps, plane, step) = (
            self.windows.taps(),
            self.windows.inputs(),
            self.windows.step(),
        );
        let (channel, tap) = (row / taps, row % taps);
        if columns.end > tile.width() || !self.windows.covers(tap) {
            unrolled.fill(0.0);
        }
        for part in tile.parts(columns) {
            let x = &x[self.input(part.sample, group) + channel * plane..][..plane];
            let unrolled = &mut unrolled[part.place];
            self.windows.runs(tap, part.columns, |run| {
                let unrolled = &mut unrolled[run.outputs()];
                strided::read(unrolled, &x[run.input..], step, |y, x| *y = x);
            });
        }
    }

    /// Some columns of a row of the output, one for each channel; what is beyond the tile is 0.
    pub(super) fn gather(
        &self,
        tile: &Tile,
        group: usize,
        channel: usize,
        columns: Range<usize>,
        y: &[f32],
        row: &mut [f32],
    ) {
        if columns.end > tile.width() {
            row.fill(0.0);
        }
        for part in tile.parts(columns) {
            let start = self.output(part.sample, group) + channel * self.windows.outputs();
            row[part.place].copy_from_slice(&y[start..][part.columns]);
        }
    }

    /// Adds the unrolled rows of a tile to the input: the transpose of [`Geometry::unroll`]. `x` starts at the group's first
    /// plane of the tile's first sample.
    pub(super) fn roll(&self, tile: &Tile, unrolled: &[f32], x: &mut [f32], threads: Threads) {
        let (taps, plane, step) = (
            self.windows.taps(),
            self.windows.inputs(),
            self.windows.step(),
        );
        let (width, columns) = (tile.width(), tile.columns.len());
        chunks_on(threads, x, plane, columns * taps, |i, x| {
            let (sample, channel) = (i / self.inputs, i % self.inputs);
            for tap in 0..taps {
                let start = (channel * taps + tap) * width + sample * columns;
                let g = &unrolled[start..][..columns];
                self.windows.runs(tap, tile.columns.clone(), |run| {
                    let g = &g[run.outputs()];
                    strided::write(&mut x[run.input..], step, g, |x, g| *x += g);
                });
            }
        });
    }

    /// A tile of the output as a matrix of one row for each channel; `staged` takes the elements that are not so already.
    pub(super) fn stage<'a>(
        &self,
        tile: &Tile,
        group: usize,
        y: &'a [f32],
        staged: &'a mut [f32],
    ) -> Matrix<'a> {
        let plane = self.windows.outputs();
        if self.samples == 1 {
            let start = self.output(tile.samples.start, group) + tile.columns.start;
            return Matrix::rows(y.get(start..).unwrap_or_default(), plane);
        }
        let staged = &mut staged[..self.outputs * tile.width()];
        let parts = staged.chunks_exact_mut(plane.max(1)).enumerate();
        let samples = tile.samples.len().max(1);
        for (i, part) in parts {
            let (channel, sample) = (i / samples, tile.samples.start + i % samples);
            part.copy_from_slice(&y[self.output(sample, group) + channel * plane..][..plane]);
        }
        Matrix::rows(staged, tile.width())
    }

    /// Copies a tile of several samples, of one row for each channel, to the output, which starts at its first sample.
    pub(super) fn unstage(&self, tile: &Tile, staged: &[f32], y: &mut [f32]) {
        let plane = self.windows.outputs();
        let samples = tile.samples.len().max(1);
        let parts = staged[..self.outputs * tile.width()].chunks_exact(plane.max(1));
        for (i, part) in parts.enumerate() {
            let (channel, sample) = (i / samples, i % samples);
            y[(sample * self.outputs + channel) * plane..][..plane].copy_from_slice(part);
        }
    }
}
