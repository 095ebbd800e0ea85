//! Weights in blocks, so that a product of matrices and the product with the transpose read them in order.

use xdnn_ir::Shape;

use crate::ops::SIDE;

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
    pub(crate) fn fill<T: Copy + Default>(self, weight: &[T]) -> Vec<T> {
        let mut blocks = vec![T::default(); self.shape().elements()];
        let row = self.count()[1] * SIDE * SIDE;
        for (i, blocks) in blocks.chunks_exact_mut(row).enumerate() {
            self.fill_row(weight, i, blocks);
        }
        blocks
    }
}

/// The transpose of a matrix of `columns` columns, square by square so that lines of a cache are used whole.
pub(crate) fn transposed<T: Copy + Default>(matrix: &[T], columns: usize) -> Vec<T> {
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
