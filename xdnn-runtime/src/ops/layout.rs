//! Weights in the layouts in which programs read them.

use rayon::prelude::*;
use xdnn_ir::Shape;

use super::{CHANNELS, Kernels, READ, Real, SIDE, Winograd};
use crate::backend::allocate;
use crate::error::{Result, invalid};

/// How the elements of a weight are laid out for a program. A layout is all that it takes to find an element, whatever dimensions
/// the weight is seen with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Layout {
    /// Kernels of 3×3 or 5×5 that have been transformed for [`Winograd`]'s algorithm.
    Winograd(Kernels),
    /// Matrices in blocks of 8×8.
    Blocks(Blocks),
    /// A matrix of so many rows and columns, transposed.
    Transposed([usize; 2]),
    /// Kernels in vectors of the channels that the direction leads to: `(⌈to/16⌉, taps · from, 16)`. What is beyond the last one is 0.
    Channels(Channels, Direction),
    /// Kernels in vectors of the taps and channels from which the direction leads: `(⌈taps · from / 16⌉, to, 16)`. What is beyond the last
    /// one is 0.
    Taps(Channels, Direction),
    /// The same, rounded to the numbers that tensor cores multiply: to 10 bits behind the point, ties away from zero.
    Tf32Taps(Channels, Direction),
    /// Kernels that have been transformed for [`Winograd`]'s algorithm, in vectors of the channels that the direction leads to.
    WinogradChannels(Kernels, Direction),
}

/// Whether a weight leads from input channels to output channels, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From input channels to output channels.
    Forward,
    /// From output channels to input channels.
    Backward,
}

/// A matrix for each group, in blocks of 8×8: `(groups, ⌈rows/8⌉, ⌈columns/8⌉ or one more, 8, 8)`. The last dimension counts
/// rows, and what is beyond the matrix is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blocks {
    /// The number of matrices.
    pub groups: usize,
    /// The rows of each.
    pub rows: usize,
    /// The columns of each.
    pub columns: usize,
}

/// Kernels `(O, C, …)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channels {
    /// `O`.
    pub outputs: usize,
    /// `C`.
    pub inputs: usize,
    /// The elements of a kernel.
    pub taps: usize,
}

impl Layout {
    /// The shape.
    pub fn shape(self) -> Shape {
        match self {
            Self::Winograd(kernels) => kernels.shape(),
            Self::Blocks(blocks) => blocks.shape(),
            Self::Transposed([rows, columns]) => Shape::new([columns, rows]),
            Self::Channels(channels, direction) => {
                let [to, from] = direction.of([channels.outputs, channels.inputs]);
                Shape::new([to.div_ceil(CHANNELS), channels.taps * from, CHANNELS])
            }
            Self::Taps(channels, direction) | Self::Tf32Taps(channels, direction) => {
                let [to, from] = direction.of([channels.outputs, channels.inputs]);
                Shape::new([(channels.taps * from).div_ceil(CHANNELS), to, CHANNELS])
            }
            Self::WinogradChannels(kernels, direction) => {
                let [to, from] = direction.of([kernels.outputs, kernels.inputs]);
                Shape::new([READ * READ, to / CHANNELS, from, CHANNELS])
            }
        }
    }

    /// The elements of a weight in this layout.
    pub(crate) fn of<T: Real>(self, weight: &[T]) -> Result<Vec<T>> {
        let size = self.shape().elements();
        let mut filled = allocate(size, T::zero(), "a weight in another layout")?;
        let expected = match self {
            Self::Winograd(kernels) | Self::WinogradChannels(kernels, _) => {
                kernels.outputs * kernels.inputs * kernels.size * kernels.size
            }
            Self::Blocks(blocks) => blocks.groups * blocks.rows * blocks.columns,
            Self::Transposed([rows, columns]) => rows * columns,
            Self::Channels(channels, _) | Self::Taps(channels, _) | Self::Tf32Taps(channels, _) => {
                channels.outputs * channels.inputs * channels.taps
            }
        };
        if weight.len() != expected {
            return Err(invalid("a weight is laid out that has another size"));
        }
        match self {
            Self::Winograd(kernels) => {
                kernels.transform(weight, Direction::Forward, |output, input, elements| {
                    for (k, value) in elements.into_iter().enumerate() {
                        filled[kernels.position(k, output, input)] = value;
                    }
                });
            }
            Self::Blocks(blocks) => blocks.fill(weight, &mut filled),
            Self::Transposed([_, columns]) => transpose(weight, columns, &mut filled),
            Self::Channels(channels, direction) => channels.fill(direction, weight, &mut filled),
            Self::Taps(channels, direction) => {
                channels.fill_taps(direction, weight, &mut filled, |value| value);
            }
            Self::Tf32Taps(channels, direction) => {
                channels.fill_taps(direction, weight, &mut filled, tf32);
            }
            Self::WinogradChannels(kernels, direction) => {
                let op = Winograd {
                    padding: [0; 2],
                    transposed: direction == Direction::Backward,
                    kernels,
                };
                let elements: [usize; READ * READ] = std::array::from_fn(|k| op.element(k));
                let [to, from] = direction.of([kernels.outputs, kernels.inputs]);
                kernels.transform(weight, direction, |output, input, values| {
                    let [at, row] = direction.of([output, input]);
                    let start = (at / CHANNELS * from + row) * CHANNELS + at % CHANNELS;
                    let matrix = filled[start..].iter_mut().step_by(to * from);
                    for (filled, element) in matrix.zip(elements) {
                        *filled = values[element];
                    }
                });
            }
        }
        Ok(filled)
    }
}

