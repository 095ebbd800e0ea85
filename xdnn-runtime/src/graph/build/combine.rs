//! Combinations of values.

use xdnn_ir::Combine;

use super::degree_zero::subtract;
use super::malformed;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{
    Concat, Map, MatMul, PoolScatter, PoolWindow, PoolWinner, Slopes, Spatial, Winner,
};

pub(super) fn combine(graph: &mut Graph, rule: Combine, operands: &[Value]) -> Result<Value> {
    let Some((first, rest)) = operands.split_first() else {
        return Err(malformed(rule.name()));
    };
    if rule == Combine::Concat {
        // luminal numbers the operands of an operator in a byte.
        let parts = operands
            .chunks(u8::MAX.into())
            .map(|part| graph.apply(Concat { axis: 1 }, part));
        let parts: Vec<Value> = parts.collect::<Result<_>>()?;
        return if parts.len() == 1 {
            Ok(parts[0])
        } else {
            combine(graph, rule, &parts)
        };
    }
    if rule == Combine::Unpool {
        let [values, like] = operands else {
            return Err(malformed(rule.name()));
        };
        return unpool(graph, *values, *like);
    }
    rest.iter().try_fold(*first, |a, b| match rule {
        Combine::Sum => graph.add(a, *b),
        Combine::Difference => subtract(graph, a, *b),
        Combine::Product => graph.mul(a, *b),
        Combine::Quotient => {
            let recip = graph.map(Map::Recip, *b)?;
            graph.mul(a, recip)
        }
        Combine::MatMul => graph.apply(
            MatMul {
                transpose_a: false,
                transpose_b: false,
            },
            &[a, *b],
        ),
        Combine::Min => smaller(graph, a, *b),
        Combine::Max | Combine::Concat | Combine::Unpool => larger(graph, a, *b),
    })
}

/// Each value where the maximum of its window is, among windows that divide `like` evenly.
fn unpool(graph: &mut Graph, values: Value, like: Value) -> Result<Value> {
    let spatial = Spatial::of(values.shape()).zip(Spatial::of(like.shape()));
    let (from, to) = spatial.ok_or_else(|| malformed(Combine::Unpool.name()))?;
    let size = [0, 1, 2].map(|axis| to.size[axis] / from.size[axis].max(1));
    let window = PoolWindow {
        stride: size,
        output: from.size,
        ..PoolWindow::global(size)
    };
    let winner = Winner::Max;
    let winner = graph.apply(PoolWinner { window, winner }, &[like])?;
    let shape = like.shape();
    graph.apply(PoolScatter { window, shape }, &[values, winner])
}

/// The elementwise minimum; the first operand wins at ties.
fn smaller(graph: &mut Graph, a: Value, b: Value) -> Result<Value> {
    select(graph, a, b, b, a)
}

/// The elementwise maximum; the first operand wins at ties.
fn larger(graph: &mut Graph, a: Value, b: Value) -> Result<Value> {
    select(graph, a, b, a, b)
}

/// `b` where `larger > smaller`, `a` elsewhere: one operand wins, the first one at ties.
fn select(graph: &mut Graph, a: Value, b: Value, smaller: Value, larger: Value) -> Result<Value> {
    let negative = graph.scale(smaller, -1.0)?;
    let difference = graph.add(larger, negative)?;
    let take_b = graph.map(
        Map::Slope(Slopes {
            positive: 1.0,
            zero: 0.0,
            negative: 0.0,
        }),
        difference,
    )?;
    let take_a = graph.map(
        Map::Slope(Slopes {
            positive: 0.0,
            zero: 1.0,
            negative: 1.0,
        }),
        difference,
    )?;
    let (a, b) = (graph.mul(a, take_a)?, graph.mul(b, take_b)?);
    graph.add(a, b)
}
