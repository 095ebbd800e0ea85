//! What the driver makes for programs, each as a value that gives it back.
//!
//! They stand on the plain functions of cudarc. Its own such values keep the error of what could not be given back for the next call, of
//! whatever thread, and never release a context whose device could not be asked about its memory.
//!
//! What the driver refuses to take back stays where it is, with a warning: there is nothing else to be done about it.

#![expect(unsafe_code, reason = "the driver is a C library")]

use std::ffi::{CStr, CString, c_int, c_void};
use std::sync::Arc;

use cudarc::driver::sys::{
    CUdevice_attribute, CUdeviceptr, CUgraphInstantiate_flags, CUresult, CUstreamCaptureMode,
};
use cudarc::driver::{DriverError, result, sys};

/// What the driver has done, or why not.
pub(super) type Done<T = ()> = Result<T, DriverError>;

/// What the driver knows something by.
#[derive(Clone, Copy)]
struct Handle<T>(T);

// SAFETY: any thread may give it to the driver; what no two threads may do at once takes `&mut self`.
unsafe impl<T> Send for Handle<T> {}
// SAFETY: as before.
unsafe impl<T> Sync for Handle<T> {}

/// The version of CUDA that the driver is for, such as 12040 for 12.4.
pub(super) fn version() -> Done<i32> {
    let mut version: c_int = 0;
    // SAFETY: it is a place to write a number to.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    Ok(version)
}

/// The driver's name for an error, and its words.
pub(super) fn describe(error: DriverError) -> String {
    let text = |text: Done<&CStr>| text.map(|text| text.to_string_lossy().into_owned());
    match (text(error.error_name()), text(error.error_string())) {
        (Ok(name), Ok(words)) => format!("{name}, {words}"),
        _ => format!("error {}", error.0 as u32),
    }
}

/// What a process has on a device.
pub(super) struct Context {
    device: sys::CUdevice,
    handle: Handle<sys::CUcontext>,
}

impl Context {
    /// That of the device of this number, which is the same for all of the process.
    pub(super) fn new(ordinal: usize) -> Done<Arc<Self>> {
        result::init()?;
        let device = result::device::get(c_int::try_from(ordinal).unwrap_or(c_int::MAX))?;
        // SAFETY: the driver has named the device.
        let context = unsafe { result::primary_ctx::retain(device) }?;
        Ok(Arc::new(Self {
            device,
            handle: Handle(context),
        }))
    }

    /// The compute capability of the device.
    pub(super) fn capability(&self) -> Done<(i32, i32)> {
        // SAFETY: the driver has named the device.
        let attribute =
            |attribute| unsafe { result::device::get_attribute(self.device, attribute) };
        let major = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        Ok((major, minor))
    }

    /// Makes this thread's next calls mean this device.
    fn bind(&self) -> Done {
        // SAFETY: the context is there as long as `self` is.
        unsafe { result::ctx::set_current(self.handle.0) }
    }

    fn give_back(&self, what: &str, call: impl FnOnce() -> Done) {
        // Whoever drops it last may be a thread that has used no device yet. Otherwise it is bound already, whatever comes back.
        let _ = self.bind();
        if let Err(error) = call() {
            tracing::warn!(
                what,
                error = describe(error),
                "the driver did not take it back"
            );
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: it was retained once, and nothing is left that was made in it.
        let released = unsafe { result::primary_ctx::release(self.device) };
        if let Err(error) = released {
            let error = describe(error);
            tracing::warn!(what = "a context", error, "the driver did not take it back");
        }
    }
}

/// Kernels, loaded.
pub(super) struct Module {
    context: Arc<Context>,
    handle: Handle<sys::CUmodule>,
}

/// A kernel.
#[derive(Clone)]
pub(super) struct Function {
    handle: Handle<sys::CUfunction>,
    /// It goes with its module.
    module: Arc<Module>,
}

impl Module {
    /// # Safety
    ///
    /// It must be an image that NVRTC has made, or PTX that ends with a zero.
    pub(super) unsafe fn new(context: &Arc<Context>, image: &[u8]) -> Done<Self> {
        context.bind()?;
        // SAFETY: by the contract of this function.
        let module = unsafe { result::module::load_data(image.as_ptr().cast()) }?;
        Ok(Self {
            context: Arc::clone(context),
            handle: Handle(module),
        })
    }

