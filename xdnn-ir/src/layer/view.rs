//! Other views of the same numbers.

use crate::{Fault, Shape};

layer! {
    /// All dimensions in one: `[a, b, …] → [a·b·…]`. Keeps the degree.
    Flatten {}
}

layer! {
    /// The same numbers in row-major order under other dimensions: `Reshape(64, 7, 7)`. Keeps the degree.
    Reshape {
        /// The dimensions of the result.
        shape: Shape,
    }
}

keeps_degree!(Flatten, Reshape);
no_weights!(Flatten, Reshape);

impl Flatten {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(Shape::new([input.elements()]))
    }
}

impl Reshape {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if self.shape.elements() != input.elements() {
            return Err(Fault::Elements {
                from: input,
                to: self.shape,
            });
        }
        Ok(self.shape)
    }
}
