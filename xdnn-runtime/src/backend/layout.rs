//! Weights in the layouts in which programs read them.

use xdnn_ir::Shape;

use crate::ops::{CHANNELS, Kernels, Leaf, READ, Real, SIDE, Winograd};

/// A block: its columns, one after the other.
pub(crate) type Block<T = f32> = [T; SIDE * SIDE];

/// The layout of a weight `(O, …)`: for each group a matrix of `O / groups` rows in blocks of 8×8,
/// `(groups, ⌈rows/8⌉, ⌈columns/8⌉ or one more, 8, 8)`. The last dimension counts rows, and what is beyond the matrix is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    pub groups: usize,
    /// Of the matrix of a group.
    pub rows: usize,
    pub columns: usize,
}

impl Blocks {
    /// The layout of a weight, whose first dimension is divided among the groups.
    pub(crate) fn of(weight: Shape, groups: usize) -> Self {
        let rows = weight.dim(0) / groups.max(1);
        Self {
            groups,
            rows,
            columns: weight.elements() / (groups * rows).max(1),
        }
    }

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

    /// Row `i` of blocks, counted over all groups, of a weight.
    pub(crate) fn fill_row<T: Copy + Default>(self, weight: &[T], i: usize, blocks: &mut [T]) {
        let [down, _] = self.count();
        let (group, first) = (i / down, i % down * SIDE);
        let rows = first..self.rows.min(first + SIDE);
        let weight = &weight[(group * self.rows + first) * self.columns..];
        blocks.fill(T::default());
        let (blocks, _) = blocks.as_chunks_mut::<{ SIDE * SIDE }>();
        for (row, weight) in weight.chunks(self.columns).take(rows.len()).enumerate() {
            for (block, weight) in blocks.iter_mut().zip(weight.chunks(SIDE)) {
                let column = block.iter_mut().skip(row).step_by(SIDE);
                column.zip(weight).for_each(|(to, from)| *to = *from);
            }
        }
    }

    /// A weight in blocks.
    fn fill<T: Copy + Default>(self, weight: &[T]) -> Vec<T> {
        let mut blocks = vec![T::default(); self.shape().elements()];
        let row = self.count()[1] * SIDE * SIDE;
        for (i, blocks) in blocks.chunks_exact_mut(row).enumerate() {
            self.fill_row(weight, i, blocks);
        }
        blocks
    }
}

/// Whether a weight leads from input channels to output channels, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From input channels to output channels.
    Forward,
    /// From output channels to input channels.
    Backward,
}

/// The layout of a weight for [`Blocked`](crate::ops::Blocked): `(matrices, outputs/16, inputs, 16)`, where the last dimension counts
/// outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vectors {
    pub matrices: usize,
    pub outputs: usize,
    pub inputs: usize,
}

impl Vectors {
    pub(crate) fn shape(self) -> Shape {
        Shape::new([
            self.matrices,
            self.outputs / CHANNELS,
            self.inputs,
            CHANNELS,
        ])
    }

    /// The weight whose elements are `value(matrix, output, input)`.
    fn fill<T: Copy>(self, value: impl Fn(usize, usize, usize) -> T) -> Vec<T> {
        let mut filled = Vec::with_capacity(self.shape().elements());
        for matrix in 0..self.matrices {
            for block in (0..self.outputs).step_by(CHANNELS) {
                for input in 0..self.inputs {
                    let outputs = block..block + CHANNELS;
                    filled.extend(outputs.map(|output| value(matrix, output, input)));
                }
            }
        }
        filled
    }

    /// One matrix of a convolution `(O, C, …)`, or of the way back: its inputs are those of one tap after the other.
    fn of_kernels<T: Copy>(weight: Shape, direction: Direction, data: &[T]) -> Vec<T> {
        let (outputs, inputs) = (weight.dim(0), weight.dim(1));
        let taps = weight.elements() / (outputs * inputs).max(1);
        let at = |output, input, tap| data[(output * inputs + input) * taps + tap];
        let (to, from) = match direction {
            Direction::Forward => (outputs, inputs),
            Direction::Backward => (inputs, outputs),
        };
        let vectors = Self {
            matrices: 1,
            outputs: to,
            inputs: taps * from,
        };
        vectors.fill(|_, to, row| match direction {
            Direction::Forward => at(to, row % from, row / from),
            Direction::Backward => at(row % from, to, row / from),
        })
    }

