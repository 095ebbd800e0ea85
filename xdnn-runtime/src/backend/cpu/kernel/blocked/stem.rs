//! Convolutions between an image of a few channels and values in blocks, such as the first one of a network, and their input
//! gradients.
//!
//! The image lies in memory with its channels side by side and its padding around it. Then a line of a window, all channels of its
//! taps in a row, is one piece of memory.

use std::fmt;
use std::ops::Range;

use super::super::super::channels::{Cut, Lane, Places, Tile, Windows, multiply};
use super::super::super::parallel::{Threads, chunks_on, jobs_on, lanes_on};
use super::super::super::simd::vectorised;
use super::{Kernel, Needs, Operands, Result, Scratch};
use crate::ops::{self, CHANNELS, Channels, Direction, Layout, Volumes};

/// How many numbers of the output are finished at a time, more or less.
const NEAR: usize = 1 << 14;

/// An image and the windows over it.
struct Image {
    channels: usize,
    size: [usize; 2],
    padding: [usize; 2],
    /// How many rows of it windows read, and of how many numbers each.
    rows: usize,
    row: usize,
    windows: [usize; 2],
    stride: [usize; 2],
    /// The row and the first number of each line of a window, and the length of all of them.
    lines: Vec<[usize; 2]>,
    length: usize,
}

