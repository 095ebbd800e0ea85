//! The same numbers under other dimensions or in another order. Ours keep the batch, ONNX has none: where the first axis does not stay, the
//! whole tensor is one sample.

use xdnn_ir::Shape;
use xdnn_ir::layer::{Flatten, Permute, Reshape};

use super::operator::{Operator, batched};
use super::skip::Skip;
use super::trial::{Builder, Trial};

/// All axes before `axis` are the batch.
pub fn flatten(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["axis"])?;
    let x = op.floats(0)?;
    let axis = op.axis(op.int("axis", 1)?, x.ndim())?;
    let (mut network, x) = Builder::of(batched(&x, axis)?)?;
    let output = network.layer(Flatten {}, x)?;
    Ok(network.expect(output, op.expected()?))
}

/// The target is resolved here as the standard has it, not read off the expected output.
pub fn reshape(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["allowzero", "shape"])?;
    let x = op.floats(0)?;
    let target = match op.optional_ints(1)? {
        Some(target) => target,
        None => op.ints("shape")?.unwrap_or_default(),
    };
    let copies_zeros = !op.flag("allowzero")?;
    let mut dims: Vec<usize> = Vec::new();
    for (i, dim) in target.iter().enumerate() {
        let copied = x.shape().get(i).copied().unwrap_or_default();
        dims.push(match usize::try_from(*dim) {
            Ok(0) if copies_zeros => copied,
            Ok(dim) => dim,
            // −1 takes what is left.
            Err(_) => 1,
        });
    }
    if let Some(rest) = target.iter().position(|dim| *dim < 0) {
        dims[rest] = x.len() / dims.iter().product::<usize>().max(1);
    }
    reshaped(op, dims)
}

/// The whole tensor is one sample.
pub fn transpose(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["perm"])?;
    let x = op.floats(0)?;
    let order = match op.ints("perm")? {
        Some(perm) => perm
            .into_iter()
            .map(|axis| op.axis(axis, x.ndim()))
            .collect::<Result<Vec<_>, _>>()?,
        None => (0..x.ndim()).rev().collect(),
    };
    let dims: Vec<usize> = order.iter().map(|axis| axis + 1).collect();
    let too_many = || Skip::new("a value of more dimensions than the language has");
    let dims = Shape::from_slice(&dims).ok_or_else(too_many)?;
    let (mut network, x) = Builder::of(batched(&x, 0)?)?;
    let output = network.layer(Permute { dims }, x)?;
    Ok(network.expect(output, batched(&op.expected()?, 0)?))
}

pub fn squeeze(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["axes"])?;
    let x = op.floats(0)?;
    let axes = axes(op, x.ndim())?;
    let dims = x
        .shape()
        .iter()
        .enumerate()
        .filter(|(axis, dim)| match &axes {
            Some(axes) => !axes.contains(axis),
            None => **dim != 1,
        });
    reshaped(op, dims.map(|(_, dim)| *dim).collect())
}

pub fn unsqueeze(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["axes"])?;
    let x = op.floats(0)?;
    let given = op
        .optional_ints(1)?
        .or(op.ints("axes")?)
        .unwrap_or_default();
    let rank = x.ndim() + given.len();
    let axes = axes(op, rank)?.unwrap_or_default();
    let mut old = x.shape().iter().copied();
    let dims = (0..rank).map(|axis| {
        if axes.contains(&axis) {
            1
        } else {
            old.next().unwrap_or(1)
        }
    });
    reshaped(op, dims.collect())
}

/// The axes, an operand since opset 13, in a tensor of this rank.
fn axes(op: Operator<'_>, rank: usize) -> Result<Option<Vec<usize>>, Skip> {
    let given = op.optional_ints(1)?.or(op.ints("axes")?);
    given
        .map(|axes| axes.iter().map(|axis| op.axis(*axis, rank)).collect())
        .transpose()
}

fn reshaped(op: Operator<'_>, dims: Vec<usize>) -> Result<Trial, Skip> {
    let (x, expected) = (op.floats(0)?, op.expected()?);
    let keeps_batch = dims.len() > 1 && x.ndim() > 1 && dims.first() == x.shape().first();
    let axis = usize::from(keeps_batch);
    let too_many = || Skip::new("a value of more dimensions than the language has");
    let shape = Shape::from_slice(&dims[axis..]).ok_or_else(too_many)?;
    let (mut network, x) = Builder::of(batched(&x, axis)?)?;
    let output = network.layer(Reshape { shape }, x)?;
    Ok(network.expect(output, batched(&expected, axis)?))
}
