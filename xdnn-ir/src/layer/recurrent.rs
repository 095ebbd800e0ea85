//! The recurrence that is homogeneous: without biases, through ReLUs, from a state of 0.

use super::Weights;
use crate::{Fault, Shape};

layer! {
    /// `h_t = max(W_ih·x_t + W_hh·h_(t−1), 0)` from `h_0 = 0`: `[time, features] → [time, hidden_size]`. By induction every
    /// state has the degree of the input.
    ///
    /// Weights `weight_ih_l0`, `[hidden_size, features]`, and `weight_hh_l0`, `[hidden_size, hidden_size]`.
    Rnn {
        /// The number of features of a state.
        hidden_size: usize,
        /// Whether the result is the last state alone, `[hidden_size]`.
        last: bool = false,
    }
}

keeps_degree!(Rnn);

/// More steps are not unrolled.
const MAX_STEPS: usize = 1024;

impl Rnn {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if self.hidden_size == 0 {
            return Err(Fault::Argument {
                name: "hidden_size",
                expected: "at least 1",
            });
        }
        if input.rank() != 2 {
            return Err(Fault::Rank {
                expected: "[time, features]",
                found: input,
            });
        }
        if input.dim(0) > MAX_STEPS {
            return Err(Fault::TooLong {
                steps: input.dim(0),
                most: MAX_STEPS,
            });
        }
        if self.last {
            Ok(Shape::new([self.hidden_size]))
        } else {
            Ok(input.with_dim(1, self.hidden_size))
        }
    }

    /// The weights: those of the input, and those of the state.
    pub const fn weights(&self, input: Shape) -> Weights {
        let hidden = self.hidden_size;
        Weights::of(&[
            ("weight_ih_l0", Shape::new([hidden, input.dim(1)])),
            ("weight_hh_l0", Shape::new([hidden, hidden])),
        ])
    }
}
