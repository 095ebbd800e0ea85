//! Windows that slide over planes: what they see, side by side, and the transpose of that.
//!
//! Along each axis windows are a selection, a product with a matrix of zeros and ones, unless they are tiles.

use crate::ops::{PoolWindow, Sizes};

use super::{Dense, Primitives};

impl PoolWindow {
    /// `(planes, windows, taps)` from planes: zeros where a window sees padding.
    pub(crate) fn unfold(
        &self,
        to: &mut Primitives<'_>,
        planes: usize,
        size: [usize; 3],
        x: Dense,
    ) -> Dense {
        let (mut windows, mut taps, mut y) = (1, 1, x);
        for axis in (0..3).rev() {
            let outer = planes * size[..axis].iter().product::<usize>();
            let (n, o, k) = (size[axis], self.output[axis], self.kernel[axis]);
            if self.tiles(axis, n) {
                let seen = y.reshaped([outer, o, k, windows, taps]);
                y = to.permute(seen, &[0, 1, 3, 2, 4]);
            } else {
                let last = to.permute(y.reshaped([outer, n, windows, taps]), &[0, 2, 3, 1]);
                let matrix = to.data([o * k, n], || self.selection(axis, n));
                let sizes = Sizes {
                    batch: 1,
                    m: outer * windows * taps,
                    k: n,
                    n: o * k,
                };
                let seen = to.product((last, false), (matrix, true), sizes);
                let seen = seen.reshaped([outer, windows, taps, o, k]);
                y = to.permute(seen, &[0, 3, 1, 4, 2]);
            }
            (windows, taps) = (o * windows, k * taps);
        }
        y.reshaped([planes, windows, taps])
    }

    /// Planes from `(planes, windows, taps)`: each element is the sum of what stands where a window sees it.
    pub(crate) fn fold(
        &self,
        to: &mut Primitives<'_>,
        planes: usize,
        size: [usize; 3],
        y: Dense,
    ) -> Dense {
        let mut windows: usize = self.output.iter().product();
        let (mut taps, mut outer, mut x) = (self.taps(), planes, y);
        for (axis, n) in size.into_iter().enumerate() {
            let (o, k) = (self.output[axis], self.kernel[axis]);
            (windows, taps) = (windows / o.max(1), taps / k.max(1));
            let seen = x.reshaped([outer, o, windows, k, taps]);
            if self.tiles(axis, n) {
                x = to.permute(seen, &[0, 1, 3, 2, 4]);
            } else {
                let last = to.permute(seen, &[0, 2, 4, 1, 3]);
                let matrix = to.data([o * k, n], || self.selection(axis, n));
                let sizes = Sizes {
                    batch: 1,
                    m: outer * windows * taps,
                    k: o * k,
                    n,
                };
                let sums = to.product((last, false), (matrix, false), sizes);
                x = to.permute(sums.reshaped([outer, windows, taps, n]), &[0, 3, 1, 2]);
            }
            outer *= n;
        }
        x
    }

    /// Whether the windows see each of the `n` elements of an axis once, in order.
    fn tiles(&self, axis: usize, n: usize) -> bool {
        let (o, k) = (self.output[axis], self.kernel[axis]);
        let dense = self.dilation[axis] == 1 || k == 1;
        let side_by_side = self.stride[axis] == k || o == 1;
        self.padding[axis] == 0 && dense && side_by_side && o * k == n
    }

    /// What the taps of each window see along an axis of `n` elements: a row of `n` for each of `(windows, taps)`.
    fn selection(&self, axis: usize, n: usize) -> Vec<f32> {
        let (o, k) = (self.output[axis], self.kernel[axis]);
        let mut matrix = vec![0.0; o * k * n];
        for (row, elements) in matrix.chunks_exact_mut(n.max(1)).enumerate() {
            let padded = row / k * self.stride[axis] + row % k * self.dilation[axis];
            let seen = padded
                .checked_sub(self.padding[axis])
                .and_then(|i| elements.get_mut(i));
            if let Some(element) = seen {
                *element = 1.0;
            }
        }
        matrix
    }
}
