//! Operators on values whose channels are in blocks.

use xdnn_ir::Shape;

use super::{Kernel, Needs, Operands, Scratch};
use crate::error::{Result, invalid};
use crate::ops::{Blocked, plain};

mod convert;
mod convolution;
pub(super) mod pool;
mod winograd;

pub(super) use convert::{FromBlocks, ToBlocks};
use convolution::Convolution;
use winograd::Winograd;

/// The kernel of an operator on blocks. A weight that is not `constant` has no such kernel.
pub(super) fn choose(op: &Blocked, x: Shape, w: Shape, y: Shape) -> Result<Box<dyn Kernel>> {
    let misfit = || invalid(format!("no convolution of {x} and {w} in blocks"));
    Ok(match op {
        Blocked::Convolution(op) => {
            let read = plain(x).ok_or_else(misfit)?;
            let volumes = op.volumes(&[read, w]).ok_or_else(misfit)?;
            Box::new(Convolution::new(op, volumes))
        }
        Blocked::Winograd(op) => Box::new(Winograd::new(*op, x, y)),
    })
}
