//! Operators on values whose channels are in blocks.

use xdnn_ir::Shape;

use super::{Kernel, Needs, Operands, Scratch};
use crate::error::{Result, invalid};
use crate::ops::{Blocked, CHANNELS, Role, plain};

mod convert;
mod convolution;
pub(super) mod pool;
mod stem;
mod winograd;

pub(super) use convert::{FromBlocks, ToBlocks};
use convolution::Convolution;
use stem::{Stem, StemGradient};
use winograd::Winograd;

/// The kernel of an operator on blocks. A weight that is not `constant` has no such kernel.
pub(super) fn choose(op: &Blocked, x: Shape, w: Shape, y: Shape) -> Result<Box<dyn Kernel>> {
    let misfit = || invalid(format!("no convolution of {x} and {w} in blocks"));
    Ok(match op {
        Blocked::Convolution(op) => {
            let read = plain(x).unwrap_or(x);
            let volumes = op.volumes(&[read, w]).ok_or_else(misfit)?;
            match op.role {
                _ if volumes.x.channels.is_multiple_of(CHANNELS) => {
                    Box::new(Convolution::new(op, volumes))
                }
                Role::Forward => Box::new(Stem::new(op, volumes)),
                _ => Box::new(StemGradient::new(op, volumes)),
            }
        }
        Blocked::Winograd(op) => Box::new(Winograd::new(*op, x, y)),
    })
}