impl Image {
    fn new(op: &ops::Convolution, v: &Volumes) -> Self {
        let pair = |of: [usize; 3]| [of[1], of[2]];
        let [stride, padding, dilation] = [op.stride, op.padding, op.dilation].map(pair);
        let [size, windows, kernel] = [v.x, v.y, v.w].map(|volume| pair(volume.size));
        let channels = v.x.channels;
        let extent =
            |i: usize| (windows[i].max(1) - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1;
        // Taps that are not beside one another are lines of their own.
        let pieces = if dilation[1] == 1 { 1 } else { kernel[1] };
        let lines = (0..kernel[0]).flat_map(|row| {
            (0..pieces).map(move |tap| [row * dilation[0], tap * dilation[1] * channels])
        });
        Self {
            channels,
            size,
            padding,
            rows: extent(0),
            row: extent(1) * channels,
            windows,
            stride,
            lines: lines.collect(),
            length: kernel[1] / pieces * channels,
        }
    }

    fn numbers(&self) -> usize {
        self.rows * self.row
    }

    /// The distance between windows beside one another.
    fn step(&self) -> usize {
        self.stride[1] * self.channels
    }

    /// Where the image is in a row of itself with its padding.
    fn inside(&self, row: usize) -> Option<(usize, Range<usize>)> {
        let line = row.checked_sub(self.padding[0])?;
        let end = (self.row / self.channels).min(self.padding[1] + self.size[1]);
        (line < self.size[0] && self.padding[1] < end).then_some((line, self.padding[1]..end))
    }

    /// From planes.
    fn gather(&self, planes: &[f32], image: &mut [f32], threads: Threads) {
        let [height, width] = self.size;
        chunks_on(threads, image, self.row, 2 * self.row, |i, row| {
            row.fill(0.0);
            let Some((line, places)) = self.inside(i) else {
                return;
            };
            for (channel, plane) in planes.chunks_exact(height * width).enumerate() {
                let x = &plane[line * width..][..width];
                let row = &mut row[places.start * self.channels + channel..];
                let row = row.iter_mut().step_by(self.channels);
                row.zip(&x[..places.len()])
                    .for_each(|(to, from)| *to = *from);
            }
        });
    }

    /// Line `line` of a plane. What no window reads is 0.
    fn scatter(&self, image: &[f32], channel: usize, line: usize, x: &mut [f32]) {
        x.fill(0.0);
        let row = line + self.padding[0];
        if let Some((_, places)) = self.inside(row).filter(|_| row < self.rows) {
            let row = &image[row * self.row..][..self.row];
            let row = row[places.start * self.channels + channel..].iter();
            let row = row.step_by(self.channels);
            x[..places.len()]
                .iter_mut()
                .zip(row)
                .for_each(|(to, from)| *to = *from);
        }
    }
}

/// From an image to blocks.
pub(super) struct Stem {
    image: Image,
    /// Blocks of output channels.
    outputs: usize,
    weight: Channels,
    cut: Cut,
    /// Where the lines of a window start.
    starts: Vec<usize>,
}

impl Stem {
    pub(super) fn new(op: &ops::Convolution, volumes: Volumes) -> Self {
        let image = Image::new(op, &volumes);
        let outputs = volumes.y.channels / CHANNELS;
        let starts = image.lines.iter();
        Self {
            outputs,
            weight: volumes.kernels(),
            cut: Cut::shared(outputs, image.windows[1], 1),
            starts: starts.map(|[row, at]| row * image.row + at).collect(),
            image,
        }
    }
}

impl Stem {
    /// Some rows of some blocks of outputs; `y` starts at the first of these rows.
    fn rows(&self, x: &[f32], weights: &[Lane], rows: Range<usize>, y: &mut [f32]) {
        let Self { image, cut, .. } = self;
        let [height, width] = image.windows;
        let (lanes, _) = y.as_chunks_mut::<CHANNELS>();
        for (i, row) in rows.enumerate() {
            for left in (0..width).step_by(cut.places) {
                let left = left.min(width - cut.places);
                let tile = Windows {
                    x,
                    start: row * image.stride[0] * image.row + left * image.step(),
                    step: image.step(),
                    lines: &self.starts,
                    length: image.length,
                    weights,
                    cut: *cut,
                };
                multiply(tile, &mut lanes[i * width + left..], [height * width, 1]);
            }
        }
    }
}

impl Kernel for Stem {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let (x, (w, _)) = (operands.read(0)?, operands.read(1)?.as_chunks::<CHANNELS>());
        let Self { image, cut, .. } = self;
        let [height, width] = image.windows;
        let (row, kernel) = (width * CHANNELS, image.length * image.lines.len());
        let plane = height * row;
        let threads = Threads::for_work(output.len() * kernel);
        let band = (NEAR / row).max(1);
        let job = cut.blocks * plane;
        let samples = x.chunks_exact(image.channels * image.size[0] * image.size[1]);
        let outputs = output.chunks_exact_mut(self.outputs * plane);
        for (sample, (x, y)) in samples.zip(outputs).enumerate() {
            image.gather(x, scratch.shared, threads);
            let x = &scratch.shared[..image.numbers()];
            jobs_on(threads, y, job, job * kernel, |i, y| {
                let weights = &w[i * cut.blocks * kernel..][..cut.blocks * kernel];
                let at = (sample * self.outputs + i * cut.blocks) * plane;
                // The rows of one block lie together, so that threads can share them.
                if cut.blocks == 1 {
                    return jobs_on(threads, y, band * row, band * row * kernel, |i, y| {
                        let top = i * band;
                        self.rows(x, weights, top..top + y.len() / row, y);
                        operands.finish.apply(operands, at + top * row, y)
                    });
                }
                for top in (0..height).step_by(band) {
                    let rows = top..height.min(top + band);
                    let numbers = rows.start * row..rows.end * row;
                    self.rows(x, weights, rows, &mut y[numbers.start..]);
                    for (block, y) in y.chunks_exact_mut(plane).enumerate() {
                        let (y, at) = (&mut y[numbers.clone()], at + block * plane);
                        operands.finish.apply(operands, at + numbers.start, y)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn finishes(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: self.image.numbers(),
            lane: 0,
        }
    }

    fn layout(&self) -> Option<Layout> {
        Some(Layout::Channels(self.weight, Direction::Forward))
    }
}

/// From blocks back to an image.
pub(super) struct StemGradient {
    image: Image,
    /// Blocks of output channels.
    outputs: usize,
    weight: Channels,
    cut: Cut,
    /// The vectors of a window.
    vectors: usize,
}

impl StemGradient {
    pub(super) fn new(op: &ops::Convolution, volumes: Volumes) -> Self {
        let image = Image::new(op, &volumes);
        let vectors = (image.length * image.lines.len()).div_ceil(CHANNELS);
        Self {
            outputs: volumes.y.channels / CHANNELS,
            weight: volumes.kernels(),
            cut: Cut::new(vectors, image.windows[1]),
            vectors,
            image,
        }
    }

    /// Adds to some rows of the image what all windows make of them.
    fn add(&self, g: &[Lane], w: &[Lane], rows: Range<usize>, image: &mut [f32], sums: &mut [f32]) {
        let Self { image: of, cut, .. } = self;
        let ([height, width], kernel) = (of.windows, cut.blocks * self.outputs * CHANNELS);
        image.fill(0.0);
        let last = of.lines.last().map_or(0, |[row, _]| *row);
        let window = self.vectors * CHANNELS;
        let first = rows.start.saturating_sub(last).div_ceil(of.stride[0]);
        for row in (first..height).take_while(|row| row * of.stride[0] < rows.end) {
            for start in (0..width).step_by(cut.places) {
                let left = start.min(width - cut.places);
                let (lanes, _) = sums.as_chunks_mut::<CHANNELS>();
                for (block, weights) in w.chunks_exact(kernel).enumerate() {
                    let tile = Tile {
                        x: g,
                        stride: height * width,
                        blocks: self.outputs,
                        places: Places::From(row * width + left),
                        taps: 1,
                        weights,
                        cut: *cut,
                    };
                    multiply(tile, &mut lanes[block * cut.blocks..], [1, self.vectors]);
                }
                // The last tile may overlap the one before.
                let windows = (left..left + cut.places).zip(sums.chunks_exact(window));
                let windows = windows.skip(start - left);
                vectorised(|| {
                    for (column, sums) in windows {
                        let lines = of.lines.iter().zip(sums.chunks_exact(of.length));
                        for ([line, at], sums) in lines {
                            let line = row * of.stride[0] + line;
                            if rows.contains(&line) {
                                let at = (line - rows.start) * of.row + column * of.step() + at;
                                let image = &mut image[at..at + of.length];
                                image.iter_mut().zip(sums).for_each(|(x, sum)| *x += sum);
                            }
                        }
                    }
                });
            }
        }
    }
}

impl Kernel for StemGradient {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let (g, w) = (operands.read(0)?, operands.read(1)?);
        let ((g, _), (w, _)) = (g.as_chunks::<CHANNELS>(), w.as_chunks::<CHANNELS>());
        let image = &self.image;
        let [height, width] = image.size;
        let read = self.outputs * image.windows[0] * image.windows[1];
        let work = read * CHANNELS * CHANNELS * self.vectors;
        let threads = Threads::for_work(work);
        let rows = threads.share(image.rows);
        let planes = output.chunks_exact_mut(image.channels * height * width);
        let (shared, mut scratch) = scratch.split();
        let padded = &mut shared[..image.numbers()];
        for (sample, planes) in planes.enumerate() {
            let g = &g[sample * read..][..read];
            let lanes = scratch.again();
            lanes_on(threads, padded, rows * image.row, lanes, |i, part, sums| {
                let rows = i * rows..i * rows + part.len() / image.row;
                self.add(g, w, rows, part, sums);
                Ok(())
            })?;
            let padded = &*padded;
            jobs_on(threads, planes, width, 2 * width, |i, x| {
                let (channel, line) = (i / height, i % height);
                image.scatter(padded, channel, line, x);
                let at = sample * image.channels * height * width + i * width;
                operands.finish.apply(operands, at, x)
            })?;
        }
        Ok(())
    }

    fn finishes(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: self.image.numbers(),
            lane: self.cut.places * self.vectors * CHANNELS,
        }
    }

    fn layout(&self) -> Option<Layout> {
        Some(Layout::Taps(self.weight, Direction::Forward))
    }
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outputs = CHANNELS * self.outputs;
        write!(
            f,
            "conv {} → blocks of {outputs}, {}",
            self.image.channels, self.image
        )
    }
}

impl fmt::Display for StemGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outputs = CHANNELS * self.outputs;
        write!(
            f,
            "conv-x blocks of {outputs} → {}, {}",
            self.image.channels, self.image
        )
    }
}

/// `224×224 → 112×112 by 7 lines of 21`.
impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([height, width], [rows, columns]) = (self.size, self.windows);
        let (lines, length) = (self.lines.len(), self.length);
        write!(
            f,
            "{height}×{width} → {rows}×{columns} by {lines} lines of {length}"
        )
    }
}
