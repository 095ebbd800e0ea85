//! Unrolled inputs: one row for each input channel and tap, one column for each window.

use std::ops::Range;

use super::super::super::gemm::Matrix;
use super::super::super::parallel::{Threads, chunks_on};
use super::super::super::strided;
use super::geometry::{Geometry, Tile};

impl Geometry {
    /// Unrolls rows of the input for a tile.
    pub(super) fn unroll(
        &self,
        tile: &Tile,
        group: usize,
        rows: Range<usize>,
        x: &[f32],
        unrolled: &mut [f32],
        threads: Threads,
    ) {
        let (taps, plane, step) = (
            self.windows.taps(),
            self.windows.inputs(),
            self.windows.step(),
        );
        let width = tile.width();
        let unrolled = &mut unrolled[..rows.len() * width];
        chunks_on(threads, unrolled, width, width, |i, row| {
            let (channel, tap) = ((rows.start + i) / taps, (rows.start + i) % taps);
            let padded = !self.windows.covers(tap);
            let parts = row.chunks_exact_mut(tile.columns.len().max(1));
            for (sample, part) in tile.samples.clone().zip(parts) {
                let x = &x[self.input(sample, group) + channel * plane..][..plane];
                if padded {
                    part.fill(0.0);
                }
                self.windows.runs(tap, tile.columns.clone(), |run| {
                    let part = &mut part[run.outputs()];
                    strided::read(part, &x[run.input..], step, |y, x| *y = x);
                });
            }
        });
    }

    /// Adds unrolled rows of a tile to the input: the transpose of [`Geometry::unroll`]. `x` starts at the group's first
    /// plane of the tile's first sample.
    pub(super) fn roll(
        &self,
        tile: &Tile,
        rows: Range<usize>,
        unrolled: &[f32],
        x: &mut [f32],
        threads: Threads,
    ) {
        let (taps, plane, step) = (
            self.windows.taps(),
            self.windows.inputs(),
            self.windows.step(),
        );
        let (width, columns) = (tile.width(), tile.columns.len());
        let channels = rows.start / taps..rows.end.div_ceil(taps);
        for sample in 0..tile.samples.len() {
            let start = (sample * self.inputs + channels.start) * plane;
            let x = &mut x[start..start + channels.len() * plane];
            chunks_on(threads, x, plane, columns * taps, |i, x| {
                let first = (channels.start + i) * taps;
                for row in first.max(rows.start)..(first + taps).min(rows.end) {
                    let g = &unrolled[(row - rows.start) * width + sample * columns..][..columns];
                    self.windows.runs(row - first, tile.columns.clone(), |run| {
                        let g = &g[run.outputs()];
                        strided::write(&mut x[run.input..], step, g, |x, g| *x += g);
                    });
                }
            });
        }
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
