//! The memory that a run works in.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::kernel::Scratch;
use super::operands::Operands;
use super::plan::{Plan, Step};
use crate::backend::allocate;
use crate::backend::memory::ALIGNMENT;
use crate::backend::plan::Place;
use crate::error::{Result, invalid};

/// The workspaces that no run is using. The lock is held only to take one out or to put one back.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Workspace>>);

impl Pool {
    pub(super) fn take(&self, plan: &Plan) -> Result<Workspace> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.map_or_else(|| Workspace::new(plan), Ok)
    }

    pub(super) fn give(&self, workspace: Workspace) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(workspace);
    }
}

/// Numbers that start at a cache line.
struct Aligned {
    numbers: Vec<f32>,
    start: usize,
    size: usize,
}

impl Aligned {
    fn new(size: usize) -> Result<Self> {
        // So that reading what no step has written shows.
        let initial = if cfg!(debug_assertions) {
            f32::NAN
        } else {
            0.0
        };
        let numbers = allocate(
            size + ALIGNMENT - 1,
            initial,
            "the values between the layers",
        )?;
        let start = numbers
            .as_ptr()
            .align_offset(ALIGNMENT * size_of::<f32>())
            .min(ALIGNMENT - 1);
        Ok(Self {
            numbers,
            start,
            size,
        })
    }

    fn as_mut(&mut self) -> &mut [f32] {
        &mut self.numbers[self.start..self.start + self.size]
    }
}

/// The arena, and private memory for each of several parallel jobs.
pub(super) struct Workspace {
    arena: Aligned,
    lanes: Aligned,
    lane: usize,
}

impl Workspace {
    fn new(plan: &Plan) -> Result<Self> {
        Ok(Self {
            arena: Aligned::new(plan.arena)?,
            lanes: Aligned::new(plan.lane * plan.lanes)?,
            lane: plan.lane,
        })
    }

    /// Runs one step.
    pub(super) fn run(
        &mut self,
        step: &Step,
        constants: &[Vec<f32>],
        leaves: &[&[f32]],
        outputs: &mut [&mut [f32]],
    ) -> Result<()> {
        let missing = || invalid("a step of the plan writes where nothing is");
        let local = match step.target() {
            Place::Arena(range) => range.clone(),
            _ => 0..0,
        };
        let Carved {
            parts: [written, shared],
            rest,
        } = carve(self.arena.as_mut(), [local, step.scratch.clone()]).ok_or_else(missing)?;
        let (written, others) = match *step.target() {
            Place::Output(output) => {
                let (before, rest) = outputs.split_at_mut_checked(output).ok_or_else(missing)?;
                let (output, after) = rest.split_first_mut().ok_or_else(missing)?;
                (&mut **output, [&*before, &*after])
            }
            _ => (written, [&*outputs, &[]]),
        };
        let operands = Operands {
            finish: &step.kernel.finish,
            places: &step.operands,
            target: step.target(),
            leaves,
            constants,
            outputs: others,
            arena: rest,
        };
        let scratch = Scratch {
            shared,
            lanes: self.lanes.as_mut(),
            lane: self.lane,
        };
        step.kernel.kernel.run(&operands, written, scratch)?;
        match step.kernel.kernel.finishes() {
            true => Ok(()),
            false => step.kernel.finish.all(&operands, written),
        }
    }
}

/// Two parts of an arena to write, and the three pieces around them to read, with their offsets.
struct Carved<'a> {
    parts: [&'a mut [f32]; 2],
    rest: [(usize, &'a [f32]); 3],
}

/// `None` where the parts overlap or do not lie in the arena.
fn carve(arena: &mut [f32], [a, b]: [Range<usize>; 2]) -> Option<Carved<'_>> {
    let swap = (b.start, b.end) < (a.start, a.end);
    let (low, high) = if swap { (b, a) } else { (a, b) };
    let (first, rest) = arena.split_at_mut_checked(low.start)?;
    let (low_part, rest) = rest.split_at_mut_checked(low.len())?;
    let (middle, rest) = rest.split_at_mut_checked(high.start.checked_sub(low.end)?)?;
    let (high_part, last) = rest.split_at_mut_checked(high.len())?;
    let rest = [(0, &*first), (low.end, &*middle), (high.end, &*last)];
    let parts = if swap {
        [high_part, low_part]
    } else {
        [low_part, high_part]
    };
    Some(Carved { parts, rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_in_the_order_asked_for() {
        let mut arena: Vec<f32> = (0..10).map(|i| i as f32).collect();
        let carved = carve(&mut arena, [6..8, 1..3]).unwrap();
        assert_eq!(carved.parts[0], [6.0, 7.0]);
        assert_eq!(carved.parts[1], [1.0, 2.0]);
        assert_eq!(carved.rest[1], (3, &[3.0, 4.0, 5.0][..]));
        assert_eq!(carved.rest[2], (8, &[8.0, 9.0][..]));
    }

    #[test]
    fn overlapping_parts_are_refused() {
        let mut arena = [0.0; 10];
        assert!(carve(&mut arena, [2..5, 4..6]).is_none());
        assert!(carve(&mut arena, [8..11, 0..0]).is_none());
    }
}
