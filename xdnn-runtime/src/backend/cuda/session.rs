//! What runs of a program share: a stream, memory, and the graph of all that a run does.

#![expect(unsafe_code, reason = "the driver is a C library")]

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Instant;

use cudarc::driver::sys;
use cudarc::driver::sys::CUdeviceptr;
use rayon::prelude::*;

use super::driver::{Memory, Pinned, Recording, Stream};
use super::gpu::Gpu;
use super::kernel::Kernel;
use super::{CudaProgram, Given, Place, SliceMut};
use crate::error::{Result, invalid};

/// Offsets in the memory of a device are multiples of this many numbers: 256 bytes, as the driver's own allocations.
const ALIGNMENT: usize = 64;

/// What one run after the other uses. Its memory holds the leaves that are given to each run, then the arena, then the outputs, then
/// counters, which every kernel that uses them leaves at 0, and constants.
pub(super) struct Session {
    gpu: Arc<Gpu>,
    recording: Recording,
    /// The same without copies, once somebody asks how long it takes, or for other copies.
    kernels: Option<Recording>,
    stream: Stream,
    layout: Layout,
    /// What is copied to the device, and from there. The recording has their addresses, as those of the rest.
    given: Pinned,
    results: Pinned,
    _memory: Memory,
    kept: Vec<Option<Arc<Memory>>>,
}

/// What is where in the memory of a session.
struct Layout {
    start: CUdeviceptr,
    /// Where the leaves are that are given to each run; what is kept has no place.
    leaves: Vec<Option<usize>>,
    /// Where the outputs are, counted from the first one.
    outputs: Vec<usize>,
    /// Where the constants are, counted from the first one.
    constants: Vec<Option<usize>>,
    /// Where these begin.
    arena: usize,
    results: usize,
    counters: usize,
    constant: usize,
}

impl Layout {
    fn at(&self, offset: usize) -> CUdeviceptr {
        self.start + (offset * size_of::<f32>()) as CUdeviceptr
    }

    fn address(&self, place: &Place, kept: &[Option<Arc<Memory>>]) -> Option<CUdeviceptr> {
        let offset = match place {
            Place::Leaf(leaf) => match (kept.get(*leaf), self.leaves.get(*leaf)) {
                (Some(Some(kept)), _) => return Some(kept.address()),
                (_, Some(Some(offset))) => *offset,
                _ => return None,
            },
            Place::Arena(range) => self.arena + range.start,
            Place::Output(output) => self.results + self.outputs.get(*output)?,
            Place::Constant(number, _) => {
                self.constant + self.constants.get(*number).copied().flatten()?
            }
        };
        Some(self.at(offset))
    }
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

/// Records what is put into a stream.
fn record(gpu: &Gpu, stream: &Stream, work: impl FnOnce() -> Result<()>) -> Result<Recording> {
    let error = |doing: &'static str| move |error| gpu.error(doing, error);
    stream.begin().map_err(error("recording a run"))?;
    let recorded = work();
    // Recording ends, whatever has happened.
    let recording = stream.end();
    recorded?;
    let mut recording = recording.map_err(error("recording a run"))?;
    recording.upload(stream).map_err(error("uploading a run"))?;
    Ok(recording)
}

/// Puts the kernels of a program into a stream.
fn launch(
    program: &CudaProgram,
    stream: &Stream,
    layout: &Layout,
    kept: &[Option<Arc<Memory>>],
) -> Result<()> {
    for (step, function) in program.outline.plan.steps.iter().zip(&program.functions) {
        let places = step.results.iter().chain(&step.operands);
        let addresses = places.map(|place| layout.address(place, kept));
        let addresses: Option<Vec<CUdeviceptr>> = addresses.collect();
        let mut addresses =
            addresses.ok_or_else(|| invalid("a kernel reads or writes what has no place"))?;
        if step.kernel.shares.is_some() {
            let scratch = layout.at(layout.arena + step.scratch.start);
            addresses.extend([scratch, layout.at(layout.counters)]);
        }
        let mut arguments: Vec<*mut c_void> = Vec::new();
        arguments.extend(
            addresses
                .iter()
                .map(|address| (&raw const *address).cast_mut().cast()),
        );
        let sizes = step.kernel.sizes.iter();
        arguments.extend(sizes.map(|sizes| (&raw const *sizes).cast_mut().cast()));
        let Kernel {
            grid,
            threads,
            shared,
            ..
        } = step.kernel;
        // SAFETY: the kernel takes as many addresses, then sizes as a structure of integers, and reads and writes as much as the plan has
        // put there.
        unsafe { stream.launch(function, grid, threads, shared, &mut arguments) }
            .map_err(|error| program.gpu.error("launching a kernel", error))?;
    }
    Ok(())
}

/// The kernels of a program alone, recorded where they are not yet.
fn kernels<'a>(
    known: &'a mut Option<Recording>,
    program: &CudaProgram,
    stream: &Stream,
    layout: &Layout,
    kept: &[Option<Arc<Memory>>],
) -> Result<&'a mut Recording> {
    let kernels = match known.take() {
        Some(kernels) => kernels,
        None => record(&program.gpu, stream, || {
            launch(program, stream, layout, kept)
        })?,
    };
    Ok(known.insert(kernels))
}

