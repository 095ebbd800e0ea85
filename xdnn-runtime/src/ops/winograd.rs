//! Convolutions with fewer multiplications.

use std::f64::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use xdnn_ir::Shape;

use super::{Applied, CHANNELS, Direction, Operation, Real, TensorView, misfit, no_lowering};
use crate::error::{Result, invalid};
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// A convolution with step 1 of windows of `r×r`, 3 or 5, or its input gradient, with 36 multiplications for `(7−r)²` results
/// of a channel instead of 144 or 100: `Y = Aᵀ·[Σ_c U_c ⊙ (Bᵀ·d_c·B)]·A` of tiles `d` of the input, with `U = G·g·Gᵀ` of each
/// kernel `g`.
///
/// From `(N, C, H, W)` and transformed [`Kernels`] to `(N, O, …)`, and `transposed` from `(N, O, …)` to `(N, C, H, W)`.
///
/// Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, equation 13, as `F(4×4, 3×3)` and
/// `F(2×2, 5×5)`. The points of interpolation are 0, ±√½, ±√2 and ∞ instead of 0, ±1, ±2 and ∞. They round less, as Barabasz
/// et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks" (2020), find of points
/// with reciprocals among them. And a kernel that is turned, as the input gradient wants it, is the polynomial of the
/// reciprocal point: it has the same `U` in another order, times powers of two for `r = 5`, so that both directions read one
/// transformed weight.
///
/// What a sum of products does to single numbers, this does to tiles: a result is 0 only up to rounding where a window sees
/// zeros beside other numbers, and one infinity makes a tile NaN.
///
/// A pass puts it into graphs that have been differentiated; it has no derivatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Winograd {
    /// Zeros on each side, for height and width.
    pub padding: [usize; 2],
    /// Whether the kernels are turned by 180°, from output channels to input channels.
    pub transposed: bool,
    /// The layout of the second operand.
    pub kernels: Kernels,
}

/// The layout of kernels that have been transformed: `(36, ⌈O/8⌉, ⌈C/8⌉ or one more, 8, 8)`, for each element of `U` a matrix
/// in blocks, so that both directions read them in order.
///
/// The last dimension counts output channels, the number of blocks in a row is odd, and what is no channel is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kernels {
    /// Output channels of the weight.
    pub outputs: usize,
    /// Input channels of the weight.
    pub inputs: usize,
    /// The height and width of a kernel: 3 or 5.
    pub size: usize,
}

/// The rows and columns of a block of [`Kernels`].
pub(crate) const SIDE: usize = 8;
/// What a tile reads along an axis.
pub(crate) const READ: usize = 6;

/// The points of interpolation, without ∞, which is the last.
const POINTS: [f64; READ - 1] = [0.0, A, -A, B, -B];
/// The position of the reciprocal of each point.
const RECIPROCAL: [usize; READ] = [5, 3, 4, 1, 2, 0];
/// `Bᵀ`: for each point the polynomial that is 0 at all others, by its factor.
const INPUT: [[f64; READ]; READ] = [
    [1.0, 0.0, -2.5, 0.0, 1.0, 0.0],
    [0.0, B, 2.0, -A, -1.0, 0.0],
    [0.0, -B, 2.0, A, -1.0, 0.0],
    [0.0, -0.5 * A, -0.25, A, 0.5, 0.0],
    [0.0, 0.5 * A, -0.25, -A, 0.5, 0.0],
    [0.0, 1.0, 0.0, -2.5, 0.0, 1.0],
];
/// What makes up for the factors in `Bᵀ`, which are such that the kernels of 3×3 are symmetric.
const FACTORS: [f64; READ] = [1.0, 2.0 / 3.0, 2.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0];

/// The power `i` of each point, of `count` powers.
fn powers(i: usize, count: usize) -> [f64; READ] {
    std::array::from_fn(|k| match POINTS.get(k) {
        Some(point) => point.powi(i as i32),
        None if i + 1 == count => 1.0,
        None => 0.0,
    })
}

