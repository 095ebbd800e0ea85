//! Operators with what happens to each element of their result.

use std::fmt;

use xdnn_ir::Shape;

use super::{Add, Applied, Map, Mul, Op, Operation, Real, Select, TensorView, misfit, no_lowering};
use crate::error::{Result, invalid};
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// An operator and stages that its result passes through, so that no value between them needs memory.
///
/// The operands are those of the operator, then those of the stages, in order. A pass puts it into graphs that have been
/// differentiated; it has no derivatives.
#[derive(Clone, PartialEq)]
pub struct Fused {
    /// What is computed first.
    pub op: Box<Op>,
    /// How many operands it reads.
    pub reads: usize,
    /// What happens then.
    pub stages: Vec<Stage>,
}

/// What happens to each element of a result.
#[derive(Clone, Copy, PartialEq)]
pub enum Stage {
    /// A function of it.
    Map(Map),
    /// The element of a further operand is added.
    Add,
    /// It is multiplied by the element of a further operand.
    Mul,
    /// It gets one of two slopes, by the bits that are a further operand.
    Select(Select),
}

impl Stage {
    /// The stage that does what an operator does to its operand number `at`, and which operand it reads besides.
    pub(crate) fn of(op: &Op, at: usize) -> Option<(Self, Option<usize>)> {
        Some(match op {
            Op::Map(map) => (Self::Map(*map), None),
            Op::Add(_) => (Self::Add, Some(1 - at)),
            Op::Mul(_) => (Self::Mul, Some(1 - at)),
            Op::Select(select) if at == 0 => (Self::Select(*select), Some(1)),
            _ => return None,
        })
    }

    /// How many operands it reads besides.
    pub(crate) fn reads(self) -> usize {
        usize::from(!matches!(self, Self::Map(_)))
    }

    fn apply<T: Real>(self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        match self {
            Self::Map(map) => map.eval(operands, shape, output),
            Self::Add => Add.eval(operands, shape, output),
            Self::Mul => Mul.eval(operands, shape, output),
            Self::Select(select) => select.eval(operands, shape, output),
        }
    }

    fn shape(self, operands: &[Shape]) -> Result<Shape> {
        match self {
            Self::Map(map) => map.shape(operands),
            Self::Add => Add.shape(operands),
            Self::Mul => Mul.shape(operands),
            Self::Select(select) => select.shape(operands),
        }
    }
}

impl Fused {
    /// The stages, each with the number of the first operand that it reads.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (Stage, usize)> {
        let mut next = self.reads;
        self.stages.iter().map(move |stage| {
            let first = next;
            next += stage.reads();
            (*stage, first)
        })
    }
}

impl Operation for Fused {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let expected = self.reads + self.stages.iter().map(|stage| stage.reads()).sum::<usize>();
        if operands.len() != expected {
            return Err(misfit(self, operands));
        }
        let shape = self.op.shape(&operands[..self.reads])?;
        for (stage, first) in self.numbered() {
            let others = &operands[first..first + stage.reads()];
            if stage.shape(&[&[shape], others].concat())? != shape {
                return Err(misfit(self, operands));
            }
        }
        Ok(shape)
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        self.op.eval(&operands[..self.reads], shape, output);
        for (stage, first) in self.numbered() {
            let data = output.to_vec();
            let value = TensorView { data: &data, shape };
            let others = &operands[first..first + stage.reads()];
            stage.apply(&[&[value], others].concat(), shape, output);
        }
    }

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, _: Value) -> Result<Vec<Option<Value>>> {
        Err(no_derivative())
    }

    fn jvp(&self, _: &mut Graph, _: Applied<'_>, _: &[Option<Value>]) -> Result<Option<Value>> {
        Err(no_derivative())
    }

    fn lower(&self, _: &mut Primitives<'_>, _: &[Dense], _: Shape) -> Result<Dense> {
        Err(no_lowering("Fused"))
    }
}

fn no_derivative() -> crate::Error {
    invalid("`Fused` has no derivative: graphs are differentiated before passes run".to_owned())
}

/// `Convolution { … } → Add → Map PiecewiseLinear(…)`.
impl fmt::Debug for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.op.fmt(f)?;
        self.stages
            .iter()
            .try_for_each(|stage| write!(f, " → {stage:?}"))
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(map) => map.fmt(f),
            Self::Add => Add.fmt(f),
            Self::Mul => Mul.fmt(f),
            Self::Select(select) => select.fmt(f),
        }
    }
}