impl Session {
    pub(super) fn new(program: &CudaProgram, kept: Vec<Option<Arc<Memory>>>) -> Result<Self> {
        let gpu = &program.gpu;
        let error = |doing: &'static str| move |error| gpu.error(doing, error);
        let given = program.outline.interface.leaves.iter().zip(&kept);
        let given = given.map(|((_, shape), kept)| kept.is_none().then(|| shape.elements()));
        let (leaves, given) = lay_out(given);
        let outputs = program.outline.interface.outputs.iter();
        let (outputs, results) = lay_out(outputs.map(|shape| Some(shape.elements())));
        let outputs: Vec<usize> = outputs.into_iter().flatten().collect();
        let arena = aligned(program.outline.plan.arena);
        let shares = program
            .outline
            .plan
            .steps
            .iter()
            .map(|step| step.kernel.shares);
        let counters = shares.map(|shares| shares.map_or(0, |shares| shares.counters));
        let counters = aligned(counters.max().unwrap_or_default());
        let size = given.saturating_add(arena).saturating_add(results);
        let sizes = program
            .outline
            .plan
            .constants
            .iter()
            .map(|(_, size)| Some(*size));
        let (constants, constant) = lay_out(sizes);
        let size = size.saturating_add(counters).saturating_add(constant);
        let memory = gpu.allocate("a run", size)?;
        let write_combined = sys::CU_MEMHOSTALLOC_WRITECOMBINED;
        let mut pinned = gpu.pinned("what a run is given", given, write_combined)?;
        let mut fetched = gpu.pinned("what a run results in", results, 0)?;
        // The last one and so the first to go: while a stream records, the driver takes no memory back.
        let stream = Stream::new(&gpu.context).map_err(error("making a stream"))?;
        let layout = Layout {
            start: memory.address(),
            leaves,
            outputs,
            constants,
            arena: given,
            results: given + arena,
            counters: given + arena + results,
            constant: given + arena + results + counters,
        };
        if counters + constant > 0 {
            let mut numbers = vec![0.0; counters + constant];
            for ((value, size), offset) in
                program.outline.plan.constants.iter().zip(&layout.constants)
            {
                let start = counters + offset.unwrap_or_default();
                numbers[start..][..*size].fill(*value);
            }
            // SAFETY: the memory ends with as many numbers, and the copy is done before `numbers` goes.
            unsafe { stream.copy_to(layout.at(layout.counters), &numbers) }
                .and_then(|()| stream.synchronize())
                .map_err(error("filling in constants"))?;
        }
        let recording = record(gpu, &stream, || {
            if given > 0 {
                // SAFETY: both places have this size and live as long as the session.
                unsafe { stream.copy_to(layout.at(0), pinned.numbers()) }
                    .map_err(error("recording a copy"))?;
            }
            launch(program, &stream, &layout, &kept)?;
            if results > 0 {
                // SAFETY: as for the first copy.
                unsafe { stream.copy_from(fetched.numbers(), layout.at(layout.results)) }
                    .map_err(error("recording a copy"))?;
            }
            Ok(())
        })?;
        Ok(Self {
            gpu: Arc::clone(gpu),
            recording,
            kernels: None,
            stream,
            layout,
            given: pinned,
            results: fetched,
            _memory: memory,
            kept,
        })
    }

