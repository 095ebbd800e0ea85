//! Values whose channels are in blocks: `(N, C/16, H, W, 16)` for `(N, C, H, W)`, so that a vector holds channels.

use xdnn_ir::Shape;

use super::{
    Applied, Convolution, Op, Operation, Real, Role, TensorView, Winograd, linear_tangent, misfit,
    no_lowering,
};
use crate::error::{Result, invalid};
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// The channels of a block.
pub(crate) const CHANNELS: usize = 16;

/// `(N, C, H, W)` with its channels in blocks, `(N, C/16, H, W, 16)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToBlocks;

/// The inverse of [`ToBlocks`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FromBlocks;

/// A convolution that reads and writes values whose channels are in blocks, where they make whole blocks. The kernel is what it is
/// for the convolution.
///
/// A pass puts it into graphs that have been differentiated; it has no derivatives.
#[derive(Clone, Copy, PartialEq)]
pub enum Blocked {
    /// A convolution or its input gradient, of one group and two spatial axes. Output channels make whole blocks; where input channels
    /// do not, they are as they are for the convolution.
    Convolution(Convolution),
    /// One by Winograd's algorithm.
    Winograd(Winograd),
}

/// `(N, C/16, H, W, 16)` for `(N, C, H, W)`.
pub(crate) fn blocked(plain: Shape) -> Option<Shape> {
    match *plain.dims() {
        [n, c, h, w] if c.is_multiple_of(CHANNELS) && c > 0 => {
            Some(Shape::new([n, c / CHANNELS, h, w, CHANNELS]))
        }
        _ => None,
    }
}

/// `(N, C, H, W)` for `(N, C/16, H, W, 16)`.
pub(crate) fn plain(blocked: Shape) -> Option<Shape> {
    match *blocked.dims() {
        [n, blocks, h, w, CHANNELS] => Some(Shape::new([n, CHANNELS * blocks, h, w])),
        _ => None,
    }
}

/// Calls `visit(plain, blocked)` with the positions of each element.
fn positions(plain: Shape, mut visit: impl FnMut(usize, usize)) {
    let plane = plain.dim(2) * plain.dim(3);
    for i in 0..plain.elements() {
        let (channel, at) = (i / plane, i % plane);
        let block = channel / CHANNELS * plane + at;
        visit(i, block * CHANNELS + channel % CHANNELS);
    }
}

impl Operation for ToBlocks {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let shape = operands.first().filter(|_| operands.len() == 1);
        let shape = shape.and_then(|x| blocked(*x));
        shape.ok_or_else(|| misfit(self, operands))
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        positions(operands[0].shape, |plain, blocked| {
            output[blocked] = operands[0].data[plain];
        });
    }

    fn vjp(&self, graph: &mut Graph, _: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![Some(graph.apply(FromBlocks, &[g])?)])
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        linear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, _: &mut Primitives<'_>, _: &[Dense], _: Shape) -> Result<Dense> {
        Err(no_lowering("ToBlocks"))
    }
}

impl Operation for FromBlocks {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let shape = operands.first().filter(|_| operands.len() == 1);
        let shape = shape.and_then(|x| plain(*x));
        shape.ok_or_else(|| misfit(self, operands))
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        positions(shape, |plain, blocked| {
            output[plain] = operands[0].data[blocked];
        });
    }

    fn vjp(&self, graph: &mut Graph, _: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![Some(graph.apply(ToBlocks, &[g])?)])
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        linear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, _: &mut Primitives<'_>, _: &[Dense], _: Shape) -> Result<Dense> {
        Err(no_lowering("FromBlocks"))
    }
}

impl Blocked {
    fn inner(self) -> Op {
        match self {
            Self::Convolution(op) => op.into(),
            Self::Winograd(op) => op.into(),
        }
    }

    /// What the convolution reads, for what this reads: channels that make whole blocks are in blocks.
    fn read(self, x: Shape) -> Option<Shape> {
        let few = match self {
            Self::Convolution(op) => op.role == Role::Forward && x.rank() == 4 && x.elements() > 0,
            Self::Winograd(_) => false,
        };
        plain(x).or_else(|| (few && blocked(x).is_none()).then_some(x))
    }
}

impl Operation for Blocked {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let [x, w] = operands else {
            return Err(misfit(self, operands));
        };
        let one_group = !matches!(self, Self::Convolution(op) if op.groups != 1);
        let x = self.read(*x).filter(|_| one_group);
        let x = x.ok_or_else(|| misfit(self, operands))?;
        let shape = self.inner().shape(&[x, *w])?;
        let to_few = match self {
            Self::Convolution(op) => op.role == Role::InputGradient && plain(operands[0]).is_some(),
            Self::Winograd(_) => false,
        };
        let written = blocked(shape).or_else(|| to_few.then_some(shape));
        written.ok_or_else(|| misfit(self, operands))
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        let [x, w] = [operands[0], operands[1]];
        let (mut read, mut unblocked) = (x, Vec::new());
        if let Some(shape) = plain(x.shape) {
            unblocked.resize(shape.elements(), T::zero());
            FromBlocks.eval(&[x], shape, &mut unblocked);
            let data = &unblocked;
            read = TensorView { data, shape };
        }
        let Some(to) = plain(shape) else {
            self.inner().eval(&[read, w], shape, output);
            return;
        };
        let mut result = vec![T::zero(); to.elements()];
        self.inner().eval(&[read, w], to, &mut result);
        let result = TensorView {
            data: &result,
            shape: to,
        };
        ToBlocks.eval(&[result], shape, output);
    }

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, _: Value) -> Result<Vec<Option<Value>>> {
        Err(no_derivative())
    }

    fn jvp(&self, _: &mut Graph, _: Applied<'_>, _: &[Option<Value>]) -> Result<Option<Value>> {
        Err(no_derivative())
    }

    fn lower(&self, _: &mut Primitives<'_>, _: &[Dense], _: Shape) -> Result<Dense> {
        Err(no_lowering("Blocked"))
    }
}

fn no_derivative() -> crate::Error {
    invalid("`Blocked` has no derivative: graphs are differentiated before passes run".to_owned())
}

/// The operator that it is in blocks.
impl std::fmt::Debug for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blocked {:?}", self.inner())
    }
}
