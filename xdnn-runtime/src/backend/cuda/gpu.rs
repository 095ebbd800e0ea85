//! A GPU of this machine.

#![expect(unsafe_code, reason = "the driver is a C library")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use cudarc::driver::sys::CUresult;
use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaSlice, CudaStream, DriverError, sys};

use super::kernel::Kernel;
use super::lock;
use super::module::{Compiler, modules};
use crate::error::{Error, Result};

/// The oldest architecture whose GPUs have what kernels need: copies that do not wait, and products of matrices in TF32.
const OLDEST: (i32, i32) = (8, 0);

/// A GPU, opened.
pub(super) struct Gpu {
    ordinal: usize,
    pub context: Arc<CudaContext>,
    /// Where everything runs that is in no session.
    stream: Arc<CudaStream>,
    compiler: Compiler,
    /// The modules that programs are using, by their text.
    modules: Mutex<HashMap<String, Weak<CudaModule>>>,
}

/// Numbers in the memory of a GPU.
pub(super) struct Memory {
    slice: CudaSlice<f32>,
}

impl Gpu {
    /// The GPU of a number, which all programs share.
    pub(super) fn open(ordinal: usize) -> Result<Arc<Self>> {
        static OPEN: OnceLock<Mutex<HashMap<usize, Weak<Gpu>>>> = OnceLock::new();
        let mut open = lock(OPEN.get_or_init(Mutex::default));
        if let Some(gpu) = open.get(&ordinal).and_then(Weak::upgrade) {
            return Ok(gpu);
        }
        let gpu = Arc::new(Self::new(ordinal)?);
        open.insert(ordinal, Arc::downgrade(&gpu));
        Ok(gpu)
    }

    /// Whether there is a GPU that programs can run on.
    pub(super) fn is_there() -> bool {
        static THERE: OnceLock<bool> = OnceLock::new();
        *THERE.get_or_init(|| Self::open(0).is_ok())
    }

    fn new(ordinal: usize) -> Result<Self> {
        let refused = |cause: String| Error::Device {
            device: format!("cuda:{ordinal}").into(),
            cause: cause.into(),
        };
        // SAFETY: loading the driver runs its initialisers, which is what it is there for.
        if !unsafe { sys::is_culib_present() } {
            return Err(refused(
                "there is no driver: `libcuda.so` cannot be loaded".to_owned(),
            ));
        }
        let driver = |error: DriverError| match error.0 {
            CUresult::CUDA_ERROR_NO_DEVICE => refused("there is no GPU in this machine".to_owned()),
            CUresult::CUDA_ERROR_INVALID_DEVICE => {
                refused("there is no GPU of this number".to_owned())
            }
            _ => refused(format!("the GPU cannot be opened: {}", describe(error))),
        };
        let context = CudaContext::new(ordinal).map_err(driver)?;
        let capability = context.compute_capability().map_err(driver)?;
        if capability < OLDEST {
            return Err(refused(format!(
                "the GPU has compute capability {}.{}, at least {}.{} is needed",
                capability.0, capability.1, OLDEST.0, OLDEST.1
            )));
        }
        // SAFETY: memory is used by the stream of one session alone, and weights are there before any session reads them.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(driver)?;
        let compiler = Compiler::new(capability).map_err(refused)?;
        Ok(Self {
            ordinal,
            context,
            stream,
            compiler,
            modules: Mutex::default(),
        })
    }

    /// The functions of kernels, in their order.
    pub(super) fn functions(&self, kernels: &[&Kernel]) -> Result<Vec<CudaFunction>> {
        let modules = modules(kernels);
        let loaded = self.load(modules.iter().map(|module| module.text.as_str()))?;
        let mut functions = HashMap::new();
        for (module, loaded) in modules.iter().zip(&loaded) {
            for name in &module.names {
                let function = loaded.load_function(name);
                let function = function.map_err(|error| self.error("finding a kernel", error))?;
                functions.insert(*name, function);
            }
        }
        let function = |kernel: &&Kernel| {
            let function = functions.get(kernel.name.as_str()).cloned();
            function.ok_or_else(|| self.refused("a kernel is in no module".to_owned()))
        };
        kernels.iter().map(function).collect()
    }