/// `M·x·Mᵀ`.
fn both_sides<const SIZE: usize>(m: &[[f64; SIZE]], x: &[[f64; SIZE]; SIZE]) -> Vec<f64> {
    let product = |a: &[f64; SIZE], b: &[f64; SIZE]| -> f64 {
        let rows = a.iter().zip(x);
        rows.map(|(a, x)| a * x.iter().zip(b).map(|(x, b)| x * b).sum::<f64>())
            .sum()
    };
    m.iter()
        .flat_map(|a| m.iter().map(move |b| (a, b)))
        .map(|(a, b)| product(a, b))
        .collect()
}

/// `M·x·Mᵀ` of the elements of `x`.
fn both_sides_of<T: Real, const SIZE: usize>(m: &[[f64; SIZE]; READ], x: &[T]) -> [T; READ * READ] {
    let mut half = [[0.0; SIZE]; READ];
    for (half, m) in half.iter_mut().zip(m) {
        for (m, x) in m.iter().zip(x.chunks_exact(SIZE)) {
            for (half, x) in half.iter_mut().zip(x) {
                *half += m * x.to_f64().unwrap_or(f64::NAN);
            }
        }
    }
    let product = |a: &[f64; SIZE], b: &[f64; SIZE]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    std::array::from_fn(|at| T::of(product(&half[at / READ], &m[at % READ])))
}

impl Kernels {
    /// Those of a weight `(O, C, r, r)`.
    pub fn of(weight: Shape) -> Self {
        Self {
            outputs: weight.dim(0),
            inputs: weight.dim(1),
            size: weight.dim(2),
        }
    }

    /// Their shape.
    pub fn shape(self) -> Shape {
        let [rows, columns] = self.blocks();
        Shape::new([READ * READ, rows, columns, SIDE, SIDE])
    }

    /// The rows and columns of blocks. Rows a power of two apart would share a few lines of a cache.
    pub(crate) fn blocks(self) -> [usize; 2] {
        [self.outputs.div_ceil(SIDE), self.inputs.div_ceil(SIDE) | 1]
    }

    /// `G`
    fn points<const SIZE: usize>() -> [[f64; SIZE]; READ] {
        let powers: [_; SIZE] = std::array::from_fn(|i| powers(i, SIZE));
        std::array::from_fn(|k| powers.map(|powers| FACTORS[k] * powers[k]))
    }

    /// The elements of the transformed kernel `G·g·Gᵀ` from each input to each output, one after the other, handed to
    /// `visit(output, input, elements)`. Of two directions, the channels that one leads to are visited in blocks.
    pub(crate) fn transform<T: Real>(
        self,
        weight: &[T],
        direction: Direction,
        mut visit: impl FnMut(usize, usize, [T; READ * READ]),
    ) {
        let (three, five) = (Self::points::<3>(), Self::points::<5>());
        let [to, from] = direction.of([self.outputs, self.inputs]);
        for first in (0..to).step_by(CHANNELS) {
            for from in 0..from {
                for to in first..to.min(first + CHANNELS) {
                    let [output, input] = direction.of([to, from]);
                    let size = self.size * self.size;
                    let kernel = &weight[(output * self.inputs + input) * size..][..size];
                    let elements = match self.size {
                        3 => both_sides_of(&three, kernel),
                        _ => both_sides_of(&five, kernel),
                    };
                    visit(output, input, elements);
                }
            }
        }
    }

    /// Where element `k` of the kernel from `input` to `output` is.
    pub(crate) fn position(self, k: usize, output: usize, input: usize) -> usize {
        let [rows, columns] = self.blocks();
        let block = (k * rows + output / SIDE) * columns + input / SIDE;
        (block * SIDE + input % SIDE) * SIDE + output % SIDE
    }
}

impl Winograd {
    /// Results of a tile along an axis.
    pub(crate) fn tile(&self) -> usize {
        READ + 1 - self.kernels.size
    }

    /// The element of the kernels that meets element `k` of the tiles.
    pub(crate) fn element(&self, k: usize) -> usize {
        match self.transposed {
            true => READ * RECIPROCAL[k / READ] + RECIPROCAL[k % READ],
            false => k,
        }
    }

