//! The dialect: the operators that graphs are made of, one file a family.
//!
//! Each operator has, in one place, its shape rule, its exact evaluation (the oracle of every backend), its two
//! derivatives as graphs of the same operators, and its lowering to luminal's primitives. The set is closed under differentiation, so second derivatives need no
//! further rules. To add an operator, write [`Operation`] for it and name it in `operations!` below.

use std::fmt::{self, Debug};

use luminal::op::{InputTensor, Operator};
use luminal::prelude::{ShapeTracker, Tensor};
use num_traits::{Float, FromPrimitive};
use xdnn_ir::Shape;

use crate::error::{Error, Result, invalid};
use crate::graph::{Buffer, Graph, Value, held};
use crate::lowering::{Dense, Primitives};

mod axis_map;
mod blocked;
mod broadcast;
mod concat;
mod convolution;
mod elementwise;
mod fused;
mod index;
mod largest;
mod layout;
mod leaf;
mod matmul;
mod one_hot;
mod pool;
mod rank;
mod signs;
mod view;
mod winograd;

pub use axis_map::{AxisMap, SparseMap};
pub use blocked::{Blocked, FromBlocks, ToBlocks};
pub(crate) use blocked::{CHANNELS, blocked, plain};
pub use broadcast::{Axes, Broadcast, Sum};
pub use concat::{Concat, Place, Slice};
pub use convolution::{Convolution, Role};
pub use elementwise::{Add, Map, Mul, Slopes};
pub use fused::{Fused, Stage};
pub use index::Spatial;
pub use largest::Largest;
pub use layout::{Blocks, Channels, Direction, Layout};
pub use leaf::{Constant, Leaf};
pub use matmul::MatMul;
pub use one_hot::OneHot;
pub(crate) use one_hot::argmax;
pub use pool::{PoolGather, PoolScatter, PoolWindow, PoolWinner, Winner};
pub use rank::Rank;
pub use signs::{Select, Signs};
pub use view::{Permute, Reshape};
pub use winograd::{Kernels, Winograd};

pub(crate) use convolution::Volumes;
pub(crate) use index::{around, strides};
pub(crate) use matmul::Sizes;
pub(crate) use pool::tap_of;
pub(crate) use signs::WORD;
pub(crate) use winograd::{READ, SIDE};

/// A number that graphs compute with: `f32` or `f64`.
pub trait Real: Float + FromPrimitive + Debug + Default + Send + Sync + 'static {
    /// The nearest number of this type.
    fn of(value: f64) -> Self;

    /// The error function, `2/√π · ∫₀ˣ e^(−t²) dt`.
    fn erf(self) -> Self;

    /// A number that holds 32 bits, and stands for nothing else.
    fn from_bits32(bits: u32) -> Self;

    /// The bits that [`Real::from_bits32`] has put there.
    fn to_bits32(self) -> u32;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as Self
    }

    fn erf(self) -> Self {
        libm::erff(self)
    }

    fn from_bits32(bits: u32) -> Self {
        Self::from_bits(bits)
    }

    fn to_bits32(self) -> u32 {
        self.to_bits()
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn erf(self) -> Self {
        libm::erf(self)
    }

    fn from_bits32(bits: u32) -> Self {
        Self::from_bits(bits.into())
    }

    fn to_bits32(self) -> u32 {
        self.to_bits() as u32
    }
}

/// A tensor in row-major order.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a, T> {
    /// The elements.
    pub data: &'a [T],
    /// The dimensions; their product is the number of elements.
    pub shape: Shape,
}

/// Where an operator stands in a graph: what it reads and what it has written.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// What it reads.
    pub operands: &'a [Value],
    /// What it has written.
    pub output: Value,
}

/// An operator of the dialect.
pub trait Operation: Clone + Debug + PartialEq + Into<Op> {
    /// The shape of the result, or why operands of these shapes do not fit.
    fn shape(&self, operands: &[Shape]) -> Result<Shape>;