    /// The kernel of a name.
    pub(super) fn function(self: &Arc<Self>, name: &str) -> Done<Function> {
        let name = CString::new(name).map_err(|_| DriverError(CUresult::CUDA_ERROR_NOT_FOUND))?;
        self.context.bind()?;
        // SAFETY: the module is loaded.
        let function = unsafe { result::module::get_function(self.handle.0, name) }?;
        Ok(Function {
            handle: Handle(function),
            module: Arc::clone(self),
        })
    }
}

impl Function {
    /// Lets blocks have so many bytes of shared memory beside what the text declares.
    pub(super) fn reserve(&self, shared: u32) -> Done {
        if shared == 0 {
            return Ok(());
        }
        let most = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        self.module.context.bind()?;
        // SAFETY: the module is loaded.
        unsafe {
            result::function::set_function_attribute(self.handle.0, most, shared.cast_signed())
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: whatever uses its kernels keeps the module.
        let call = || unsafe { result::module::unload(self.handle.0) };
        self.context.give_back("a module", call);
    }
}

/// Numbers in the memory of a device.
pub(super) struct Memory {
    context: Arc<Context>,
    address: CUdeviceptr,
    size: usize,
}

impl Memory {
    /// Room for so many numbers, which hold whatever was there before.
    pub(super) fn new(context: &Arc<Context>, size: usize) -> Done<Self> {
        context.bind()?;
        // SAFETY: it is written before it is read, which is what `Stream`'s functions ask for.
        let address = unsafe { result::malloc_sync(bytes(size)) }?;
        Ok(Self {
            context: Arc::clone(context),
            address,
            size,
        })
    }

    /// How many numbers it has room for.
    pub(super) fn len(&self) -> usize {
        self.size
    }

    /// Where it is. It stays there as long as this lives.
    pub(super) fn address(&self) -> CUdeviceptr {
        self.address
    }

    pub(super) fn is_of(&self, context: &Arc<Context>) -> bool {
        Arc::ptr_eq(&self.context, context)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: whatever uses its address keeps the memory, and the driver waits for the device before it takes it back.
        let call = || unsafe { result::free_sync(self.address) };
        self.context.give_back("memory of the device", call);
    }
}

/// Numbers in memory of the host that the device copies from and to while the host does other things.
pub(super) struct Pinned {
    context: Arc<Context>,
    handle: Handle<*mut f32>,
    size: usize,
}

impl Pinned {
    /// So many zeros. `flags` are those of `cuMemHostAlloc`.
    pub(super) fn new(context: &Arc<Context>, size: usize, flags: u32) -> Done<Self> {
        context.bind()?;
        // SAFETY: it is filled below.
        let address: *mut f32 = unsafe { result::malloc_host(bytes(size), flags) }?.cast();
        // SAFETY: there is room for as many numbers, and zeros of all bits are zeros.
        unsafe { address.write_bytes(0, size) };
        Ok(Self {
            context: Arc::clone(context),
            handle: Handle(address),
            size,
        })
    }

    /// The numbers, while the device does not use them.
    pub(super) fn numbers(&mut self) -> &mut [f32] {
        // SAFETY: they are there as long as `self` is, and were filled when it was made.
        unsafe { std::slice::from_raw_parts_mut(self.handle.0, self.size) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: whatever uses its address keeps the memory.
        let call = || unsafe { result::free_host(self.handle.0.cast()) };
        self.context.give_back("memory of the host", call);
    }
}

/// The bytes of so many numbers, of which there are some: the driver makes no empty memory.
pub(super) fn bytes(size: usize) -> usize {
    size.max(1).saturating_mul(size_of::<f32>())
}

/// What a device does in order.
pub(super) struct Stream {
    context: Arc<Context>,
    handle: Handle<sys::CUstream>,
}

/// What a device does at one call, as often as it is called.
pub(super) struct Recording {
    context: Arc<Context>,
    handle: Handle<sys::CUgraphExec>,
}

impl Stream {
    pub(super) fn new(context: &Arc<Context>) -> Done<Self> {
        context.bind()?;
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking)?;
        Ok(Self {
            context: Arc::clone(context),
            handle: Handle(stream),
        })
    }

    /// Waits until all of it is done.
    pub(super) fn synchronize(&self) -> Done {
        self.context.bind()?;
        // SAFETY: the stream is there as long as `self` is.
        unsafe { result::stream::synchronize(self.handle.0) }
    }

