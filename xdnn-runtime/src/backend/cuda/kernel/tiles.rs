//! How the results of a convolution are divided among blocks.

use super::Shares;
use super::directed::Directed;
use crate::Precision;
use crate::ops::CHANNELS;

/// Places of a tile, and the channels of a narrow and of a wide one, as in `places.cuh`.
pub(super) const ROWS: usize = 128;
pub(super) const NARROW: usize = 64;
pub(super) const WIDE: usize = 128;
/// Blocks that keep a GPU busy: two for each of the multiprocessors of an H100.
const BLOCKS: usize = 264;
/// The most blocks that share the sums of a tile, and the least steps of 16 summands for each.
const SPLITS: usize = 16;
const STEPS: usize = 8;

/// The tiles of results, each of which is a block's, or is shared by several.
pub(super) struct Tiles {
    /// Columns of a tile.
    pub columns: usize,
    /// Tiles of places, and of columns.
    down: usize,
    across: usize,
    /// Classes of places.
    classes: usize,
    /// Blocks that share the sums of a tile.
    pub splits: usize,
}

impl Tiles {
    /// So many columns stay `together` in a tile; the places of a sample make so many `patches`, or tiles are rows of places.
    pub(super) fn of(
        convolution: &Directed,
        together: usize,
        patches: Option<usize>,
        precision: Precision,
    ) -> Self {
        let Directed { from, to, .. } = convolution;
        let [rows, columns] = convolution.classes();
        let classes = rows * columns;
        let places = to.size[1].div_ceil(rows) * to.size[2].div_ceil(columns);
        let down = match patches {
            Some(patches) => to.batch * patches,
            None => (to.batch * places).div_ceil(ROWS),
        };
        let across = |columns: usize| to.channels.div_ceil(columns / together * together);
        // A wide tile reads less for each result, where there are enough of them. Parts of numbers would take too many registers.
        let many = to.channels.is_multiple_of(WIDE) && down * across(WIDE) * classes >= BLOCKS;
        let wide = together > NARROW || many && precision != Precision::Strict;
        let columns = if wide { WIDE } else { NARROW };
        let count = down * across(columns) * classes;
        let steps = (convolution.kernels.taps / classes * from.channels).div_ceil(CHANNELS);
        Self {
            columns,
            down,
            across: across(columns),
            classes,
            splits: (BLOCKS / count).min(steps / STEPS).clamp(1, SPLITS),
        }
    }

    pub(super) fn grid(&self) -> [u32; 3] {
        [self.down, self.across, self.classes * self.splits].map(|blocks| blocks as u32)
    }

    pub(super) fn shares(&self) -> Option<Shares> {
        let count = self.down * self.across * self.classes;
        (self.splits > 1).then_some(Shares {
            scratch: count * self.splits * ROWS * self.columns,
            counters: count,
        })
    }
}
