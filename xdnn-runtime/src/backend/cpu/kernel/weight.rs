//! Weights in the layouts in which kernels read them.

use super::super::parallel::chunks;
use super::super::product::{Block, Left};
use super::Operands;

use crate::error::Result;
use crate::ops::{Blocks, Layout, SIDE};

/// Where the blocks of a weight come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    pub blocks: Blocks,
    /// Whether the operand is in blocks, rather than in rows, which each run puts into blocks.
    pub ready: bool,
}

impl Weight {
    /// The layout of the operand, where it is in blocks.
    pub(super) fn layout(&self) -> Option<Layout> {
        self.ready.then_some(Layout::Blocks(self.blocks))
    }

    /// The room that each run needs for blocks.
    pub(super) fn room(&self) -> usize {
        match self.ready {
            true => 0,
            false => self.blocks.shape().elements(),
        }
    }

    /// The blocks of all groups; `room` is as large as [`Weight::room`] says.
    pub(super) fn read<'a>(
        &self,
        operands: &Operands<'a>,
        room: &'a mut [f32],
    ) -> Result<&'a [Block]> {
        let weight = operands.read(1)?;
        if self.ready {
            return Ok(weight.as_chunks().0);
        }
        let room = &mut room[..self.room()];
        let row = self.blocks.row();
        chunks(room, row, 4 * row, |i, row| {
            self.blocks.fill_row(weight, i, row)
        });
        Ok(room.as_chunks().0)
    }

    /// The matrix of a group from row `first` on, a multiple of 8, of which `rows` are wanted.
    pub(super) fn rows<'a>(
        &self,
        blocks: &'a [Block],
        group: usize,
        first: usize,
        rows: usize,
    ) -> Left<'a> {
        let [_, beside] = self.blocks.count();
        Left {
            blocks: &blocks[group * self.blocks.of_group() + first / SIDE * beside..],
            rows,
            depth: self.blocks.columns.div_ceil(SIDE),
            strides: [beside, 1],
            row_major: false,
        }
    }

    /// The same of the transposed matrix.
    pub(super) fn columns<'a>(
        &self,
        blocks: &'a [Block],
        group: usize,
        first: usize,
        rows: usize,
    ) -> Left<'a> {
        let [down, beside] = self.blocks.count();
        Left {
            blocks: &blocks[group * self.blocks.of_group() + first / SIDE..],
            rows,
            depth: down,
            strides: [1, beside],
            row_major: true,
        }
    }
}
