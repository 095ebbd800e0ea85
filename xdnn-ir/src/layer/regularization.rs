//! Layers that act in training only.

use crate::{Fault, Shape};

layer! {
    /// In training, zeroes each element with probability `p` and divides the others by `1 − p`; the identity otherwise.
    /// Linear given its mask, so it keeps the degree.
    Dropout {
        /// The probability of zeroing, at least 0 and below 1.
        p: f64 = 0.5,
    }
}

keeps_degree!(Dropout);
no_weights!(Dropout);

impl Dropout {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if !(self.p >= 0.0 && self.p < 1.0) {
            return Err(Fault::Argument {
                name: "p",
                expected: "at least 0 and below 1",
            });
        }
        Ok(input)
    }
}