impl Direction {
    /// Where it leads, and from where, of what belongs to outputs and to inputs.
    pub(crate) fn of<T>(self, [outputs, inputs]: [T; 2]) -> [T; 2] {
        match self {
            Self::Forward => [outputs, inputs],
            Self::Backward => [inputs, outputs],
        }
    }
}

impl Blocks {
    /// The blocks below and beside one another. Rows a power of two apart would share a few lines of a cache.
    pub(crate) fn count(self) -> [usize; 2] {
        [self.rows.div_ceil(SIDE), self.columns.div_ceil(SIDE) | 1]
    }

    /// The blocks of a group.
    pub(crate) fn of_group(self) -> usize {
        self.count().iter().product()
    }

    pub(crate) fn shape(self) -> Shape {
        let [down, beside] = self.count();
        Shape::new([self.groups, down, beside, SIDE, SIDE])
    }

    /// The numbers of a row of blocks.
    pub(crate) fn row(self) -> usize {
        self.count()[1] * SIDE * SIDE
    }

    /// Row `i` of blocks, counted over all groups, of a weight.
    pub(crate) fn fill_row<T: Real>(self, weight: &[T], i: usize, blocks: &mut [T]) {
        let [down, _] = self.count();
        let (group, first) = (i / down, i % down * SIDE);
        let rows = first..self.rows.min(first + SIDE);
        let weight = &weight[(group * self.rows + first) * self.columns..];
        blocks.fill(T::zero());
        let (blocks, _) = blocks.as_chunks_mut::<{ SIDE * SIDE }>();
        for (row, weight) in weight
            .chunks(self.columns.max(1))
            .take(rows.len())
            .enumerate()
        {
            for (block, weight) in blocks.iter_mut().zip(weight.chunks(SIDE)) {
                let column = block.iter_mut().skip(row).step_by(SIDE);
                column.zip(weight).for_each(|(to, from)| *to = *from);
            }
        }
    }

    fn fill<T: Real>(self, weight: &[T], blocks: &mut [T]) {
        for (i, row) in blocks.chunks_exact_mut(self.row()).enumerate() {
            self.fill_row(weight, i, row);
        }
    }
}

impl Channels {
    fn fill<T: Real>(self, direction: Direction, weight: &[T], filled: &mut [T]) {
        let [_, from] = direction.of([self.outputs, self.inputs]);
        for (i, kernel) in weight.chunks_exact(self.taps.max(1)).enumerate() {
            let [to, row] = direction.of([i / self.inputs, i % self.inputs]);
            let start = (to / CHANNELS * self.taps * from + row) * CHANNELS + to % CHANNELS;
            let rows = filled[start..].iter_mut().step_by(from * CHANNELS);
            rows.zip(kernel)
                .for_each(|(filled, value)| *filled = *value);
        }
    }

    fn fill_taps<T: Real>(
        self,
        direction: Direction,
        weight: &[T],
        filled: &mut [T],
        of: impl Fn(T) -> T,
    ) {
        let [all, count] = direction.of([self.outputs, self.inputs]);
        for (i, kernel) in weight.chunks_exact(self.taps.max(1)).enumerate() {
            let [to, from] = direction.of([i / self.inputs, i % self.inputs]);
            for (tap, value) in kernel.iter().enumerate() {
                let at = tap * count + from;
                filled[(at / CHANNELS * all + to) * CHANNELS + at % CHANNELS] = of(*value);
            }
        }
    }
}

