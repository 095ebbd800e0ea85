//! Other views of the same numbers.

use crate::{Fault, MAX_RANK, Shape};

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

layer! {
    /// Dimensions in another order: `Permute(2, 3, 1)` makes `[height, width, channels]` of `[channels, height, width]`.
    /// Keeps the degree.
    ///
    /// Dimension `i` of the result is dimension `dims[i]` of the input, counted in PyTorch's way: 0 would be the batch.
    Permute {
        /// Each dimension of the input once, from 1.
        dims: Shape,
    }
}

layer! {
    /// Channels of several groups in turn: the first of each group, then the second of each. Keeps the degree.
    ///
    /// `[channels, …]` read as `[groups, channels / groups, …]` with its first two dimensions exchanged.
    ChannelShuffle {
        /// The number of groups.
        groups: usize,
    }
}

keeps_degree!(Flatten, Reshape, Permute, ChannelShuffle);
no_weights!(Flatten, Reshape, Permute, ChannelShuffle);

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

impl Permute {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        const EXPECTED: &str =
            "each dimension of the input once: `Permute(2, 3, 1)` puts the first of three last";
        let (name, expected) = ("dims", EXPECTED);
        let order = self.dims.dims();
        if order.len() != input.rank() {
            return Err(Fault::Misfit { name, expected });
        }
        let (mut output, mut seen, mut i) = (input, [false; MAX_RANK], 0);
        while i < order.len() {
            let from = order[i].wrapping_sub(1);
            if from >= input.rank() || seen[from] {
                return Err(Fault::Argument { name, expected });
            }
            seen[from] = true;
            output = output.with_dim(i, input.dim(from));
            i += 1;
        }
        Ok(output)
    }
}

impl ChannelShuffle {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if self.groups == 0 {
            return Err(Fault::Argument {
                name: "groups",
                expected: "at least 1",
            });
        }
        if input.rank() < 2 {
            return Err(Fault::Rank {
                expected: "[channels, length] or [channels, height, width]",
                found: input,
            });
        }
        if !input.dim(0).is_multiple_of(self.groups) {
            return Err(Fault::Indivisible {
                argument: "groups",
                what: "input channels",
                size: input.dim(0),
                divisor: self.groups,
            });
        }
        Ok(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_names_each_dimension_once() {
        let input = Shape::new([2, 3, 4]);
        let output = |dims: &[usize]| {
            let dims = Shape::from_slice(dims).unwrap();
            Permute { dims }.output(input).ok()
        };
        assert_eq!(output(&[2, 3, 1]), Some(Shape::new([3, 4, 2])));
        for wrong in [&[1, 2][..], &[1, 2, 2], &[0, 1, 2], &[1, 2, 3, 4], &[]] {
            assert_eq!(output(wrong), None, "{wrong:?}");
        }
    }
}
