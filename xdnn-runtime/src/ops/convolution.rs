//! Convolutions of one to three spatial axes, and their two transposes.

use xdnn_ir::Shape;

use super::index::Spatial;
use super::{
    Applied, Channels, Operation, PoolWindow, Real, Sizes, TensorView, bilinear_tangent, misfit,
};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// Which member of the triple `(x, w, y)` of `⟨y, conv(x, w)⟩` an operator computes from the two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `conv(x, w)` from `x` and `w`: the convolution itself.
    Forward,
    /// The cotangent of `x` from `y` and `w`: a transposed convolution.
    InputGradient,
    /// The cotangent of `w` from `x` and `y`.
    WeightGradient,
}

/// One of the three bilinear maps that share the trilinear form `T(x, w, y) = ⟨y, conv(x, w)⟩`, with
/// `x: (N, C, …)`, `w: (O, C / groups, …)`, `y: (N, O, …)`. The derivatives of each are the two others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convolution {
    /// What it computes.
    pub role: Role,
    /// The shape of the result; with strides, it does not follow from those of the operands.
    pub shape: Shape,
    /// Step between windows, for depth, height, width.
    pub stride: [usize; 3],
    /// Zeros on each side.
    pub padding: [usize; 3],
    /// Distance between the kernel's elements.
    pub dilation: [usize; 3],
    /// Number of groups of channels.
    pub groups: usize,
}

/// The three tensors of a convolution, as volumes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volumes {
    pub x: Spatial,
    pub w: Spatial,
    pub y: Spatial,
}

impl Volumes {
    /// The kernels of one group.
    pub(crate) fn kernels(&self) -> Channels {
        Channels {
            outputs: self.w.batch,
            inputs: self.w.channels,
            taps: self.w.plane(),
        }
    }
}

impl Convolution {
    fn with(self, role: Role, shape: Shape) -> Self {
        Self {
            role,
            shape,
            ..self
        }
    }

    /// `x`, `w` and `y` from the operands; `None` where they do not fit together.
    pub(crate) fn volumes(&self, operands: &[Shape]) -> Option<Volumes> {
        let [a, b] = operands else { return None };
        let (x, w, y) = match self.role {
            Role::Forward => (*a, *b, self.shape),
            Role::InputGradient => (self.shape, *b, *a),
            Role::WeightGradient => (*a, self.shape, *b),
        };
        let (x, w, y) = (Spatial::of(x)?, Spatial::of(w)?, Spatial::of(y)?);
        let channels = w.channels.checked_mul(self.groups)? == x.channels
            && w.batch == y.channels
            && self.groups > 0
            && y.channels.is_multiple_of(self.groups);
        let space = (0..3).all(|axis| {
            let extent = (w.size[axis].max(1) - 1) * self.dilation[axis] + 1;
            let padded = x.size[axis] + 2 * self.padding[axis];
            self.stride[axis] > 0
                && padded >= extent
                && (padded - extent) / self.stride[axis] + 1 == y.size[axis]
        });
        (x.batch == y.batch && channels && space).then_some(Volumes { x, w, y })
    }

