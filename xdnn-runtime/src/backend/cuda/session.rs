//! What runs of a program share: a stream, memory, and the graph of all that a run does.

#![expect(unsafe_code, reason = "the driver is a C library")]

use std::sync::Arc;
use std::time::Instant;

use cudarc::driver::sys::{CUdeviceptr, CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{
    CudaGraph, CudaStream, DeviceRepr, DriverError, LaunchConfig, PinnedHostSlice, PushKernelArg,
    result, sys,
};

use super::gpu::{Gpu, Memory};
use super::kernel::Sizes;
use super::{CudaProgram, Place};
use crate::error::{Result, invalid};

/// Offsets in the memory of a device are multiples of this many numbers: 256 bytes, as the driver's own allocations.
const ALIGNMENT: usize = 64;

/// Sizes as a kernel takes them.
#[repr(transparent)]
struct Structure(Sizes);

// SAFETY: it is a structure of integers on both sides.
unsafe impl DeviceRepr for Structure {}

/// What one run after the other uses. Its memory holds the leaves that are given to each run, then the arena, then the outputs.
pub(super) struct Session {
    gpu: Arc<Gpu>,
    stream: Arc<CudaStream>,
    graph: CudaGraph,
    /// The same without copies, once somebody has asked how long it takes.
    kernels: Option<CudaGraph>,
    map: Map,
    /// Where the leaves are that are given to each run; what is kept has no place.
    leaves: Vec<Option<usize>>,
    /// Where the outputs are, counted from the first one.
    outputs: Vec<usize>,
    /// What is copied to the device, and from there. The graph writes to them and reads them.
    given: Pinned,
    results: Pinned,
    /// The graph has their addresses.
    _memory: Memory,
    kept: Vec<Option<Arc<Memory>>>,
}

/// What is where in the memory of a session, as numbers from its start.
struct Map {
    start: CUdeviceptr,
    arena: usize,
    results: usize,
}

impl Map {
    fn at(&self, offset: usize) -> CUdeviceptr {
        self.start + (offset * size_of::<f32>()) as CUdeviceptr
    }
}

// SAFETY: a graph must not be used by two threads at once; a session is owned by the run that uses it.
unsafe impl Send for Session {}

/// Memory of the host that the device copies from and to while the host does other things.
struct Pinned {
    memory: PinnedHostSlice<f32>,
    address: *mut f32,
    size: usize,
}

impl Pinned {
    /// `flags` are those of `cuMemHostAlloc`.
    fn new(gpu: &Gpu, size: usize, flags: u32) -> std::result::Result<Self, DriverError> {
        // SAFETY: it is filled below.
        let mut memory = unsafe { gpu.context.alloc_pinned_with_flags(size.max(1), flags) }?;
        memory.as_mut_slice()?.fill(0.0);
        let address = memory.as_mut_ptr()?;
        Ok(Self {
            memory,
            address,
            size,
        })
    }

    /// The numbers, while no graph is running.
    fn numbers(&mut self) -> &mut [f32] {
        debug_assert!(self.size <= self.memory.len());
        // SAFETY: the memory is there as long as `self.memory` is, which nothing else uses but graphs, none of which is running.
        unsafe { std::slice::from_raw_parts_mut(self.address, self.size) }
    }
}

/// The offset of each size in one piece of memory, and the size of the piece.
fn lay_out(sizes: impl Iterator<Item = Option<usize>>) -> (Vec<Option<usize>>, usize) {
    let mut end = 0;
    let offsets = sizes.map(|size| {
        let start = end;
        end += size?.next_multiple_of(ALIGNMENT);
        Some(start)
    });
    (offsets.collect(), end)
}

/// Records what is put into a stream.
fn record(
    gpu: &Gpu,
    stream: &Arc<CudaStream>,
    work: impl FnOnce() -> Result<()>,
) -> Result<CudaGraph> {
    let error = |error| gpu.error("recording a run", error);
    let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    stream.begin_capture(mode).map_err(error)?;
    let recorded = work();
    // Recording ends, whatever has happened.
    let graph = stream.end_capture(CUgraphInstantiate_flags(0));
    recorded?;
    let graph = graph.map_err(error)?;
    graph.ok_or_else(|| invalid("the driver has recorded nothing"))
}

/// Puts the kernels of a program into a stream.
fn launch(
    program: &CudaProgram,
    stream: &Arc<CudaStream>,
    map: &Map,
    leaves: &[Option<usize>],
    outputs: &[usize],
    kept: &[Option<Arc<Memory>>],
) -> Result<()> {
    let address = |place: &Place| match place {
        Place::Leaf(leaf) => match (kept.get(*leaf), leaves.get(*leaf)) {
            (Some(Some(kept)), _) => Some(kept.address()),
            (_, Some(Some(offset))) => Some(map.at(*offset)),
            _ => None,
        },
        Place::Arena(range) => Some(map.at(map.arena + range.start)),
        Place::Output(output) => outputs
            .get(*output)
            .map(|offset| map.at(map.results + offset)),
        Place::Constant(..) => None,
    };
    for (step, function) in program.plan.steps.iter().zip(&program.functions) {
        let places = step.results.iter().chain(&step.operands);
        let addresses: Option<Vec<CUdeviceptr>> = places.map(address).collect();
        let addresses =
            addresses.ok_or_else(|| invalid("a kernel reads or writes what has no place"))?;
        let [x, y, z] = step.kernel.grid;
        let mut launch = stream.launch_builder(function);
        for address in &addresses {
            launch.arg(address);
        }
        let sizes = step.kernel.sizes.map(Structure);
        if let Some(sizes) = &sizes {
            launch.arg(sizes);
        }
        // SAFETY: the kernel takes as many addresses, and reads and writes as much as the plan has put there.
        let launched = unsafe {
            launch.launch(LaunchConfig {
                grid_dim: (x, y, z),
                block_dim: (step.kernel.threads, 1, 1),
                shared_mem_bytes: 0,
            })
        };
        launched.map_err(|error| program.gpu.error("launching a kernel", error))?;
    }
    Ok(())
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
        let arena = program.plan.arena.next_multiple_of(ALIGNMENT);
        let stream = gpu.context.new_stream().map_err(error("making a stream"))?;
        let memory = gpu.allocate(&stream, given + arena + results)?;
        stream.synchronize().map_err(error("allocating memory"))?;
        let write_combined = sys::CU_MEMHOSTALLOC_WRITECOMBINED;
        let pinned = Pinned::new(gpu, given, write_combined);
        let mut pinned = pinned.map_err(error("allocating memory of the host"))?;
        let fetched = Pinned::new(gpu, results, 0);
        let mut fetched = fetched.map_err(error("allocating memory of the host"))?;
        let map = Map {
            start: memory.address(),
            arena: given,
            results: given + arena,
        };
        let graph = record(gpu, &stream, || {
            if given > 0 {
                // SAFETY: both places have this size and live as long as the session.
                unsafe {
                    result::memcpy_htod_async(map.at(0), pinned.numbers(), stream.cu_stream())
                }
                .map_err(error("recording a copy"))?;
            }
            launch(program, &stream, &map, &leaves, &outputs, &kept)?;
            if results > 0 {
                let from = map.at(map.results);
                // SAFETY: as for the first copy.
                unsafe { result::memcpy_dtoh_async(fetched.numbers(), from, stream.cu_stream()) }
                    .map_err(error("recording a copy"))?;
            }
            Ok(())
        })?;
        graph.upload().map_err(error("uploading a run"))?;
        Ok(Self {
            gpu: Arc::clone(gpu),
            stream,
            graph,
            kernels: None,
            map,
            leaves,
            outputs,
            given: pinned,
            results: fetched,
            _memory: memory,
            kept,
        })
    }

    /// Seconds of the kernels of a run, the mean of so many runs on what is in the memory.
    pub(super) fn time(&mut self, program: &CudaProgram, runs: usize) -> Result<f64> {
        let graph = match self.kernels.take() {
            Some(graph) => graph,
            None => record(&self.gpu, &self.stream, || {
                launch(
                    program,
                    &self.stream,
                    &self.map,
                    &self.leaves,
                    &self.outputs,
                    &self.kept,
                )
            })?,
        };
        let run = || graph.launch().and_then(|()| self.stream.synchronize());
        let error = |error| self.gpu.error("a run", error);
        run().map_err(error)?; // which uploads it
        let start = Instant::now();
        for _ in 0..runs {
            run().map_err(error)?;
        }
        let seconds = start.elapsed().as_secs_f64() / runs.max(1) as f64;
        self.kernels = Some(graph);
        Ok(seconds)
    }

    /// Runs the program once.
    pub(super) fn run(&mut self, leaves: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<()> {
        let given = self.given.numbers();
        for (leaf, offset) in leaves.iter().zip(&self.leaves) {
            if let Some(offset) = offset {
                given[*offset..][..leaf.len()].copy_from_slice(leaf);
            }
        }
        let done = self.graph.launch().and_then(|()| self.stream.synchronize());
        done.map_err(|error| self.gpu.error("a run", error))?;
        let results = self.results.numbers();
        for (output, offset) in outputs.iter_mut().zip(&self.outputs) {
            let size = output.len();
            output.copy_from_slice(&results[*offset..][..size]);
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
