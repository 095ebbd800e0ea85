//! Layers that rearrange or select among neighbouring channels, and scales that training leaves alone.

use super::Weights;
use super::linear::per_channel;
use crate::{Fault, Shape};

layer! {
    /// `[max(x, 0), max(−x, 0)]`, one behind the other along the channels: `[c, …] → [2c, …]` (Shang et al. 2016). Keeps
    /// the degree.
    CRelu {}
}

layer! {
    /// The largest of each `pieces` channels in a row: `[c·pieces, …] → [c, …]` (Goodfellow et al. 2013). Result `i` reads
    /// the channels `i·pieces` to `i·pieces + pieces − 1`. Keeps the degree; at ties the first one wins.
    Maxout {
        /// The number of channels that compete.
        pieces: usize,
    }
}

layer! {
    /// Each `group_size` channels in a row sorted, the smallest first (Anil et al. 2019). Keeps the degree.
    GroupSort {
        /// The number of channels in a group.
        group_size: usize,
    }
}

layer! {
    /// `y = w·x` with one factor, or one a channel, that is loaded and that training does not change: what remains of a
    /// batch norm without mean and shift, `γ / √(var + ε)`. Keeps the degree.
    ///
    /// Weight `[num_parameters]`.
    FrozenScale {
        /// 1, or the number of channels.
        num_parameters: usize = 1,
    }
}

keeps_degree!(CRelu, Maxout, GroupSort, FrozenScale);
no_weights!(CRelu, Maxout, GroupSort);

impl CRelu {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if input.rank() == 0 {
            return Err(Fault::Rank {
                expected: "[channels, …]",
                found: input,
            });
        }
        Ok(input.with_dim(0, input.dim(0).saturating_mul(2)))
    }
}

const MAX_SORTED: usize = 64;

/// The number of groups of this many channels.
const fn groups(argument: &'static str, size: usize, input: Shape) -> Result<usize, Fault> {
    if input.rank() == 0 {
        return Err(Fault::Rank {
            expected: "[channels, …]",
            found: input,
        });
    }
    if size == 0 {
        return Err(Fault::Argument {
            name: argument,
            expected: "at least 1",
        });
    }
    let channels = input.dim(0);
    if !channels.is_multiple_of(size) {
        return Err(Fault::Indivisible {
            argument,
            what: "input channels",
            size: channels,
            divisor: size,
        });
    }
    Ok(channels / size)
}

impl Maxout {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let groups = tri!(groups("pieces", self.pieces, input));
        Ok(input.with_dim(0, groups))
    }
}

impl GroupSort {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(groups("group_size", self.group_size, input));
        if self.group_size > MAX_SORTED {
            return Err(Fault::Argument {
                name: "group_size",
                expected: "at most 64: a group is sorted by comparing all of its members",
            });
        }
        Ok(input)
    }
}

impl FrozenScale {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        per_channel(self.num_parameters, input)
    }

    /// The weights: `[num_parameters]`.
    pub const fn weights(&self, _: Shape) -> Weights {
        Weights::one(Shape::new([self.num_parameters]))
    }
}
