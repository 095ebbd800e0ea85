//! How kernels read values.

use super::kernel::Finish;
use crate::backend::plan::Place;
use crate::error::{Result, invalid};

/// What a step reads: everything but what it writes.
pub(super) struct Operands<'a> {
    /// What happens to the result.
    pub finish: &'a Finish,
    /// Where the operands are.
    pub places: &'a [Place],
    /// Where the result is; an operand may be there too.
    pub target: &'a Place,
    /// The leaves.
    pub leaves: &'a [&'a [f32]],
    /// The constants.
    pub constants: &'a [Vec<f32>],
    /// The outputs before the one that is written, and those after it.
    pub outputs: [&'a [&'a mut [f32]]; 2],
    /// The parts of the arena that are not written, with their offsets.
    pub arena: [(usize, &'a [f32]); 3],
}

impl<'a> Operands<'a> {
    /// The number of operands.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Operand `i`.
    pub(super) fn read(&self, i: usize) -> Result<&'a [f32]> {
        match self.get(i)? {
            Some(operand) => Ok(operand),
            None if matches!(self.target, Place::Arena(range) if range.is_empty()) => Ok(&[]),
            None => Err(invalid("a kernel cannot write over what it reads")),
        }
    }

    /// Operand `i`, or `None` where the result is written over it.
    pub(super) fn get(&self, i: usize) -> Result<Option<&'a [f32]>> {
        let missing = || {
            invalid(format!(
                "the plan has no operand {i} where a kernel reads one"
            ))
        };
        let place = self.places.get(i).ok_or_else(missing)?;
        if place == self.target {
            return Ok(None);
        }
        self.find(place).map(Some).ok_or_else(missing)
    }

    fn find(&self, place: &Place) -> Option<&'a [f32]> {
        match place {
            Place::Leaf(leaf) => self.leaves.get(*leaf).copied(),
            Place::Constant(constant, length) => self.constants.get(*constant)?.get(..*length),
            Place::Output(output) => {
                let [before, after] = self.outputs;
                let output = before
                    .get(*output)
                    .or_else(|| after.get(output.checked_sub(before.len() + 1)?))?;
                Some(output)
            }
            Place::Arena(range) => self.arena.iter().find_map(|(offset, part)| {
                part.get(range.start.checked_sub(*offset)?..range.end.checked_sub(*offset)?)
            }),
        }
    }
}
