//! Softmax and its relatives along one dimension. They have no degree, and are legal on values of degree 0.

use super::axis;
use crate::{Fault, Shape};

layer! {
    /// `e^(x_i) / Σ_j e^(x_j)` along a dimension. Reads values of degree 0.
    Softmax {
        /// The dimension, counted with the batch as dimension 0; the last one if left out.
        dim: Option<usize>,
    }
}

layer! {
    /// `x_i − ln Σ_j e^(x_j)` along a dimension. Reads values of degree 0.
    LogSoftmax {
        /// The dimension, counted with the batch as dimension 0; the last one if left out.
        dim: Option<usize>,
    }
}

layer! {
    /// `e^(−x_i) / Σ_j e^(−x_j)` along a dimension. Reads values of degree 0.
    Softmin {
        /// The dimension, counted with the batch as dimension 0; the last one if left out.
        dim: Option<usize>,
    }
}

reads_degree_zero!(Softmax, LogSoftmax, Softmin);
no_weights!(Softmax, LogSoftmax, Softmin);

macro_rules! along_one_dimension {
    ($($layer:ident),*) => {$(
        impl $layer {
            /// The shape of the result: that of the input.
            pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
                tri!(axis(self.dim, input));
                Ok(input)
            }
        }
    )*};
}

along_one_dimension!(Softmax, LogSoftmax, Softmin);