    /// Copies numbers to the device.
    ///
    /// # Safety
    ///
    /// There must be room for them, and until the stream has done it, nothing else may use either place.
    pub(super) unsafe fn copy_to(&self, to: CUdeviceptr, from: &[f32]) -> Done {
        self.context.bind()?;
        // SAFETY: by the contract of this function.
        unsafe { result::memcpy_htod_async(to, from, self.handle.0) }
    }

    /// Copies numbers from the device.
    ///
    /// # Safety
    ///
    /// As many must be there, and until the stream has done it, nothing else may use either place.
    pub(super) unsafe fn copy_from(&self, to: &mut [f32], from: CUdeviceptr) -> Done {
        self.context.bind()?;
        // SAFETY: by the contract of this function.
        unsafe { result::memcpy_dtoh_async(to, from, self.handle.0) }
    }

    /// Copies numbers within the device.
    ///
    /// # Safety
    ///
    /// As many must be there, with room for them, and until the stream has done it, nothing else may use either place.
    pub(super) unsafe fn copy_within(
        &self,
        to: CUdeviceptr,
        from: CUdeviceptr,
        size: usize,
    ) -> Done {
        self.context.bind()?;
        // SAFETY: by the contract of this function.
        unsafe { result::memcpy_dtod_async(to, from, size * size_of::<f32>(), self.handle.0) }
    }

    /// Fills memory of the device with zeros.
    ///
    /// # Safety
    ///
    /// There must be room for them, and until the stream has done it, nothing else may use the place.
    pub(super) unsafe fn fill_zeros(&self, to: CUdeviceptr, size: usize) -> Done {
        self.context.bind()?;
        // SAFETY: by the contract of this function.
        unsafe { result::memset_d8_async(to, 0, bytes(size), self.handle.0) }
    }

    /// Launches a kernel whose blocks have `threads` threads and `shared` bytes of shared memory beside what the text declares.
    ///
    /// # Safety
    ///
    /// The arguments must point to what the kernel takes, and there must be what it reads and writes where they say.
    pub(super) unsafe fn launch(
        &self,
        function: &Function,
        [x, y, z]: [u32; 3],
        threads: u32,
        shared: u32,
        arguments: &mut [*mut c_void],
    ) -> Done {
        let (function, stream) = (function.handle.0, self.handle.0);
        // SAFETY: by the contract of this function.
        unsafe {
            result::launch_kernel(
                function,
                (x, y, z),
                (threads, 1, 1),
                shared,
                stream,
                arguments,
            )
        }
    }

    /// From now on nothing is done and all is recorded.
    pub(super) fn begin(&self) -> Done {
        self.context.bind()?;
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is there as long as `self` is.
        unsafe { result::stream::begin_capture(self.handle.0, mode) }
    }

    /// What was recorded. Where this fails, the stream may go on recording until it is dropped.
    pub(super) fn end(&self) -> Done<Recording> {
        // SAFETY: the stream is there as long as `self` is.
        let graph = unsafe { result::stream::end_capture(self.handle.0) }?;
        if graph.is_null() {
            return Err(DriverError(CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));
        }
        // SAFETY: the driver has just made it.
        let executable = unsafe { result::graph::instantiate(graph, CUgraphInstantiate_flags(0)) };
        // SAFETY: what was instantiated does not need it any more.
        let call = || unsafe { result::graph::destroy(graph) };
        self.context.give_back("a graph", call);
        Ok(Recording {
            context: Arc::clone(&self.context),
            handle: Handle(executable?),
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: nothing uses it any more.
        let call = || unsafe { result::stream::destroy(self.handle.0) };
        self.context.give_back("a stream", call);
    }
}

impl Recording {
    /// Puts it where the first launch would.
    pub(super) fn upload(&mut self, stream: &Stream) -> Done {
        self.context.bind()?;
        // SAFETY: both are there.
        unsafe { result::graph::upload(self.handle.0, stream.handle.0) }
    }

    /// Does it, in the order of a stream.
    ///
    /// # Safety
    ///
    /// What it reads and writes must still be where it was when it was recorded.
    pub(super) unsafe fn launch(&mut self, stream: &Stream) -> Done {
        self.context.bind()?;
        // SAFETY: both are there, and by the contract of this function.
        unsafe { result::graph::launch(self.handle.0, stream.handle.0) }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // SAFETY: nothing launches it any more.
        let call = || unsafe { result::graph::exec_destroy(self.handle.0) };
        self.context.give_back("an executable graph", call);
    }
}