    /// What a product at each point counts for: a turned kernel at a point is that power of the point times the kernel at the
    /// reciprocal point, but for the factors.
    pub(crate) fn scales(&self) -> [f64; READ] {
        std::array::from_fn(|k| match POINTS.get(k) {
            Some(point) if self.transposed && *point != 0.0 => {
                let power = point.powi(self.kernels.size as i32 - 1);
                FACTORS[k] * power / FACTORS[RECIPROCAL[k]]
            }
            _ => 1.0,
        })
    }

    /// `Aᵀ`.
    fn results(&self) -> Vec<[f64; READ]> {
        let scales = self.scales();
        let row = |i| {
            let powers = powers(i, self.tile());
            std::array::from_fn(|k| scales[k] * powers[k])
        };
        (0..self.tile()).map(row).collect()
    }
}

impl Operation for Winograd {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let [x, u] = operands else {
            return Err(misfit(self, operands));
        };
        let [n, c, h, w] = *x.dims() else {
            return Err(misfit(self, operands));
        };
        let [height, width] = [h + 2 * self.padding[0], w + 2 * self.padding[1]];
        let size = self.kernels.size;
        let Kernels {
            outputs, inputs, ..
        } = self.kernels;
        let (inputs, outputs) = match self.transposed {
            true => (outputs, inputs),
            false => (inputs, outputs),
        };
        let known = matches!(size, 3 | 5) && inputs > 0 && outputs > 0;
        if !known || *u != self.kernels.shape() || c != inputs || height < size || width < size {
            return Err(misfit(self, operands));
        }
        Ok(Shape::new([
            n,
            outputs,
            height + 1 - size,
            width + 1 - size,
        ]))
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        let [x, u] = [operands[0], operands[1]];
        let (inputs, height, width) = (x.shape.dim(1), x.shape.dim(2), x.shape.dim(3));
        let (samples, outputs) = (shape.dim(0), shape.dim(1));
        let (rows, columns) = (shape.dim(2), shape.dim(3));
        let number = |value: T| value.to_f64().unwrap_or(f64::NAN);
        let (tile, results) = (self.tile(), self.results());
        for n in 0..samples {
            for top in (0..rows).step_by(tile) {
                for left in (0..columns).step_by(tile) {
                    let mut products = vec![[[0.0; READ]; READ]; outputs];
                    for c in 0..inputs {
                        let plane = (n * inputs + c) * height;
                        let d = std::array::from_fn(|i| {
                            std::array::from_fn(|j| {
                                let y = (top + i).checked_sub(self.padding[0]);
                                let y = y.filter(|y| *y < height);
                                let x_at = (left + j).checked_sub(self.padding[1]);
                                let x_at = x_at.filter(|x| *x < width);
                                let at = y.zip(x_at).map(|(y, x)| (plane + y) * width + x);
                                at.map_or(0.0, |at| number(x.data[at]))
                            })
                        });
                        let v = both_sides(&INPUT, &d);
                        for (o, product) in products.iter_mut().enumerate() {
                            let (to, from) = if self.transposed { (c, o) } else { (o, c) };
                            let product = product.as_flattened_mut().iter_mut();
                            for (k, (m, v)) in product.zip(&v).enumerate() {
                                let at = self.kernels.position(self.element(k), to, from);
                                *m += number(u.data[at]) * v;
                            }
                        }
                    }
                    for (o, product) in products.iter().enumerate() {
                        let result = both_sides(&results, product);
                        for y in top..rows.min(top + tile) {
                            for x in left..columns.min(left + tile) {
                                let at = ((n * outputs + o) * rows + y) * columns + x;
                                output[at] = T::of(result[(y - top) * tile + x - left]);
                            }
                        }
                    }
                }
            }
        }
    }

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, _: Value) -> Result<Vec<Option<Value>>> {
        Err(no_derivative())
    }

    fn jvp(&self, _: &mut Graph, _: Applied<'_>, _: &[Option<Value>]) -> Result<Option<Value>> {
        Err(no_derivative())
    }

    fn lower(&self, _: &mut Primitives<'_>, _: &[Dense], _: Shape) -> Result<Dense> {
        Err(no_lowering("Winograd"))
    }
}

fn no_derivative() -> crate::Error {
    invalid("`Winograd` has no derivative: graphs are differentiated before passes run".to_owned())
}
