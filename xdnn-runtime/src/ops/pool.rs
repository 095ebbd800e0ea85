//! Pools that select: which element of each window wins, what it is, and where it came from.
//!
//! Maximum pooling is `PoolGather(x, PoolWinner(x))`. The winner is constant between ties, so it has no derivative; the
//! two others are linear in their first operand and transposes of each other.

use std::cmp::Ordering;

use xdnn_ir::Shape;

use super::index::Spatial;
use super::{Applied, Operation, Real, TensorView, linear_tangent, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// Sliding windows over the spatial axes (depth, height, width) of `(N, C, …)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolWindow {
    /// Size of the window.
    pub kernel: [usize; 3],
    /// Step between windows.
    pub stride: [usize; 3],
    /// Elements on each side that never win.
    pub padding: [usize; 3],
    /// Distance between the window's elements.
    pub dilation: [usize; 3],
    /// Number of windows along each axis.
    pub output: [usize; 3],
}

/// Which element of a window wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winner {
    /// The largest; the first of several in row-major order.
    Max,
    /// The smallest; the first of several in row-major order.
    Min,
    /// The median, the lower one of two; of several, the one that a stable sort puts there.
    Median,
    /// The element before which a stable sort puts so many others; none where there are not as many.
    Rank(usize),
}

/// The position of each window's winner, counted in row-major order within the window; −1 where a window holds nothing
/// but padding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolWinner {
    /// The windows.
    pub window: PoolWindow,
    /// Who wins.
    pub winner: Winner,
}

/// The element of each window that the second operand names, 0 where it names none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolGather {
    /// The windows.
    pub window: PoolWindow,
}

/// Each element of the first operand added where the second operand says that its winner came from: the transpose of
/// [`PoolGather`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolScatter {
    /// The windows.
    pub window: PoolWindow,
    /// The shape of the result.
    pub shape: Shape,
}

impl PoolWindow {
    /// One window over all of a plane.
    pub fn global(size: [usize; 3]) -> Self {
        Self {
            kernel: size,
            stride: [1; 3],
            padding: [0; 3],
            dilation: [1; 3],
            output: [1; 3],
        }
    }

    /// A window over each column of a plane of `height` rows and `width` columns.
    pub fn columns(height: usize, width: usize) -> Self {
        Self {
            output: [1, 1, width],
            ..Self::global([1, height, 1])
        }
    }

    fn pooled(&self, input: Shape) -> Option<Shape> {
        let spatial = Spatial::of(input)?;
        let absent = 5 - input.rank();
        let flat = self.output[..absent].iter().all(|size| *size == 1);
        let steps = self.kernel.iter().chain(&self.stride).all(|n| *n > 0);
        (flat && steps).then(|| {
            Spatial {
                size: self.output,
                ..spatial
            }
            .shape(input)
        })
    }

    /// The position in the plane of element `tap` of the window at `(d, h, w)`; `None` in the padding.
    pub(crate) fn position(
        &self,
        size: [usize; 3],
        window: [usize; 3],
        tap: usize,
    ) -> Option<usize> {
        let [_, height, width] = self.kernel;
        let tap = [tap / (height * width), tap / width % height, tap % width];
        let mut position = 0;
        for axis in 0..3 {
            let padded = window[axis] * self.stride[axis] + tap[axis] * self.dilation[axis];
            let i = padded
                .checked_sub(self.padding[axis])
                .filter(|i| *i < size[axis])?;
            position = position * size[axis] + i;
        }
        Some(position)
    }

    /// The number of elements of a window.
    pub(crate) fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The planes that windows slide over.
    fn spatial(&self, op: &impl std::fmt::Debug, shape: Shape) -> Result<Spatial> {
        Spatial::of(shape).ok_or_else(|| misfit(op, &[shape]))
    }

    /// The numbers of planes, of windows of each, and of elements of a window.
    fn counts(&self, spatial: Spatial) -> (usize, usize, usize) {
        let windows = self.output.iter().product();
        (spatial.batch * spatial.channels, windows, self.taps())
    }

    /// `(windows, taps)`: 1 where a window sees the plane, 0 where it sees padding.
    fn inside(&self, size: [usize; 3]) -> Vec<f32> {
        let mut inside = Vec::new();
        self.windows(1, |_, _, window| {
            let seen = (0..self.taps()).map(|tap| self.position(size, window, tap));
            inside.extend(seen.map(|position| f32::from(u8::from(position.is_some()))));
        });
        inside
    }

