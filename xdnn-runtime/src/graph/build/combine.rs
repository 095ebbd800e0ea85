//! Combinations of values.

use xdnn_ir::Combine;

use super::malformed;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Concat, Map, Slopes};

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
    rest.iter().try_fold(*first, |a, b| match rule {
        Combine::Sum => graph.add(a, *b),
        Combine::Product => graph.mul(a, *b),
        Combine::Min => select(graph, a, *b, *b, a),
        Combine::Max | Combine::Concat => select(graph, a, *b, a, *b),
    })
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
