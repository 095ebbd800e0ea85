//! A GPU of this machine.

#![expect(unsafe_code, reason = "the driver is a C library")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use cudarc::driver::sys::CUresult;
use cudarc::driver::{DriverError, sys};

use super::driver::{self, Context, Done, Function, Memory, Module, Pinned, Stream, describe};
use super::kernel::Kernel;
use super::lock;
use super::module::{Compiler, modules};
use crate::backend::allocate;
use crate::error::{Error, Result};

/// The oldest architecture whose GPUs have what kernels need: copies that do not wait, and products of matrices in TF32.
const OLDEST: (i32, i32) = (8, 0);
/// The oldest driver, as it tells its version: of CUDA 12.0. Functions that an older one lacks are not looked for.
const OLDEST_DRIVER: i32 = 12_000;

/// A GPU, opened. Whoever drops it last has it closed.
pub(super) struct Gpu {
    pub ordinal: usize,
    /// The version of CUDA that its driver is for.
    driver: String,
    /// Where everything runs that is in no session.
    stream: Stream,
    compiler: Compiler,
    /// The modules that programs are using, by their text.
    modules: Mutex<HashMap<String, Weak<Module>>>,
    pub context: Arc<Context>,
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

    /// Whether there is a GPU that programs can run on. Only a yes is remembered: what is missing now, such as memory that another
    /// process holds, may be there later.
    pub(super) fn is_there() -> bool {
        static THERE: AtomicBool = AtomicBool::new(false);
        if !THERE.load(Ordering::Relaxed) {
            THERE.store(
                Self::open(0).is_ok_and(|gpu| gpu.compiler.works()),
                Ordering::Relaxed,
            );
        }
        THERE.load(Ordering::Relaxed)
    }

    fn new(ordinal: usize) -> Result<Self> {
        let refused = |cause: String| refused(ordinal, cause);
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
        let version = driver::version().map_err(driver)?;
        let name = format!("{}.{}", version / 1000, version % 1000 / 10);
        if version < OLDEST_DRIVER {
            return Err(refused(format!(
                "the driver is for CUDA {name}, at least 12.0 is needed; update the driver"
            )));
        }
        let context = Context::new(ordinal).map_err(driver)?;
        let capability = context.capability().map_err(driver)?;
        if capability < OLDEST {
            return Err(refused(format!(
                "the GPU has compute capability {}.{}, at least {}.{} is needed",
                capability.0, capability.1, OLDEST.0, OLDEST.1
            )));
        }
        let stream = Stream::new(&context).map_err(driver)?;
        let compiler = Compiler::new(capability);
        Ok(Self {
            ordinal,
            driver: name,
            stream,
            compiler,
            modules: Mutex::default(),
            context,
        })
    }

    /// The functions of kernels, in their order.
    pub(super) fn functions(&self, kernels: &[&Kernel]) -> Result<Vec<Function>> {
        let modules = modules(kernels);
        let loaded = self.load(modules.iter().map(|module| module.text.as_str()))?;
        let mut functions = HashMap::new();
        for (module, loaded) in modules.iter().zip(&loaded) {
            for name in &module.names {
                let function = loaded.function(name);
                let function = function.map_err(|error| self.error("finding a kernel", error))?;
                functions.insert(*name, function);
            }
        }
        let function = |kernel: &&Kernel| {
            let function = functions.get(kernel.name.as_str()).cloned();
            let function =
                function.ok_or_else(|| self.refused("a kernel is in no module".to_owned()))?;
            let prepared = function.reserve(kernel.shared);
            prepared.map_err(|error| self.error("reserving shared memory", error))?;
            Ok(function)
        };
        kernels.iter().map(function).collect()
    }

