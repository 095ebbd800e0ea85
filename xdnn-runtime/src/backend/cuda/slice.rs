//! Numbers in a GPU's memory that models read and write where they are.

#![expect(unsafe_code, reason = "addresses of a device are not checked")]

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::driver::Memory;
use super::gpu::Gpu;
use crate::error::Result;

/// Numbers in the memory of a GPU. What a method does is done when it returns: there is nothing to wait for.
///
/// ```no_run
/// use xdnn_runtime::backend::cuda::Buffer;
/// use xdnn_runtime::{DynamicModel, Result};
///
/// /// What the second network makes of what the first one makes of 8 samples, without leaving the GPU in between.
/// fn chain(first: &DynamicModel, second: &DynamicModel, images: &[f32]) -> Result<Vec<f32>> {
///     let images = Buffer::upload(0, images)?;
///     let mut features = Buffer::zeros(0, 8 * first.spec().output_shape().elements())?;
///     let mut scores = Buffer::zeros(0, 8 * second.spec().output_shape().elements())?;
///     first.forward_into(8, &[images.slice()], features.slice_mut())?;
///     second.forward_into(8, &[features.slice()], scores.slice_mut())?;
///     scores.download()
/// }
/// ```
pub struct Buffer {
    gpu: Arc<Gpu>,
    memory: Memory,
}

impl Buffer {
    /// So many zeros in the memory of the GPU of a number, that of [`Device::Cuda`](crate::Device::Cuda).
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) where there is no such GPU, and [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn zeros(ordinal: usize, len: usize) -> Result<Self> {
        let gpu = Gpu::open(ordinal)?;
        let memory = gpu.zeros("a buffer", len)?;
        Ok(Self { gpu, memory })
    }

    /// Copies numbers to the memory of a GPU.
    ///
    /// # Errors
    ///
    /// Those of [`Buffer::zeros`].
    pub fn upload(ordinal: usize, numbers: &[f32]) -> Result<Self> {
        let gpu = Gpu::open(ordinal)?;
        let memory = gpu.upload("a buffer", numbers)?;
        Ok(Self { gpu, memory })
    }

    /// Copies the numbers to the memory of the host.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device), and [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn download(&self) -> Result<Vec<f32>> {
        self.gpu.download(&self.memory)
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers, to be read.
    pub fn slice(&self) -> Slice<'_> {
        Slice {
            ordinal: self.gpu.ordinal,
            address: self.memory.address(),
            len: self.len(),
            owner: PhantomData,
        }
    }

    /// The numbers, to be written.
    pub fn slice_mut(&mut self) -> SliceMut<'_> {
        SliceMut {
            ordinal: self.gpu.ordinal,
            address: self.memory.address(),
            len: self.len(),
            owner: PhantomData,
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slice().fmt(f)
    }
}

/// Numbers in the memory of a GPU that a model reads: those of a [`Buffer`], or of whatever else has memory there.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    pub(super) ordinal: usize,
    pub(super) address: u64,
    pub(super) len: usize,
    owner: PhantomData<&'a [f32]>,
}

/// Numbers in the memory of a GPU that a model writes.
#[derive(Debug)]
pub struct SliceMut<'a> {
    pub(super) ordinal: usize,
    pub(super) address: u64,
    pub(super) len: usize,
    owner: PhantomData<&'a mut [f32]>,
}

impl Slice<'_> {
    /// `len` numbers at an address of the driver, a `CUdeviceptr`, on the GPU of a number.
    ///
    /// # Safety
    ///
    /// As long as the slice lives, as many numbers must be there, in memory of the GPU's primary context (that of CUDA's runtime, and of
    /// libraries such as cudarc), and nothing may write to them. What has written them must be done: models run on streams of their own, which wait
    /// for no other.
    pub unsafe fn from_raw(ordinal: usize, address: u64, len: usize) -> Self {
        Self {
            ordinal,
            address,
            len,
            owner: PhantomData,
        }
    }

    /// Where they are, as the driver's `CUdeviceptr`.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl SliceMut<'_> {
    /// The same numbers, for a while.
    pub fn reborrow(&mut self) -> SliceMut<'_> {
        SliceMut {
            owner: PhantomData,
            ..*self
        }
    }

    /// `len` numbers at an address of the driver, a `CUdeviceptr`, on the GPU of a number.
    ///
    /// # Safety
    ///
    /// As for [`Slice::from_raw`]; and nothing else may read them, either.
    pub unsafe fn from_raw(ordinal: usize, address: u64, len: usize) -> Self {
        Self {
            ordinal,
            address,
            len,
            owner: PhantomData,
        }
    }

    /// Where they are, as the driver's `CUdeviceptr`.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