    /// Writes the result for `operands`, whose shapes have passed [`Operation::shape`], into `output`, which has the
    /// shape that it returned and holds zeros.
    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]);

    /// The vector-Jacobian products: for a cotangent `g` of the result, the cotangent of each operand; `None` is zero.
    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>>;

    /// The Jacobian-vector product: for tangents of the operands, the tangent of the result; `None` is zero.
    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>>;

    /// The same result from luminal's primitives, for operands that they have computed.
    ///
    /// # Errors
    ///
    /// [`Error::Graph`] of operators that only passes put into graphs: these are lowered before passes run.
    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense>;
}

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// An operator of the dialect.
        #[derive(Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Op { $(#[doc = concat!("[`", stringify!($name), "`].")] $name($name)),* }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Self {
                Self::$name(op)
            }
        })*

        /// `MatMul { … }`: the operator alone, without the variant that holds it.
        impl Debug for Op {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$name(op) => op.fmt(f)),* }
            }
        }

        impl Op {
            /// The operator's name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name)),* }
            }

            pub(crate) fn shape(&self, operands: &[Shape]) -> Result<Shape> {
                match self { $(Self::$name(op) => op.shape(operands)),* }
            }

            pub(crate) fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
                match self { $(Self::$name(op) => op.eval(operands, shape, output)),* }
            }

            pub(crate) fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
                match self { $(Self::$name(op) => op.vjp(graph, at, g)),* }
            }

            pub(crate) fn jvp(
                &self,
                graph: &mut Graph,
                at: Applied<'_>,
                tangents: &[Option<Value>],
            ) -> Result<Option<Value>> {
                match self { $(Self::$name(op) => op.jvp(graph, at, tangents)),* }
            }

            pub(crate) fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
                match self { $(Self::$name(op) => op.lower(to, operands, shape)),* }
            }
        }
    };
}

operations! {
    Leaf, Constant,
    Add, Mul, Map,
    Sum, Broadcast,
    Reshape, Permute,
    Concat, Slice, Place,
    AxisMap,
    MatMul, Convolution, Winograd,
    PoolWinner, PoolGather, PoolScatter,
    OneHot, Largest, Rank,
    Signs, Select, Fused,
    ToBlocks, FromBlocks, Blocked,
}

/// An operator of the dialect as luminal's graph holds it, with the shape of its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialect {
    /// The operator.
    pub op: Op,
    /// The shape of its result.
    pub shape: Shape,
}

impl Operator for Dialect {
    fn process(&mut self, operands: Vec<(InputTensor, ShapeTracker)>) -> Vec<Tensor> {
        let evaluated = self
            .process_as::<f32>(&operands)
            .or_else(|| self.process_as::<f64>(&operands));
        evaluated.into_iter().collect()
    }
}

impl Dialect {
    /// `None` where some operand holds numbers of another type.
    fn process_as<T: Real>(&self, operands: &[(InputTensor, ShapeTracker)]) -> Option<Tensor> {
        let tensors: Option<Vec<_>> = operands
            .iter()
            .map(|(tensor, tracker)| view::<T>(tensor, tracker))
            .collect();
        let mut output = vec![T::zero(); self.shape.elements()];
        self.op.eval(&tensors?, self.shape, &mut output);
        Some(Tensor::new(Buffer(output)))
    }
}

fn view<'a, T: Real>(tensor: &'a InputTensor, tracker: &ShapeTracker) -> Option<TensorView<'a, T>> {
    let dims: Option<Vec<usize>> = tracker.dims.iter().map(|dim| dim.to_usize()).collect();
    Some(TensorView {
        data: held(tensor.borrowed())?,
        shape: Shape::from_slice(&dims?)?,
    })
}

/// The error of operands that an operator cannot take.
pub(crate) fn misfit(op: &impl Debug, operands: &[Shape]) -> Error {
    invalid(format!(
        "`{op:?}` does not take operands of the shapes {operands:?}"
    ))
}

/// The error of an operator that only passes put into graphs.
pub(crate) fn no_lowering(op: &str) -> Error {
    invalid(format!(
        "`{op}` has no lowering: graphs are lowered before passes run"
    ))
}

/// The sum of two tangents or cotangents, either of which may be zero.
pub(crate) fn accumulate(
    graph: &mut Graph,
    a: Option<Value>,
    b: Option<Value>,
) -> Result<Option<Value>> {
    match (a, b) {
        (Some(a), Some(b)) => graph.add(a, b).map(Some),
        (a, b) => Ok(a.or(b)),
    }
}

/// The tangent of the result of an operator that is linear in its first operand and reads no tangent of the others.
pub(crate) fn linear_tangent<O: Operation>(
    op: &O,
    graph: &mut Graph,
    at: Applied<'_>,
    tangents: &[Option<Value>],
) -> Result<Option<Value>> {
    let Some(tangent) = tangents[0] else {
        return Ok(None);
    };
    let operands = [&[tangent], &at.operands[1..]].concat();
    graph.apply(op.clone(), &operands).map(Some)
}

/// The tangent of the result of an operator that is linear in each of its two operands: `d f(a, b) = f(da, b) + f(a, db)`.
pub(crate) fn bilinear_tangent<O: Operation>(
    op: &O,
    graph: &mut Graph,
    at: Applied<'_>,
    tangents: &[Option<Value>],
) -> Result<Option<Value>> {
    let [a, b] = [at.operands[0], at.operands[1]];
    let da = tangents[0].map(|t| graph.apply(op.clone(), &[t, b]));
    let db = tangents[1].map(|t| graph.apply(op.clone(), &[a, t]));
    let (da, db) = (da.transpose()?, db.transpose()?);
    accumulate(graph, da, db)
}
