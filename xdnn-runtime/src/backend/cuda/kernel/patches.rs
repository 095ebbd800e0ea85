//! Patches of places, in which windows of what is computed there are pooled or scattered.

use std::fmt;

use xdnn_ir::Shape;

use super::tiles::{ROWS, WIDE};
use crate::ops::{Convolution, PoolWindow, Spatial, Volumes};

/// How the places that a convolution computes are divided among tiles, so that each window of a pool, or all windows of a scatter that
/// hold an element, lie in one: as patches that overlap.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Patches([Axis; 2]);

/// Windows and patches along an axis, as in `places.cuh`.
#[derive(Clone, Copy, Debug)]
struct Axis {
    kernel: usize,
    stride: usize,
    padding: usize,
    /// The size of what is written.
    size: usize,
    /// Places of a patch, from one to the next, and how many patches there are.
    patch: usize,
    step: usize,
    count: usize,
}

/// What patches along an axis have to hold.
struct Extent {
    places: usize,
    /// Places that two neighbours share.
    overlap: usize,
    /// Patches are so many places apart, or a multiple of it.
    stride: usize,
}

impl Patches {
    /// Patches of a value of this shape for windows that pool it, where they take at most twice the tiles that rows of places take.
    pub(in super::super) fn of_pool(window: &PoolWindow, shape: Shape) -> Option<Self> {
        let spatial = Spatial::of(shape)?;
        Self::fewest(window, spatial, window.output, |axis| {
            let [kernel, stride] = [window.kernel[axis], window.stride[axis]];
            let overlap = kernel.saturating_sub(stride);
            let windows = window.output[axis] * stride + overlap;
            Extent {
                places: windows.max(window.padding[axis] + spatial.size[axis]),
                overlap,
                stride,
            }
        })
    }

    /// The same of what windows scatter to a value of this shape.
    pub(in super::super) fn of_scatter(window: &PoolWindow, shape: Shape) -> Option<Self> {
        let spatial = Spatial::of(shape)?;
        let size = spatial.size;
        let windows = Spatial {
            size: window.output,
            ..spatial
        };
        Self::fewest(window, windows, size, |axis| Extent {
            places: window.output[axis],
            overlap: window.kernel[axis].div_ceil(window.stride[axis]) - 1,
            stride: 1,
        })
    }

    /// The same of what the windows of a convolution add to its input, where the taps that lead to one of its channels fit a tile.
    pub(in super::super) fn of_gradient(op: &Convolution, volumes: Volumes) -> Option<Self> {
        let plane = |[depth, height, width]: [usize; 3]| (depth == 1).then_some([height, width, 1]);
        let [height, width, _] = plane(volumes.x.size)?;
        let window = PoolWindow {
            kernel: plane(volumes.w.size)?,
            stride: plane(op.stride)?,
            padding: [op.padding[1], op.padding[2], 0],
            dilation: plane(op.dilation)?,
            output: plane(volumes.y.size)?,
        };
        let shape = Shape::new([volumes.x.batch, volumes.x.channels, height, width, 1]);
        Self::of_scatter(&window, shape).filter(|_| window.taps() <= WIDE)
    }

    fn fewest(
        window: &PoolWindow,
        computed: Spatial,
        written: [usize; 3],
        extent: impl Fn(usize) -> Extent,
    ) -> Option<Self> {
        let dense = (0..3).all(|axis| window.kernel[axis] == 1 || window.dilation[axis] == 1);
        let channels = [window.kernel[2], window.stride[2]] == [1; 2] && window.padding[2] == 0;
        if !dense || !channels || computed.size[2] != written[2] {
            return None;
        }
        let along = |axis: usize, most: usize| {
            let Extent {
                places,
                overlap,
                stride,
            } = extent(axis);
            let step = most.checked_sub(overlap)? / stride * stride;
            (step > 0).then(|| Axis {
                kernel: window.kernel[axis],
                stride: window.stride[axis],
                padding: window.padding[axis],
                size: written[axis],
                patch: places.clamp(1, step + overlap),
                step,
                count: places.saturating_sub(overlap).div_ceil(step).max(1),
            })
        };
        let patches = (1..=ROWS).filter_map(|height| {
            let down = along(0, height)?;
            let across = along(1, ROWS / down.patch)?;
            Some(Self([down, across]))
        });
        let patches = patches.min_by_key(Self::count)?;
        let [height, width, _] = computed.size;
        let tiles = (computed.batch * height * width).div_ceil(ROWS);
        (computed.batch * patches.count() <= 2 * tiles).then_some(patches)
    }

    /// The patches of a sample.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|axis| axis.count).product()
    }
}

/// As the constant that it is in `places.cuh`.
impl fmt::Display for Patches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [down, across] = self.0.map(|axis| {
            let Axis {
                kernel,
                stride,
                padding,
                size,
                patch,
                step,
                count,
            } = axis;
            format!("{{{kernel}, {stride}, {padding}, {size}, {patch}, {step}, {count}}}")
        });
        write!(f, "{{{down}, {across}}}")
    }
}
