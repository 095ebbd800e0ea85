//! Convolutions and their input gradients as one thing.

use crate::ops::{CHANNELS, Channels, Convolution, Direction, Role, Spatial, Volumes};

/// A convolution or an input gradient, from what it reads to what it writes.
pub(super) struct Directed {
    pub from: Spatial,
    pub to: Spatial,
    /// Those of the weight.
    pub kernels: Channels,
    pub direction: Direction,
    /// For depth, height, width, as are the steps, zeros and distances of the operator.
    pub window: [usize; 3],
    pub op: Convolution,
}

impl Directed {
    pub(super) fn new(op: &Convolution, volumes: Volumes) -> Self {
        let (from, to, direction) = match op.role {
            Role::InputGradient => (volumes.y, volumes.x, Direction::Backward),
            _ => (volumes.x, volumes.y, Direction::Forward),
        };
        Self {
            from,
            to,
            kernels: volumes.kernels(),
            direction,
            window: volumes.w.size,
            op: *op,
        }
    }

    /// What is folded to an input gradient: the product of each place with all taps that lead to each channel, which is a convolution of
    /// kernels of one tap.
    pub(super) fn unfolded(self) -> Self {
        let taps = self.kernels.taps;
        Self {
            to: Spatial {
                channels: self.to.channels * taps,
                ..self.from
            },
            kernels: Channels {
                inputs: self.kernels.inputs * taps,
                taps: 1,
                ..self.kernels
            },
            window: [1; 3],
            op: Convolution {
                stride: [1; 3],
                padding: [0; 3],
                dilation: [1; 3],
                ..self.op
            },
            ..self
        }
    }

    /// How many classes of places there are along height and width: those that read the same taps.
    pub(super) fn classes(&self) -> [usize; 2] {
        match self.direction {
            Direction::Forward => [1; 2],
            Direction::Backward => [self.op.stride[1], self.op.stride[2]],
        }
    }

    /// The fields of a `Convolution` in `places.cuh`.
    pub(super) fn sizes(&self, splits: usize, image: usize) -> [usize; 17] {
        let Self { from, to, op, .. } = self;
        [
            to.batch,
            from.channels / CHANNELS,
            from.size[1],
            from.size[2],
            to.channels,
            to.size[1],
            to.size[2],
            self.window[1],
            self.window[2],
            op.stride[1],
            op.stride[2],
            op.padding[1],
            op.padding[2],
            op.dilation[1],
            op.dilation[2],
            splits,
            image,
        ]
    }
}