    /// `(planes, windows, taps)`: 1 at the winner that `(planes, windows)` name, 0 elsewhere.
    fn chosen(&self, to: &mut Primitives<'_>, planes: usize, winner: Dense) -> Dense {
        let (windows, taps) = (self.output.iter().product(), self.taps());
        let numbers = to.data([1, 1, taps], || (0..taps).map(|tap| tap as f32).collect());
        let full = Shape::new([planes, windows, taps]);
        let numbers = to.spread(numbers, full);
        let winner = to.spread(winner.reshaped([planes, windows, 1]), full);
        to.equal(winner, numbers)
    }

    /// Calls `visit(plane, output position, window)` for each window of each of `planes` planes.
    fn windows(&self, planes: usize, mut visit: impl FnMut(usize, usize, [usize; 3])) {
        let [depth, height, width] = self.output;
        let each = depth * height * width;
        for plane in 0..planes {
            for i in 0..each {
                visit(
                    plane,
                    plane * each + i,
                    [i / (height * width), i / width % height, i % width],
                );
            }
        }
    }
}

impl Winner {
    /// The position of the winner among elements in row-major order; what is no number beats every number.
    pub(crate) fn of<T: Real>(
        self,
        elements: impl Iterator<Item = (usize, T)> + Clone,
    ) -> Option<usize> {
        match self {
            Self::Max => first(elements, |x, best| x > best),
            Self::Min => first(elements, |x, best| x < best),
            Self::Median | Self::Rank(_) => {
                let mut values: Vec<T> = elements.clone().map(|(_, x)| x).collect();
                self.ranked(&mut values, elements)
            }
        }
    }

    /// The position of the winner by rank, which is the median where `self` gives none, among elements whose values, in any order, are `values`; what is no number beats
    /// every number.
    pub(crate) fn ranked<T: Real>(
        self,
        values: &mut [T],
        mut elements: impl Iterator<Item = (usize, T)> + Clone,
    ) -> Option<usize> {
        if values.iter().any(|x| x.is_nan()) {
            let nan = elements.find(|(_, x)| x.is_nan());
            return nan.map(|(i, _)| i);
        }
        let last = values.len().checked_sub(1)?;
        let rank = match self {
            Self::Rank(rank) => rank,
            _ => last / 2,
        };
        let order = |a: &T, b: &T| a.partial_cmp(b).unwrap_or(Ordering::Equal);
        let (below, value, _) =
            (rank <= last).then(|| values.select_nth_unstable_by(rank, order))?;
        let equal = below.iter().filter(|x| **x == *value).count();
        elements
            .filter(|(_, x)| *x == *value)
            .nth(equal)
            .map(|(i, _)| i)
    }
}

/// 1 at the first of the largest elements of each window, 0 elsewhere, and everywhere where all is padding.
fn largest(to: &mut Primitives<'_>, seen: Dense, mask: Dense, inside: &[f32]) -> Dense {
    let [planes, windows, taps] = [0, 1, 2].map(|axis| seen.shape().dim(axis));
    // No element is less than the least number, and no element of the padding can win a tie.
    let low = inside.iter().map(|inside| (1.0 - inside) * f32::MIN);
    let low = to.data([1, windows, taps], || low.collect());
    let seen = to.add(seen, low);
    let best = to.max(seen, 2).reshaped([planes, windows, 1]);
    let less = to.less_than(seen, best);
    let best = to.not(less);
    let best = to.mul(best, mask);
    to.first(best)
}

fn first<T: Real>(
    elements: impl Iterator<Item = (usize, T)>,
    beats: impl Fn(T, T) -> bool,
) -> Option<usize> {
    let winner = elements.reduce(|best, next| {
        let (a, b) = (next.1, best.1);
        if beats(a, b) || (a.is_nan() && !b.is_nan()) {
            next
        } else {
            best
        }
    });
    winner.map(|(i, _)| i)
}

/// The tap that a winner names, or `None` for −1.
pub(crate) fn tap_of<T: Real>(winner: T) -> Option<usize> {
    winner.to_usize()
}

