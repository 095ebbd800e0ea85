//! Kernels: what executes an operator, chosen when the graph is compiled. One file a family.

use std::fmt;

use xdnn_ir::Shape;

use super::operands::Operands;
use crate::error::Result;
use crate::ops::Op;

mod axis_map;
mod blocks;
mod convolution;
mod copy;
mod elementwise;
mod fallback;
mod gather;
mod largest;
mod matmul;
mod one_hot;
mod pool;
mod rank;
mod sum;
mod winograd;

pub(super) use copy::Copy;

/// Executes one operator. Its [`Display`](fmt::Display) names it in listings.
pub(super) trait Kernel: fmt::Display + Send + Sync {
    /// Writes every element of `output`, which holds whatever was there before.
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()>;

    /// The memory it needs besides.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Whether the result may be written over an operand of the same size.
    fn in_place(&self) -> bool {
        false
    }
}

/// Memory that a kernel works in, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// In one piece.
    pub shared: usize,
    /// For each of the jobs that run at the same time.
    pub lane: usize,
}

/// The memory that a kernel has asked for; it holds whatever was there before.
pub(super) struct Scratch<'a> {
    /// In one piece.
    pub shared: &'a mut [f32],
    /// For all the jobs.
    pub lanes: &'a mut [f32],
    /// The size of the part of each job.
    pub lane: usize,
}

/// The kernel of an operator.
pub(super) fn choose(op: &Op, operands: &[Shape], shape: Shape) -> Result<Box<dyn Kernel>> {
    Ok(match (op, operands) {
        (Op::Add(_), _) => Box::new(elementwise::Add),
        (Op::Mul(_), _) => Box::new(elementwise::Mul),
        (Op::Map(map), _) => Box::new(elementwise::Map(*map)),
        (Op::Sum(sum), [x]) => Box::new(sum::Sum::new(*sum, *x)),
        (Op::Broadcast(broadcast), [_]) => Box::new(gather::Gather::broadcast(*broadcast)),
        (Op::Permute(permute), [x]) => Box::new(gather::Gather::permute(permute, *x)),
        (Op::Concat(concat), parts) => Box::new(blocks::Blocks::concat(*concat, parts)),
        (Op::Slice(slice), [x]) => Box::new(gather::Gather::slice(*slice, *x)),
        (Op::Place(place), [x]) => Box::new(blocks::Blocks::place(*place, *x)),
        (Op::AxisMap(map), [x]) => Box::new(axis_map::AxisMap::new(map, *x)),
        (Op::MatMul(product), [a, b]) => Box::new(matmul::MatMul::new(*product, *a, *b)?),
        (Op::Convolution(convolution), [a, b]) => convolution::choose(convolution, *a, *b)?,
        (Op::Winograd(op), [x, _]) => Box::new(winograd::Winograd::new(*op, *x, shape)),
        (Op::PoolWinner(pool), [x]) => Box::new(pool::Winner::new(*pool, *x)?),
        (Op::PoolGather(pool), [x, _]) => Box::new(pool::Gather::new(*pool, *x)?),
        (Op::PoolScatter(pool), [_, _]) => Box::new(pool::Scatter::new(*pool)?),
        (Op::OneHot(_), [scores, _]) => Box::new(one_hot::OneHot::new(*scores)),
        (Op::Largest(largest), [x]) => Box::new(largest::Largest::new(*largest, *x)),
        (Op::Rank(_), [x]) => Box::new(rank::Rank::new(*x)),
        (Op::Reshape(_), _) => Box::new(Copy),
        (op, operands) => Box::new(fallback::Fallback::new(op, operands, shape)),
    })
}
