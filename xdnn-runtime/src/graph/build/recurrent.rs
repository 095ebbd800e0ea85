//! The recurrence, unrolled.

use xdnn_ir::layer::Rnn;
use xdnn_ir::{Combine, Shape};

use super::combine::combine;
use super::{Lower, Site, malformed};
use crate::error::Result;
use crate::graph::Value;
use crate::ops::{Map, Slice, Slopes};

impl Lower for Rnn {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let Site {
            graph,
            x,
            weights,
            name,
            shape,
        } = site;
        let [of_input, of_state] = weights else {
            return Err(malformed(name));
        };
        let [samples, time, features] = [x.shape().dim(0), x.shape().dim(1), x.shape().dim(2)];
        let rows = graph.reshape(x, Shape::new([samples * time, features]))?;
        let driven = graph.matmul_transposed(rows, *of_input)?;
        let driven = graph.reshape(driven, Shape::new([samples, time, self.hidden_size]))?;
        let mut states: Vec<Value> = Vec::with_capacity(time);
        for start in 0..time {
            let step = Slice {
                axis: 1,
                start,
                length: 1,
            };
            let mut sum = graph.apply(step, &[driven])?;
            if let Some(before) = states.last() {
                let before = graph.reshape(*before, Shape::new([samples, self.hidden_size]))?;
                let moved = graph.matmul_transposed(before, *of_state)?;
                let moved = graph.reshape(moved, sum.shape())?;
                sum = graph.add(sum, moved)?;
            }
            states.push(graph.map(Map::PiecewiseLinear(Slopes::RELU), sum)?);
        }
        let result = match states.last() {
            Some(last) if self.last => *last,
            _ => combine(graph, Combine::Concat, &states)?,
        };
        graph.reshape(result, shape)
    }
}
