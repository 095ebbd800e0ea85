//! Kernels: what executes an operator, chosen when the graph is compiled. One file a family.

use std::fmt;

use xdnn_ir::Shape;

use super::operands::Operands;
use crate::error::{Result, invalid};
use crate::ops::{Layout, Op};

mod axis_map;
mod blocked;
mod blocks;
mod convolution;
mod copy;
mod fallback;
mod finish;
mod gather;
mod largest;
mod matmul;
mod one_hot;
mod pool;
mod rank;
mod signs;
mod sum;
mod weight;
mod winograd;

pub(super) use copy::Copy;
pub(super) use finish::Finish;

/// Executes one operator. Its [`Display`](fmt::Display) names it in listings.
pub(super) trait Kernel: fmt::Display + Send + Sync {
    /// Writes every element of `output`, which holds whatever was there before, and finishes it where it says that it does.
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()>;

    /// Whether it applies [`Operands::finish`] to all that it writes; otherwise that happens afterwards.
    fn finishes(&self) -> bool {
        false
    }

    /// The memory it needs besides.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The layout in which it reads operand 1, a constant weight, where that is not its own.
    fn layout(&self) -> Option<Layout> {
        None
    }

    /// Whether the result may be written over operand 0, if it has the same size.
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

impl<'a> Scratch<'a> {
    /// The memory in one piece, and that of the jobs.
    fn split(self) -> (&'a mut [f32], Self) {
        let rest = Self {
            shared: &mut [],
            ..self
        };
        (self.shared, rest)
    }

    /// The same, to be used again afterwards.
    fn again(&mut self) -> Scratch<'_> {
        Scratch {
            shared: self.shared,
            lanes: self.lanes,
            lane: self.lane,
        }
    }
}

/// The kernel of an operator, whose operand 1 may be a `constant` weight: one that stays the same from run to run.
pub(super) fn choose(
    op: &Op,
    operands: &[Shape],
    shape: Shape,
    constant: bool,
) -> Result<Box<dyn Kernel>> {
    Ok(match (op, operands) {
        (Op::Sum(sum), [x]) => Box::new(sum::Sum::new(*sum, *x)),
        (Op::Broadcast(broadcast), [_]) => Box::new(gather::Gather::broadcast(*broadcast)),
        (Op::Permute(permute), [x]) => Box::new(gather::Gather::permute(permute, *x)),
        (Op::Concat(concat), parts) => Box::new(blocks::Blocks::concat(*concat, parts)),
        (Op::Slice(slice), [x]) => Box::new(gather::Gather::slice(*slice, *x)),
        (Op::Place(place), [x]) => Box::new(blocks::Blocks::place(*place, *x)),
        (Op::AxisMap(map), [x]) => Box::new(axis_map::AxisMap::new(map, *x)),
        (Op::MatMul(product), [a, b]) => matmul::choose(*product, *a, *b, constant)?,
        (Op::Convolution(convolution), [a, b]) => {
            convolution::choose(convolution, *a, *b, constant)?
        }
        (Op::Winograd(op), [x, _]) => Box::new(winograd::Winograd::new(*op, *x, shape)),
        (Op::PoolWinner(pool), [x]) => match blocked::pool::Winner::new(pool, *x) {
            Some(kernel) => Box::new(kernel),
            None => Box::new(pool::Winner::new(*pool, *x)?),
        },
        (Op::PoolGather(pool), [x, _]) => match blocked::pool::Gather::new(pool, *x) {
            Some(kernel) => Box::new(kernel),
            None => Box::new(pool::Gather::new(*pool, *x)?),
        },
        (Op::PoolScatter(pool), [_, _]) => match blocked::pool::Scatter::new(pool) {
            Some(kernel) => Box::new(kernel),
            None => Box::new(pool::Scatter::new(*pool)?),
        },
        (Op::OneHot(_), [scores, _]) => Box::new(one_hot::OneHot::new(*scores)),
        (Op::Largest(largest), [x]) => Box::new(largest::Largest::new(*largest, *x)),
        (Op::ToBlocks(_), [x]) => Box::new(blocked::ToBlocks::new(*x)),
        (Op::FromBlocks(_), [x]) => Box::new(blocked::FromBlocks::new(*x)),
        (Op::Blocked(op), [x, w]) if constant => blocked::choose(op, *x, *w, shape)?,
        (Op::Signs(_), [_]) => Box::new(signs::Signs),
        (Op::Rank(_), [x]) => Box::new(rank::Rank::new(*x)),
        (Op::Blocked(op), _) => {
            return Err(invalid(format!(
                "`{op:?}` reads a weight that is not constant"
            )));
        }
        (op, operands) => Box::new(fallback::Fallback::new(op, operands, shape)),
    })
}