    /// Calls `visit(x, w, y)` with the positions of the elements of every product that the trilinear form sums.
    fn products(&self, v: Volumes, mut visit: impl FnMut(usize, usize, usize)) {
        let (outputs, inputs) = (v.y.channels / self.groups, v.w.channels);
        let taps = |axis: usize, at: usize| {
            let start = at * self.stride[axis];
            (0..v.w.size[axis]).filter_map(move |k| {
                let padded = start + k * self.dilation[axis];
                let i = padded.checked_sub(self.padding[axis])?;
                (i < v.x.size[axis]).then_some((k, i))
            })
        };
        let at = |s: Spatial, plane: usize, [d, h, w]: [usize; 3]| {
            ((plane * s.size[0] + d) * s.size[1] + h) * s.size[2] + w
        };
        for n in 0..v.y.batch {
            for o in 0..v.y.channels {
                let group = o / outputs.max(1);
                for d in 0..v.y.size[0] {
                    for h in 0..v.y.size[1] {
                        for w in 0..v.y.size[2] {
                            let y = at(v.y, n * v.y.channels + o, [d, h, w]);
                            for c in 0..inputs {
                                let x_plane = n * v.x.channels + group * inputs + c;
                                for (kd, id) in taps(0, d) {
                                    for (kh, ih) in taps(1, h) {
                                        for (kw, iw) in taps(2, w) {
                                            let x = at(v.x, x_plane, [id, ih, iw]);
                                            visit(x, at(v.w, o * inputs + c, [kd, kh, kw]), y);
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Operation for Convolution {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let ranks = operands
            .iter()
            .all(|shape| shape.rank() == self.shape.rank());
        let fits = ranks && self.volumes(operands).is_some();
        fits.then_some(self.shape)
            .ok_or_else(|| misfit(self, operands))
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        let [a, b] = [operands[0], operands[1]];
        let Some(volumes) = self.volumes(&[a.shape, b.shape]) else {
            return;
        };
        let mut add = |at: usize, product: T| output[at] = output[at] + product;
        match self.role {
            Role::Forward => self.products(volumes, |x, w, y| add(y, a.data[x] * b.data[w])),
            Role::InputGradient => self.products(volumes, |x, w, y| add(x, a.data[y] * b.data[w])),
            Role::WeightGradient => self.products(volumes, |x, w, y| add(w, a.data[x] * b.data[y])),
        }
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        use Role::{Forward, InputGradient, WeightGradient};
        let [a, b] = [at.operands[0], at.operands[1]];
        let (of_a, of_b) = match self.role {
            Forward => ((InputGradient, [g, b]), (WeightGradient, [a, g])), // y(x, w):  x̄ = x(g, w),  w̄ = w(x, g)
            InputGradient => ((Forward, [g, b]), (WeightGradient, [g, a])), // x(y, w):  ȳ = y(g, w),  w̄ = w(g, y)
            WeightGradient => ((InputGradient, [b, g]), (Forward, [a, g])), // w(x, y):  x̄ = x(y, g),  ȳ = y(x, g)
        };
        let of_a = graph.apply(self.with(of_a.0, a.shape()), &of_a.1)?;
        let of_b = graph.apply(self.with(of_b.0, b.shape()), &of_b.1)?;
        Ok(vec![Some(of_a), Some(of_b)])
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        bilinear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        let shapes = [operands[0].shape(), operands[1].shape()];
        let volumes = self.volumes(&shapes);
        let Volumes { x, w, y } = volumes.ok_or_else(|| misfit(self, &shapes))?;
        let x_size = x.size;
        let [n, g, c, o] = [
            x.batch,
            self.groups,
            w.channels,
            w.batch / self.groups.max(1),
        ];
        let (planes, taps, places) = (n * g * c, w.plane(), y.plane());
        let windows = PoolWindow {
            kernel: w.size,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            output: y.size,
        };
        // What each place of a group sees, and what it gives: `(g, n · places, c · taps)` and `(g, n · places, o)`.
        let seen = |to: &mut Primitives<'_>, x: Dense| {
            let seen = windows.unfold(to, planes, x_size, x);
            to.permute(seen.reshaped([n, g, c, places, taps]), &[1, 0, 3, 2, 4])
        };
        let given = |to: &mut Primitives<'_>, y: Dense| {
            to.permute(y.reshaped([n, g, o, places]), &[1, 0, 3, 2])
        };
        let sizes = |m, k, n| Sizes { batch: g, m, k, n };
        let [a, b] = [operands[0], operands[1]];
        let result = match self.role {
            Role::Forward => {
                let seen = seen(to, a);
                let y = to.product((seen, false), (b, true), sizes(n * places, c * taps, o));
                to.permute(y.reshaped([g, n, places, o]), &[1, 0, 3, 2])
            }
            Role::InputGradient => {
                let given = given(to, a);
                let seen = to.product((given, false), (b, false), sizes(n * places, o, c * taps));
                let seen = to.permute(seen.reshaped([g, n, places, c, taps]), &[1, 0, 3, 2, 4]);
                windows.fold(to, planes, x.size, seen)
            }
            Role::WeightGradient => {
                let (seen, given) = (seen(to, a), given(to, b));
                to.product((given, true), (seen, false), sizes(o, n * places, c * taps))
            }
        };
        Ok(result.with_shape(shape))
    }
}
