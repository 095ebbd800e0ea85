//! Convolutions and their two transposes.
//!
//! Where a group has more than a few output channels, a convolution is a product of matrices with the unrolled input
//! (im2col), a tile at a time so that what is unrolled stays in the cache. Otherwise the sums are computed directly.

use std::fmt;

use xdnn_ir::Shape;

use super::weight::Weight;
use super::{Kernel, Needs, Operands, Scratch};
use crate::error::{Result, invalid};
use crate::ops::{Blocks, Convolution, Role, Volumes};

mod columns;
mod direct;
mod forward;
mod geometry;
mod input_gradient;
mod weight_gradient;

use direct::Direct;
use forward::Forward;
use geometry::Geometry;
use input_gradient::InputGradient;
use weight_gradient::WeightGradient;

/// Up to this number of output channels in a group, a product of matrices does not pay.
const FEW: usize = 2;

/// The kernel of a convolution. A weight that is `constant` is read in blocks.
pub(super) fn choose(
    op: &Convolution,
    a: Shape,
    b: Shape,
    constant: bool,
) -> Result<Box<dyn Kernel>> {
    let volumes = op.volumes(&[a, b]);
    let volumes = volumes.ok_or_else(|| invalid(format!("no convolution of {a} and {b}")))?;
    let weight = Weight {
        blocks: Blocks {
            groups: op.groups,
            rows: volumes.w.batch / op.groups,
            columns: volumes.w.channels * volumes.w.plane(),
        },
        ready: constant,
    };
    Ok(match op.role {
        _ if volumes.y.channels / op.groups <= FEW || weight.blocks.columns == 0 => {
            Box::new(Direct::new(op, volumes))
        }
        Role::Forward => Box::new(Forward::new(op, volumes, weight)),
        Role::InputGradient => Box::new(InputGradient::new(op, volumes, weight)),
        Role::WeightGradient => Box::new(WeightGradient::new(op, volumes)),
    })
}
