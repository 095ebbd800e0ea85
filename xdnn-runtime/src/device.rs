//! Where a network runs.

use std::fmt;

/// Where a network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// This machine's processor: one program for the whole graph, on the threads of rayon's global pool.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this number, of compute capability 8.0 or newer: one program of generated kernels for the whole graph. It takes the feature
    /// `cuda`, and at run time the driver and NVRTC of CUDA 12 or 13.
    Cuda(usize),
    /// luminal's interpreter on the plain evaluation of each operator: slow and exact, the oracle of the others.
    Reference,
    /// luminal's interpreter on luminal's primitives, in `f32`: thousands of times slower than [`Device::Cpu`], and there to
    /// show what a graph in primitives computes, not to compute with.
    Luminal,
    /// luminal's primitives on the first GPU, by `luminal_cuda`: one kernel for each primitive, in `f32`. It is there for what
    /// others write for luminal.
    ///
    /// It needs the feature `luminal-cuda`, and when it runs the driver, `libnvrtc`, `libcublas` and the headers of a CUDA
    /// toolkit, in `CUDA_HOME` or `/usr/local/cuda`. The number of the GPU is 0, as `luminal_cuda` knows no other;
    /// `CUDA_VISIBLE_DEVICES` decides which GPU that is.
    LuminalCuda(usize),
}

impl Device {
    /// The fastest device of this machine: its first GPU, where there is one that programs can run on, or else the processor.
    ///
    /// It tries the GPU each time until it has found it usable once, and then remembers that: one that another process has filled may be
    /// free a moment later. To do without a GPU that turns out to lack memory is for the caller to decide.
    pub fn best() -> Self {
        #[cfg(feature = "cuda")]
        if crate::backend::cuda::is_there() {
            return Self::Cuda(0);
        }
        Self::Cpu
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::Reference => f.write_str("reference"),
            Self::Luminal => f.write_str("luminal"),
            Self::LuminalCuda(number) => write!(f, "luminal-cuda:{number}"),
        }
    }
}
