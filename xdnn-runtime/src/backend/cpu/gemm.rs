//! The one call of the `gemm` crate, with its sizes checked.
#![allow(unsafe_code)]

use gemm::Parallelism;

use super::parallel::Threads;
use crate::error::{Result, invalid};

/// A matrix in memory: element `(i, j)` is `data[i · row + j · column]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a> {
    /// Where its elements are.
    pub data: &'a [f32],
    /// The distance between rows.
    pub row: usize,
    /// The distance between columns.
    pub column: usize,
}

/// A matrix to write, whose rows are contiguous.
#[derive(Debug)]
pub(super) struct MatrixMut<'a> {
    /// Where its elements are.
    pub data: &'a mut [f32],
    /// The distance between rows.
    pub row: usize,
    /// Whether the product is added to what is there.
    pub accumulate: bool,
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows are contiguous and `row` elements apart.
    pub(super) fn rows(data: &'a [f32], row: usize) -> Self {
        Self {
            data,
            row,
            column: 1,
        }
    }

    /// The transpose.
    pub(super) fn transposed(self) -> Self {
        Self {
            row: self.column,
            column: self.row,
            ..self
        }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        holds(self.data.len(), [(rows, self.row), (columns, self.column)])
    }
}

/// Whether the last element of a matrix, and so every one, lies within `length`.
fn holds(length: usize, axes: [(usize, usize); 2]) -> bool {
    if axes.iter().any(|(size, _)| *size == 0) {
        return true;
    }
    let [rows, columns] = axes.map(|(size, stride)| (size - 1).checked_mul(stride));
    let last = rows
        .zip(columns)
        .and_then(|(rows, columns)| rows.checked_add(columns));
    last.is_some_and(|last| last < length)
}

/// `C = A·B` or `C += A·B`, with `C: m×n`, `A: m×k`, `B: k×n`.
pub(super) fn gemm(
    [m, n, k]: [usize; 3],
    c: MatrixMut<'_>,
    a: Matrix<'_>,
    b: Matrix<'_>,
    threads: Threads,
) -> Result<()> {
    let rows_apart = m <= 1 || c.row >= n;
    let fits =
        rows_apart && holds(c.data.len(), [(m, c.row), (n, 1)]) && a.holds(m, k) && b.holds(k, n);
    if !fits {
        return Err(invalid(format!(
            "the operands of a {m}×{k}×{n} product are smaller than that"
        )));
    }
    if m == 0 || n == 0 {
        return Ok(());
    }
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::All => Parallelism::Rayon(0),
    };
    // SAFETY: `fits` holds, so every element of `C`, `A` and `B` that the sizes and strides name lies in its slice;
    // offsets into a slice fit `isize`, and so do strides that are used more than once. `C` is borrowed mutably, so that
    // neither `A` nor `B` overlaps it, and `rows_apart` says that no two of its elements are the same.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.data.as_mut_ptr(),
            1,
            c.row as isize,
            c.accumulate,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0_f32,
            1.0_f32,
            false,
            false,
            false,
            parallelism,
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_and_without_accumulation() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
        let mut c = [1.0; 4];
        for (accumulate, expected) in [
            (false, [19.0, 22.0, 43.0, 50.0]),
            (true, [38.0, 44.0, 86.0, 100.0]),
        ] {
            let target = MatrixMut {
                data: &mut c,
                row: 2,
                accumulate,
            };
            gemm(
                [2, 2, 2],
                target,
                Matrix::rows(&a, 2),
                Matrix::rows(&b, 2),
                Threads::One,
            )
            .unwrap();
            assert_eq!(c, expected);
        }
    }

    #[test]
    fn sizes_beyond_the_data_are_refused() {
        let (a, mut c) = ([1.0; 4], [0.0; 4]);
        for (size, row) in [
            ([2, 2, 3], 2),
            ([2, 3, 2], 3),
            ([3, 2, 2], 2),
            ([2, 2, 2], 1),
            ([2, 2, 2], usize::MAX),
        ] {
            let target = MatrixMut {
                data: &mut c,
                row,
                accumulate: false,
            };
            let result = gemm(
                size,
                target,
                Matrix::rows(&a, 2),
                Matrix::rows(&a, 2),
                Threads::One,
            );
            assert!(result.is_err(), "{size:?}");
        }
    }

    #[test]
    fn an_empty_sum_is_zero() {
        let mut c = [1.0; 4];
        let target = MatrixMut {
            data: &mut c,
            row: 2,
            accumulate: false,
        };
        gemm(
            [2, 2, 0],
            target,
            Matrix::rows(&[], 0),
            Matrix::rows(&[], 2),
            Threads::One,
        )
        .unwrap();
        assert_eq!(c, [0.0; 4]);
    }
}
