//! Operators of several tensors. Operands that are repeated along an axis are so before.

use ndarray::{ArrayD, arr1};
use xdnn_ir::layer::Scale;
use xdnn_ir::{Combine, Operand};

use super::operator::{Operator, batched, first_axis_batched};
use super::skip::Skip;
use super::trial::{Builder, Trial};

pub fn sum(op: Operator<'_>) -> Result<Trial, Skip> {
    combine(op, Combine::Sum)
}

pub fn product(op: Operator<'_>) -> Result<Trial, Skip> {
    combine(op, Combine::Product)
}

pub fn max(op: Operator<'_>) -> Result<Trial, Skip> {
    combine(op, Combine::Max)
}

pub fn min(op: Operator<'_>) -> Result<Trial, Skip> {
    combine(op, Combine::Min)
}

pub fn difference(op: Operator<'_>) -> Result<Trial, Skip> {
    combine(op, Combine::Difference)
}

pub fn quotient(op: Operator<'_>) -> Result<Trial, Skip> {
    combine(op, Combine::Quotient)
}

/// The product of two stacks of matrices.
pub fn mat_mul(op: Operator<'_>) -> Result<Trial, Skip> {
    let (a, b, expected) = (op.floats(0)?, op.floats(1)?, op.expected()?);
    let stack = a.ndim().saturating_sub(2);
    if a.ndim() != b.ndim() || stack == 0 || a.shape()[..stack] != b.shape()[..stack] {
        return Err(Skip::new("matrices of which one is repeated"));
    }
    let mut network = Builder::default();
    let operands = vec![
        network.input(batched(&a, stack)?)?,
        network.input(batched(&b, stack)?)?,
    ];
    let output = network.combine(Combine::MatMul, operands)?;
    Ok(network.expect(output, batched(&expected, stack)?))
}

/// The sum, scaled.
pub fn mean(op: Operator<'_>) -> Result<Trial, Skip> {
    let (mut network, values) = operands(op)?;
    let output = network.combine(Combine::Sum, values)?;
    let output = scaled(&mut network, output, 1.0 / op.operands() as f32)?;
    Ok(network.expect(output, first_axis_batched(&op.expected()?)?))
}

/// The axes before that of the concatenation are the batch.
pub fn concat(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["axis"])?;
    let expected = op.expected()?;
    let axis = op.axis(op.int("axis", 1)?, expected.ndim())?;
    let mut network = Builder::default();
    let values: Result<Vec<Operand>, Skip> = (0..op.operands())
        .map(|i| network.input(batched(&op.floats(i)?, axis)?))
        .collect();
    let output = network.combine(Combine::Concat, values?)?;
    Ok(network.expect(output, batched(&expected, axis)?))
}

fn combine(op: Operator<'_>, rule: Combine) -> Result<Trial, Skip> {
    let (mut network, values) = operands(op)?;
    let output = network.combine(rule, values)?;
    Ok(network.expect(output, first_axis_batched(&op.expected()?)?))
}

fn operands(op: Operator<'_>) -> Result<(Builder, Vec<Operand>), Skip> {
    op.knows(&[])?;
    let expected = op.expected()?;
    let mut network = Builder::default();
    let mut values = Vec::new();
    for i in 0..op.operands() {
        let operand = op.floats(i)?;
        let repeated: Option<ArrayD<f32>> = operand
            .broadcast(expected.shape())
            .map(|view| view.to_owned());
        let repeated = repeated.ok_or_else(|| Skip::new("an operand that cannot be broadcast"))?;
        values.push(network.input(first_axis_batched(&repeated)?)?);
    }
    Ok((network, values))
}

fn scaled(network: &mut Builder, value: Operand, factor: f32) -> Result<Operand, Skip> {
    let factor = arr1(&[factor]).into_dyn();
    network.weighted(Scale { num_parameters: 1 }, value, [factor])
}
