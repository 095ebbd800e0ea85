//! Slopes as bits: what a backward pass needs of a piecewise linear function.

use xdnn_ir::Shape;

use super::{Applied, Operation, Real, TensorView, linear_tangent, misfit, no_lowering};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// The elements whose signs are in one number of [`Signs`].
pub(crate) const WORD: usize = u32::BITS as usize;

/// Which elements are positive, as bits: element `i` of `x` is bit `i mod 32` of element `⌊i/32⌋`, a number that is made of
/// 32 bits ([`Real::from_bits32`]) and means nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signs;

/// `s·g`, with one slope where a bit of [`Signs`] is set and one where it is not. A slope of 0 cuts off whatever stands there, infinities
/// included, but not what is no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Select {
    /// Where the bit is set.
    pub positive: f64,
    /// Where it is not.
    pub other: f64,
}

impl Select {
    /// The product for one element.
    pub(crate) fn apply<T: Real>(self, g: T, set: bool) -> T {
        match if set { self.positive } else { self.other } {
            0.0 if !g.is_nan() => T::zero(),
            slope => T::of(slope) * g,
        }
    }
}

impl Operation for Signs {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] => Ok(Shape::new([x.elements().div_ceil(WORD)])),
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        for (word, x) in output.iter_mut().zip(operands[0].data.chunks(WORD)) {
            let bits = x.iter().zip(0..);
            let bits = bits.map(|(x, i)| u32::from(*x > T::zero()) << i);
            *word = T::from_bits32(bits.sum());
        }
    }

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, _: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![None]) // constant between kinks
    }

    fn jvp(&self, _: &mut Graph, _: Applied<'_>, _: &[Option<Value>]) -> Result<Option<Value>> {
        Ok(None)
    }

    fn lower(&self, _: &mut Primitives<'_>, _: &[Dense], _: Shape) -> Result<Dense> {
        Err(no_lowering("Signs"))
    }
}

impl Operation for Select {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [g, signs] if Signs.shape(&[*g])? == *signs => Ok(*g),
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        let [g, signs] = [operands[0].data, operands[1].data];
        for (i, (y, g)) in output.iter_mut().zip(g).enumerate() {
            let set = signs[i / WORD].to_bits32() >> (i % WORD) & 1 == 1;
            *y = self.apply(*g, set);
        }
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![Some(graph.apply(*self, &[g, at.operands[1]])?), None]) // d(s·g) = s dg
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
        Err(no_lowering("Select"))
    }
}
