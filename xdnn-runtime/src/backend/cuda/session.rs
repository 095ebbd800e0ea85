//! What runs of a program share: a stream, memory, and the graph of all that a run does.

#![expect(unsafe_code, reason = "the driver is a C library")]

use std::ffi::c_void;
use std::sync::Arc;

use cudarc::driver::sys;
use cudarc::driver::sys::CUdeviceptr;
use rayon::prelude::*;

use super::driver::{Memory, Pinned, Recording, Stream};
use super::gpu::Gpu;
use super::{CudaProgram, Place};
use crate::error::{Result, invalid};

/// Offsets in the memory of a device are multiples of this many numbers: 256 bytes, as the driver's own allocations.
const ALIGNMENT: usize = 64;

/// What one run after the other uses. Its memory holds the leaves that are given to each run, then the arena, then the outputs, then
/// counters, which every kernel that uses them leaves at 0, and constants.
pub(super) struct Session {
    gpu: Arc<Gpu>,
    recording: Recording,
    stream: Stream,
    /// Where the leaves are that are given to each run; what is kept has no place.
    leaves: Vec<Option<usize>>,
    /// Where the outputs are, counted from the first one.
    outputs: Vec<usize>,
    /// What is copied to the device, and from there. The recording has their addresses, as those of the rest.
    given: Pinned,
    results: Pinned,
    _memory: Memory,
    _kept: Vec<Option<Arc<Memory>>>,
}

/// The offset of each size in one piece of memory, and the size of the piece. What is too large to count is too large to allocate.
fn lay_out(sizes: impl Iterator<Item = Option<usize>>) -> (Vec<Option<usize>>, usize) {
    let mut end = 0_usize;
    let offsets = sizes.map(|size| {
        let start = end;
        end = end.saturating_add(aligned(size?));
        Some(start)
    });
    (offsets.collect(), end)
}

fn aligned(size: usize) -> usize {
    size.checked_next_multiple_of(ALIGNMENT)
        .unwrap_or(usize::MAX)
}

/// Copies numbers, many of them on several threads.
fn copy(from: &[f32], to: &mut [f32]) {
    const PIECE: usize = 1 << 18;
    let pieces = to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE));
    pieces.for_each(|(to, from)| to.copy_from_slice(from));
}