    /// Modules of such texts, compiled where no program has them.
    fn load<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<Vec<Arc<CudaModule>>> {
        let texts: Vec<&str> = texts.collect();
        let known: Vec<_> = {
            let modules = lock(&self.modules);
            let known = texts.iter().map(|text| modules.get(*text).and_then(Weak::upgrade));
            known.collect()
        };
        let missing = texts.iter().zip(&known).filter(|(_, known)| known.is_none());
        let missing: Vec<&str> = missing.map(|(text, _)| *text).collect();
        let images = self.compiler.compile(&missing);
        let mut images = images.map_err(|cause| self.refused(cause))?.into_iter();
        let mut loaded = Vec::with_capacity(texts.len());
        for (text, known) in texts.iter().zip(known) {
            let module = match known {
                Some(known) => known,
                None => {
                    let image = images.next().unwrap_or_default();
                    let image = cudarc::nvrtc::Ptx::from_binary(image);
                    let module = self.context.load_module(image);
                    module.map_err(|error| self.error("loading kernels", error))?
                }
            };
            lock(&self.modules).insert((*text).to_owned(), Arc::downgrade(&module));
            loaded.push(module);
        }
        lock(&self.modules).retain(|_, module| module.strong_count() > 0);
        Ok(loaded)
    }

    /// Room for so many numbers, which hold whatever was there before.
    pub(super) fn allocate(&self, stream: &Arc<CudaStream>, size: usize) -> Result<Memory> {
        let out_of_memory = |error: DriverError| match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::OutOfMemory {
                what: format!("the memory of cuda:{}", self.ordinal).into(),
                bytes: size * size_of::<f32>(),
            },
            _ => self.error("allocating memory", error),
        };
        // SAFETY: whoever reads it has had it written before.
        let slice = unsafe { stream.alloc(size.max(1)) };
        let slice = slice.map_err(out_of_memory)?;
        Ok(Memory { slice })
    }

    /// Numbers in the GPU's memory.
    pub(super) fn upload(&self, values: &[f32]) -> Result<Arc<Memory>> {
        let mut memory = self.allocate(&self.stream, values.len())?;
        let copied = self.stream.memcpy_htod(values, &mut memory.slice);
        let copied = copied.and_then(|()| self.stream.synchronize());
        copied.map_err(|error| self.error("copying a weight", error))?;
        Ok(Arc::new(memory))
    }

    /// The error of something that the driver did not do.
    pub(super) fn error(&self, doing: &str, error: DriverError) -> Error {
        self.refused(format!("{doing} failed: {}", describe(error)))
    }

    fn refused(&self, cause: String) -> Error {
        Error::Device {
            device: format!("cuda:{}", self.ordinal).into(),
            cause: cause.into(),
        }
    }
}

impl Memory {
    /// How many numbers it has room for.
    pub(super) fn len(&self) -> usize {
        self.slice.len()
    }

    /// Where it is. It stays there as long as this lives.
    pub(super) fn address(&self) -> sys::CUdeviceptr {
        use cudarc::driver::DevicePtr;
        let (address, _) = self.slice.device_ptr(self.slice.stream());
        address
    }
}

/// The driver's name for an error, and its words.
fn describe(error: DriverError) -> String {
    let text = |text: std::result::Result<&std::ffi::CStr, DriverError>| {
        text.map(|text| text.to_string_lossy().into_owned())
    };
    match (text(error.error_name()), text(error.error_string())) {
        (Ok(name), Ok(words)) => format!("{name}, {words}"),
        _ => format!("error {}", error.0 as u32),
    }
}