/// The nearest number that tensor cores multiply, ties away from zero.
fn tf32<T: Real>(value: T) -> T {
    let bits = value.to_f32().map_or(0, f32::to_bits);
    match value.is_finite() {
        true => T::of(f64::from(f32::from_bits((bits + 0x1000) & 0xffff_e000))),
        false => value,
    }
}

/// The transpose of a matrix. It goes through small squares of their own, as rows that are a power of two apart share a few lines of
/// a cache.
fn transpose<T: Real>(matrix: &[T], columns: usize, transposed: &mut [T]) {
    const SQUARE: usize = 16;
    let rows = matrix.len() / columns.max(1);
    let bands = transposed.par_chunks_mut((SQUARE * rows).max(1));
    bands.enumerate().for_each(|(i, band)| {
        let left = i * SQUARE;
        let width = SQUARE.min(columns - left);
        let mut square = [[T::zero(); SQUARE]; SQUARE];
        for top in (0..rows).step_by(SQUARE) {
            let height = SQUARE.min(rows - top);
            for (row, square) in square.iter_mut().enumerate().take(height) {
                let from = &matrix[(top + row) * columns + left..];
                square[..width].copy_from_slice(&from[..width]);
            }
            for (column, to) in band.chunks_exact_mut(rows).enumerate() {
                let to = to[top..].iter_mut().take(height);
                to.zip(&square).for_each(|(to, row)| *to = row[column]);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_where_they_belong() {
        let weight: Vec<f32> = (0..2 * 9 * 11).map(|i| i as f32 + 1.0).collect();
        let blocks = Blocks {
            groups: 2,
            rows: 9,
            columns: 11,
        };
        assert_eq!(blocks.shape(), Shape::new([2, 2, 3, 8, 8]));
        let filled = Layout::Blocks(blocks).of(&weight).unwrap();
        let mut found = vec![0.0; weight.len()];
        for (at, value) in filled.iter().enumerate() {
            let (row, column) = (at % SIDE, at / SIDE % SIDE);
            let (beside, down, group) = (at / 64 % 3, at / 192 % 2, at / 384);
            let (row, column) = (down * SIDE + row, beside * SIDE + column);
            if row < 9 && column < 11 {
                found[(group * 9 + row) * 11 + column] = *value;
            } else {
                assert_eq!(*value, 0.0);
            }
        }
        assert_eq!(found, weight);
    }

    #[test]
    fn rows_become_columns() {
        let matrix: Vec<f32> = (0..70 * 130).map(|i| i as f32).collect();
        let found = Layout::Transposed([70, 130]).of(&matrix).unwrap();
        for (at, value) in found.iter().enumerate() {
            assert_eq!(*value, (at % 70 * 130 + at / 70) as f32);
        }
    }

    #[test]
    fn taps_lie_beside_one_another() {
        let channels = Channels {
            outputs: 5,
            inputs: 3,
            taps: 7,
        };
        let weight: Vec<f32> = (0..5 * 3 * 7).map(|i| i as f32 + 1.0).collect();
        for direction in [Direction::Forward, Direction::Backward] {
            let filled = Layout::Taps(channels, direction).of(&weight).unwrap();
            let [to, from] = direction.of([5, 3]);
            let mut seen = 0;
            for (at, value) in filled.iter().enumerate() {
                let k = at / (to * CHANNELS) * CHANNELS + at % CHANNELS;
                let [output, input] = direction.of([at / CHANNELS % to, k % from]);
                if k / from < 7 {
                    assert_eq!(*value, weight[(output * 3 + input) * 7 + k / from]);
                    seen += 1;
                } else {
                    assert_eq!(*value, 0.0);
                }
            }
            assert_eq!(seen, weight.len());
        }
    }

    #[test]
    fn tensor_cores_read_ten_bits() {
        let one = Channels {
            outputs: 1,
            inputs: 1,
            taps: 6,
        };
        let ulp = 2.0_f32.powi(-10);
        let weight = [
            1.0,
            1.0 + ulp * 0.5,
            -1.0 - ulp * 0.49,
            0.0,
            f32::MAX,
            f32::INFINITY,
        ];
        let rounded = [1.0, 1.0 + ulp, -1.0, 0.0, f32::INFINITY, f32::INFINITY];
        let layout = Layout::Tf32Taps(one, Direction::Forward);
        assert_eq!(layout.of(&weight).unwrap()[..6], rounded);
    }

    #[test]
    fn a_weight_of_another_size_is_refused() {
        assert!(Layout::Transposed([2, 3]).of(&[1.0_f32; 5]).is_err());
    }
}