impl Operation for PoolWinner {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let [x] = operands else {
            return Err(misfit(self, operands));
        };
        self.window.pooled(*x).ok_or_else(|| misfit(self, operands))
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        let Some(spatial) = Spatial::of(operands[0].shape) else {
            return;
        };
        self.window
            .windows(spatial.batch * spatial.channels, |plane, at, window| {
                let x = &operands[0].data[plane * spatial.plane()..];
                let elements = (0..self.window.taps()).filter_map(|tap| {
                    let i = self.window.position(spatial.size, window, tap)?;
                    Some((tap, x[i]))
                });
                let winner = self.winner.of(elements);
                output[at] = winner.map_or(T::of(-1.0), |tap| T::of(tap as f64));
            });
    }

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, _: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![None]) // constant between ties
    }

    fn jvp(&self, _: &mut Graph, _: Applied<'_>, _: &[Option<Value>]) -> Result<Option<Value>> {
        Ok(None)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        let spatial = self.window.spatial(self, operands[0].shape())?;
        let (planes, windows, taps) = self.window.counts(spatial);
        let seen = self.window.unfold(to, planes, spatial.size, operands[0]);
        let inside = self.window.inside(spatial.size);
        let mask = to.data([1, windows, taps], || inside.clone());
        let chosen = match self.winner {
            Winner::Max => largest(to, seen, mask, &inside),
            Winner::Min => {
                let negative = to.scale(seen, -1.0);
                largest(to, negative, mask, &inside)
            }
            Winner::Median | Winner::Rank(_) => {
                let before = to.before(seen.reshaped([planes * windows, taps]));
                let before = before.reshaped([planes, windows, taps, taps]);
                let before = to.mul(before, mask.reshaped([1, windows, 1, taps]));
                let place = to.sum(before, 3);
                let rank = inside
                    .chunks_exact(taps.max(1))
                    .map(|inside| match self.winner {
                        Winner::Rank(rank) => rank as f32,
                        _ => ((inside.iter().sum::<f32>() - 1.0) / 2.0).floor(),
                    });
                let rank = to.data([1, windows, 1], || rank.collect());
                let chosen = to.equal(place, rank);
                to.mul(chosen, mask)
            }
        };
        // The number of the tap that is chosen, from 1, or 0 for none; then from 0, or −1 for none.
        let number = to.data([1, 1, taps], || (1..=taps).map(|tap| tap as f32).collect());
        let number = to.mul(chosen, number);
        let number = to.sum(number, 2);
        Ok(to.shift(number, -1.0).with_shape(shape))
    }
}

impl Operation for PoolGather {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x, winner] if self.window.pooled(*x) == Some(*winner) => Ok(*winner),
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        let Some(spatial) = Spatial::of(operands[0].shape) else {
            return;
        };
        self.window
            .windows(spatial.batch * spatial.channels, |plane, at, window| {
                let x = &operands[0].data[plane * spatial.plane()..];
                let tap = tap_of(operands[1].data[at]);
                let from = tap.and_then(|tap| self.window.position(spatial.size, window, tap));
                output[at] = from.map_or(T::zero(), |i| x[i]);
            });
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        let [x, winner] = [at.operands[0], at.operands[1]];
        let scatter = PoolScatter {
            window: self.window,
            shape: x.shape(),
        };
        Ok(vec![Some(graph.apply(scatter, &[g, winner])?), None]) // yᵢ = x[winnerᵢ]
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        linear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        let spatial = self.window.spatial(self, operands[0].shape())?;
        let (planes, ..) = self.window.counts(spatial);
        let seen = self.window.unfold(to, planes, spatial.size, operands[0]);
        let chosen = self.window.chosen(to, planes, operands[1]);
        let chosen = to.mul(seen, chosen);
        Ok(to.sum(chosen, 2).with_shape(shape))
    }
}

impl Operation for PoolScatter {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [g, winner] if g == winner && self.window.pooled(self.shape) == Some(*g) => {
                Ok(self.shape)
            }
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        let Some(spatial) = Spatial::of(shape) else {
            return;
        };
        self.window
            .windows(spatial.batch * spatial.channels, |plane, at, window| {
                let x = &mut output[plane * spatial.plane()..];
                let tap = tap_of(operands[1].data[at]);
                if let Some(i) = tap.and_then(|tap| self.window.position(spatial.size, window, tap))
                {
                    x[i] = x[i] + operands[0].data[at];
                }
            });
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        let gather = PoolGather {
            window: self.window,
        };
        Ok(vec![Some(graph.apply(gather, &[g, at.operands[1]])?), None])
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        linear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        let spatial = self.window.spatial(self, shape)?;
        let (planes, windows, _) = self.window.counts(spatial);
        let chosen = self.window.chosen(to, planes, operands[1]);
        let g = operands[0].reshaped([planes, windows, 1]);
        let at = to.mul(g, chosen);
        let sums = self.window.fold(to, planes, spatial.size, at);
        Ok(sums.with_shape(shape))
    }
}