impl Session {
    pub(super) fn new(program: &CudaProgram, kept: Vec<Option<Arc<Memory>>>) -> Result<Self> {
        let gpu = &program.gpu;
        let error = |doing: &'static str| move |error| gpu.error(doing, error);
        let given = program.interface.leaves.iter().zip(&kept);
        let given = given.map(|((_, shape), kept)| kept.is_none().then(|| shape.elements()));
        let (leaves, given) = lay_out(given);
        let outputs = program.interface.outputs.iter();
        let (outputs, results) = lay_out(outputs.map(|shape| Some(shape.elements())));
        let outputs: Vec<usize> = outputs.into_iter().flatten().collect();
        let arena = aligned(program.plan.arena);
        let shares = program.plan.steps.iter().map(|step| step.kernel.shares);
        let counters = shares.map(|shares| shares.map_or(0, |shares| shares.counters));
        let counters = aligned(counters.max().unwrap_or_default());
        let size = given.saturating_add(arena).saturating_add(results);
        let sizes = program.plan.constants.iter().map(|(_, size)| Some(*size));
        let (constants, constant) = lay_out(sizes);
        let size = size.saturating_add(counters).saturating_add(constant);
        let memory = gpu.allocate("a run", size)?;
        let write_combined = sys::CU_MEMHOSTALLOC_WRITECOMBINED;
        let mut pinned = gpu.pinned("what a run is given", given, write_combined)?;
        let mut fetched = gpu.pinned("what a run results in", results, 0)?;
        // The last one and so the first to go: while a stream records, the driver takes no memory back.
        let stream = Stream::new(&gpu.context).map_err(error("making a stream"))?;
        let start = memory.address();
        let at = |offset: usize| start + (offset * size_of::<f32>()) as CUdeviceptr;
        let address = |place: &Place| match place {
            Place::Leaf(leaf) => match (kept.get(*leaf), leaves.get(*leaf)) {
                (Some(Some(kept)), _) => Some(kept.address()),
                (_, Some(Some(offset))) => Some(at(*offset)),
                _ => None,
            },
            Place::Arena(range) => Some(at(given + range.start)),
            Place::Output(output) => outputs
                .get(*output)
                .map(|offset| at(given + arena + offset)),
            Place::Constant(number, _) => {
                let offset = constants.get(*number).copied().flatten();
                offset.map(|offset| at(given + arena + results + counters + offset))
            }
        };
        let counting = at(given + arena + results);
        if counters + constant > 0 {
            let mut numbers = vec![0.0; counters + constant];
            for ((value, size), offset) in program.plan.constants.iter().zip(&constants) {
                let start = counters + offset.unwrap_or_default();
                numbers[start..][..*size].fill(*value);
            }
            // SAFETY: the memory ends with as many numbers, and the copy is done before `numbers` goes.
            unsafe { stream.copy_to(counting, &numbers) }
                .and_then(|()| stream.synchronize())
                .map_err(error("filling in constants"))?;
        }
        stream.begin().map_err(error("recording a run"))?;
        let mut record = || -> Result<()> {
            if given > 0 {
                // SAFETY: both places have this size and live as long as the session.
                unsafe { stream.copy_to(at(0), pinned.numbers()) }
                    .map_err(error("recording a copy"))?;
            }
            for (step, function) in program.plan.steps.iter().zip(&program.functions) {
                let places = step.results.iter().chain(&step.operands);
                let addresses: Option<Vec<CUdeviceptr>> = places.map(address).collect();
                let mut addresses = addresses
                    .ok_or_else(|| invalid("a kernel reads or writes what has no place"))?;
                if step.kernel.shares.is_some() {
                    addresses.extend([at(given + step.scratch.start), counting]);
                }
                let mut arguments: Vec<*mut c_void> = Vec::new();
                arguments.extend(
                    addresses
                        .iter()
                        .map(|address| (&raw const *address).cast_mut().cast()),
                );
                let sizes = step.kernel.sizes.iter();
                arguments.extend(sizes.map(|sizes| (&raw const *sizes).cast_mut().cast()));
                let (grid, threads) = (step.kernel.grid, step.kernel.threads);
                // SAFETY: the kernel takes as many addresses, then sizes as a structure of integers, and reads and writes as much as
                // the plan has put there.
                unsafe { stream.launch(function, grid, threads, &mut arguments) }
                    .map_err(error("launching a kernel"))?;
            }
            if results > 0 {
                // SAFETY: as for the first copy.
                unsafe { stream.copy_from(fetched.numbers(), at(given + arena)) }
                    .map_err(error("recording a copy"))?;
            }
            Ok(())
        };
        let recorded = record();
        // Recording ends, whatever has happened.
        let recording = stream.end();
        recorded?;
        let mut recording = recording.map_err(error("recording a run"))?;
        recording
            .upload(&stream)
            .map_err(error("uploading a run"))?;
        Ok(Self {
            gpu: Arc::clone(gpu),
            recording,
            stream,
            leaves,
            outputs,
            given: pinned,
            results: fetched,
            _memory: memory,
            _kept: kept,
        })
    }

    /// Runs the program once.
    pub(super) fn run(&mut self, leaves: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<()> {
        let given = self.given.numbers();
        for (leaf, offset) in leaves.iter().zip(&self.leaves) {
            if let Some(offset) = offset {
                copy(leaf, &mut given[*offset..][..leaf.len()]);
            }
        }
        // SAFETY: the session has everything that it reads and writes.
        let launched = unsafe { self.recording.launch(&self.stream) };
        let done = launched.and_then(|()| self.stream.synchronize());
        done.map_err(|error| self.gpu.error("a run", error))?;
        let results = self.results.numbers();
        for (output, offset) in outputs.iter_mut().zip(&self.outputs) {
            let size = output.len();
            copy(&results[*offset..][..size], output);
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What the graph reads and writes must not go while it runs.
        let _ = self.stream.synchronize();
    }
}