    /// Seconds of the kernels of a run, the mean of so many, on what the last run was given.
    pub(super) fn time(&mut self, program: &CudaProgram, runs: usize) -> Result<f64> {
        let (gpu, stream) = (&self.gpu, &self.stream);
        let kernels = kernels(&mut self.kernels, program, stream, &self.layout, &self.kept)?;
        let start = Instant::now();
        for _ in 0..runs {
            // SAFETY: the session has everything that it reads and writes.
            let launched = unsafe { kernels.launch(stream) };
            let done = launched.and_then(|()| stream.synchronize());
            done.map_err(|error| gpu.error("a run", error))?;
        }
        Ok(start.elapsed().as_secs_f64() / runs.max(1) as f64)
    }

    /// Runs the program once on what is in the memory of the device. Where this fails, the stream may still be copying: the session must go.
    pub(super) fn run_within(
        &mut self,
        program: &CudaProgram,
        leaves: &[Given<'_, f32>],
        outputs: &mut [SliceMut<'_>],
    ) -> Result<()> {
        let (gpu, stream, layout) = (&self.gpu, &self.stream, &self.layout);
        let error = |doing: &'static str| move |error| gpu.error(doing, error);
        let kernels = kernels(&mut self.kernels, program, stream, layout, &self.kept)?;
        let given = self.given.numbers();
        for (leaf, offset) in leaves.iter().zip(&layout.leaves) {
            let Some(offset) = *offset else {
                continue;
            };
            let to = layout.at(offset);
            let copied = match leaf {
                Given::Host(values) => {
                    let from = &mut given[offset..][..values.len()];
                    copy(values, from);
                    // SAFETY: both places have this size and live as long as the session.
                    unsafe { stream.copy_to(to, from) }
                }
                // SAFETY: the place has this size, and by the contract of slices, nothing writes to theirs.
                Given::Device(slice) => unsafe { stream.copy_within(to, slice.address, slice.len) },
            };
            copied.map_err(error("copying what a run is given"))?;
        }
        // SAFETY: the session has everything that it reads and writes.
        unsafe { kernels.launch(stream) }.map_err(error("a run"))?;
        for (output, offset) in outputs.iter_mut().zip(&layout.outputs) {
            let from = layout.at(layout.results + offset);
            // SAFETY: as many numbers are there, and by the contract of slices, nothing else uses theirs.
            unsafe { stream.copy_within(output.address, from, output.len) }
                .map_err(error("copying what a run results in"))?;
        }
        stream.synchronize().map_err(error("a run"))
    }

    /// Runs the program once.
    pub(super) fn run(&mut self, leaves: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<()> {
        let given = self.given.numbers();
        for (leaf, offset) in leaves.iter().zip(&self.layout.leaves) {
            if let Some(offset) = offset {
                copy(leaf, &mut given[*offset..][..leaf.len()]);
            }
        }
        // SAFETY: the session has everything that it reads and writes.
        let launched = unsafe { self.recording.launch(&self.stream) };
        let done = launched.and_then(|()| self.stream.synchronize());
        done.map_err(|error| self.gpu.error("a run", error))?;
        let results = self.results.numbers();
        for (output, offset) in outputs.iter_mut().zip(&self.layout.outputs) {
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