    /// Kernels that have been transformed for Winograd's algorithm: a matrix for each element.
    fn of_transformed<T: Copy>(kernels: Kernels, direction: Direction, data: &[T]) -> Vec<T> {
        let op = Winograd {
            padding: [0; 2],
            transposed: direction == Direction::Backward,
            kernels,
        };
        let at = |k, output, input| data[kernels.position(op.element(k), output, input)];
        let (outputs, inputs) = match direction {
            Direction::Forward => (kernels.outputs, kernels.inputs),
            Direction::Backward => (kernels.inputs, kernels.outputs),
        };
        let vectors = Self {
            matrices: READ * READ,
            outputs,
            inputs,
        };
        vectors.fill(|k, to, from| match direction {
            Direction::Forward => at(k, to, from),
            Direction::Backward => at(k, from, to),
        })
    }
}

/// What a leaf holds that is a weight in another layout than its own, given the shape of the leaf, and that and the elements of
/// each weight; `None` for other leaves.
pub(crate) fn lay_out<'w, T: Real>(
    leaf: Leaf,
    shape: Shape,
    weight: impl Fn(usize) -> Option<(Shape, &'w [T])>,
) -> Option<Vec<T>> {
    Some(match leaf {
        Leaf::WinogradWeight(i) => {
            let (shape, data) = weight(i)?;
            Kernels::of(shape).transform(data)
        }
        Leaf::BlockedWeight(i) => {
            let (weight_shape, data) = weight(i)?;
            Blocks::of(weight_shape, shape.dim(0)).fill(data)
        }
        Leaf::TransposedWeight(i) => transposed(weight(i)?.1, shape.dim(0)),
        Leaf::ChannelWeight(i, direction) => {
            let (shape, data) = weight(i)?;
            Vectors::of_kernels(shape, direction, data)
        }
        Leaf::WinogradChannelWeight(i, direction) => {
            let (shape, data) = weight(i)?;
            let kernels = Kernels::of(shape);
            Vectors::of_transformed(kernels, direction, &kernels.transform(data))
        }
        Leaf::Input(_)
        | Leaf::Weight(_)
        | Leaf::Target
        | Leaf::DropoutMask(_)
        | Leaf::PriorStrength
        | Leaf::Seed(_) => {
            return None;
        }
    })
}

/// The transpose of a matrix of `columns` columns, square by square so that lines of a cache are used whole.
fn transposed<T: Copy + Default>(matrix: &[T], columns: usize) -> Vec<T> {
    const SQUARE: usize = 64;
    let rows = matrix.len() / columns.max(1);
    let mut transposed = vec![T::default(); matrix.len()];
    for top in (0..rows).step_by(SQUARE) {
        for left in (0..columns).step_by(SQUARE) {
            for row in top..rows.min(top + SQUARE) {
                for column in left..columns.min(left + SQUARE) {
                    transposed[column * rows + row] = matrix[row * columns + column];
                }
            }
        }
    }
    transposed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        let matrix: Vec<usize> = (0..70 * 130).collect();
        let found = transposed(&matrix, 130);
        for (at, value) in found.iter().enumerate() {
            assert_eq!(*value, at % 70 * 130 + at / 70);
        }
    }

    #[test]
    fn elements_are_where_they_belong() {
        let weight: Vec<f32> = (0..2 * 9 * 11).map(|i| i as f32 + 1.0).collect();
        let blocks = Blocks::of(Shape::new([18, 11, 1]), 2);
        assert_eq!(blocks.shape(), Shape::new([2, 2, 3, 8, 8]));
        let filled = blocks.fill(&weight);
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
}