    /// Modules of such texts, compiled where no program has them.
    fn load<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<Vec<Arc<Module>>> {
        let texts: Vec<&str> = texts.collect();
        let known: Vec<_> = {
            let modules = lock(&self.modules);
            let known = texts
                .iter()
                .map(|text| modules.get(*text).and_then(Weak::upgrade));
            known.collect()
        };
        let missing = texts
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none());
        let missing: Vec<&str> = missing.map(|(text, _)| *text).collect();
        let images = self.compiler.compile(&missing);
        let mut images = images.map_err(|cause| self.refused(cause))?.into_iter();
        let mut loaded = Vec::with_capacity(texts.len());
        for (text, known) in texts.iter().zip(known) {
            let module = match known {
                Some(known) => known,
                None => {
                    let image = images.next();
                    let none = || self.refused("a module was not compiled".to_owned());
                    Arc::new(self.module(&image.ok_or_else(none)?)?)
                }
            };
            lock(&self.modules).insert((*text).to_owned(), Arc::downgrade(&module));
            loaded.push(module);
        }
        lock(&self.modules).retain(|_, module| module.strong_count() > 0);
        Ok(loaded)
    }

    fn module(&self, image: &[u8]) -> Result<Module> {
        // SAFETY: the compiler has made it.
        let module = unsafe { Module::new(&self.context, image) };
        let unknown = match module {
            Err(error) => matches!(
                error.0,
                CUresult::CUDA_ERROR_INVALID_IMAGE
                    | CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU
                    | CUresult::CUDA_ERROR_INVALID_PTX
                    | CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION
            ),
            Ok(_) => false,
        };
        let doing = match unknown {
            true => {
                let (driver, compiler) = (&self.driver, self.compiler.version());
                &format!("loading kernels of NVRTC {compiler} by a driver for CUDA {driver}")
            }
            false => "loading kernels",
        };
        self.room("the code of kernels", image.len(), doing, module)
    }

    /// Room for so many numbers, which hold whatever was there before.
    pub(super) fn allocate(&self, what: &'static str, size: usize) -> Result<Memory> {
        let memory = Memory::new(&self.context, size);
        self.room(what, driver::bytes(size), "allocating memory", memory)
    }

    /// So many numbers in memory of the host that the GPU copies from and to. `flags` are those of `cuMemHostAlloc`.
    pub(super) fn pinned(&self, what: &'static str, size: usize, flags: u32) -> Result<Pinned> {
        let pinned = Pinned::new(&self.context, size, flags);
        self.room(
            what,
            driver::bytes(size),
            "allocating memory of the host",
            pinned,
        )
    }

    /// Numbers in the GPU's memory.
    pub(super) fn upload(&self, what: &'static str, values: &[f32]) -> Result<Memory> {
        let memory = self.allocate(what, values.len())?;
        // SAFETY: there is room for as many, and both live until the stream has copied them.
        let copied = unsafe { self.stream.copy_to(memory.address(), values) };
        // Whatever has happened: what the stream copies must not go before.
        let copied = copied.and(self.stream.synchronize());
        copied.map_err(|error| self.error(&format!("copying {what}"), error))?;
        Ok(memory)
    }

    /// So many zeros in the GPU's memory.
    pub(super) fn zeros(&self, what: &'static str, size: usize) -> Result<Memory> {
        let memory = self.allocate(what, size)?;
        // SAFETY: there is room for as many, and it lives until the stream has filled it.
        let filled = unsafe { self.stream.fill_zeros(memory.address(), size) };
        let filled = filled.and(self.stream.synchronize());
        filled.map_err(|error| self.error(&format!("filling {what}"), error))?;
        Ok(memory)
    }

    /// The numbers in a piece of the GPU's memory.
    pub(super) fn download(&self, memory: &Memory) -> Result<Vec<f32>> {
        let mut values = allocate(memory.len(), 0.0, "numbers of a GPU")?;
        // SAFETY: as many are there, and both live until the stream has copied them.
        let copied = unsafe { self.stream.copy_from(&mut values, memory.address()) };
        let copied = copied.and(self.stream.synchronize());
        copied.map_err(|error| self.error("copying numbers", error))?;
        Ok(values)
    }

    /// The error of something that the driver did not do.
    pub(super) fn error(&self, doing: &str, error: DriverError) -> Error {
        self.refused(format!("{doing} failed: {}", describe(error)))
    }

    /// What takes so many bytes, or the error of memory that is not there.
    fn room<T>(&self, what: &str, bytes: usize, doing: &str, made: Done<T>) -> Result<T> {
        made.map_err(|error| match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::OutOfMemory {
                what: format!("{what} on cuda:{}", self.ordinal).into(),
                bytes,
            },
            _ => self.error(doing, error),
        })
    }

    pub(super) fn refused(&self, cause: String) -> Error {
        refused(self.ordinal, cause)
    }
}

fn refused(ordinal: usize, cause: String) -> Error {
    Error::Device {
        device: format!("cuda:{ordinal}").into(),
        cause: cause.into(),
    }
}
