//! The loaded stand-ins and what a test asks of them.

use std::ffi::{CString, c_char, c_int};
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};

use crate::build;

/// What was made and not destroyed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Live {
    /// Allocations of device memory.
    pub allocations: u64,
    /// The bytes of these allocations.
    pub bytes: u64,
    /// Allocations of pinned host memory.
    pub pinned: u64,
    /// Streams, without those that always exist.
    pub streams: u64,
    /// Events.
    pub events: u64,
    /// Loaded modules.
    pub modules: u64,
    /// Graphs.
    pub graphs: u64,
    /// Executable graphs.
    pub executables: u64,
    /// Contexts, a retained primary context among them.
    pub contexts: u64,
}

/// The stand-in for a device. Its settings are the whole process's; tests that change them take [`Mock::exclusive`].
#[derive(Debug)]
pub struct Mock {
    exclusive: Mutex<()>,
    fail: unsafe extern "C" fn(*const c_char, c_int, c_int),
    calls: unsafe extern "C" fn(*const c_char) -> u64,
    launches: unsafe extern "C" fn(*const c_char) -> u64,
    live: unsafe extern "C" fn(*mut Live),
    memory: unsafe extern "C" fn(u64),
    order: unsafe extern "C" fn(c_int),
    pools: unsafe extern "C" fn(c_int),
    devices: unsafe extern "C" fn(c_int),
    attribute: unsafe extern "C" fn(c_int, c_int),
    defer: unsafe extern "C" fn(c_int),
    message: unsafe extern "C" fn(*mut c_char, usize) -> usize,
    reset: unsafe extern "C" fn(),
    nvrtc_fail: unsafe extern "C" fn(*const c_char, c_int, c_int),
    nvrtc_calls: unsafe extern "C" fn(*const c_char) -> u64,
    nvrtc_reset: unsafe extern "C" fn(),
    programs: unsafe extern "C" fn() -> u64,
    builds: unsafe extern "C" fn() -> u64,
}

/// Loads the stand-ins into the process, and builds them before where they are not yet.
///
/// To be called before anything else asks for `libcuda`, `libnvrtc` or `libcublas`. It points the variable `CUDA_HOME` to what stands in
/// for a toolkit's headers, and turns xdnn's cache of kernels off.
///
/// # Errors
///
/// What is missing, such as g++, or that the process uses a real driver already.
pub fn install() -> Result<&'static Mock, String> {
    static MOCK: OnceLock<Result<Mock, String>> = OnceLock::new();
    MOCK.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Mock, String> {
    // What is compiled here is for this process: no cache on the disk may hand it to a real driver.
    // SAFETY: it happens once, before anything of CUDA is used.
    unsafe { std::env::set_var("XDNN_CUDA_CACHE", "") };
    let built = build::build()?;
    // SAFETY: as above.
    unsafe { std::env::set_var("CUDA_HOME", &built.folder) };
    let cuda = open(&built.cuda)?;
    let nvrtc = open(&built.nvrtc)?;
    for other in &built.others {
        open(other)?;
    }
    // Whoever asks for a library by a name that is loaded already gets that one.
    find(open(Path::new("libcuda.so"))?, "xdnn_mock_fail")
        .and(find(
            open(Path::new("libnvrtc.so"))?,
            "xdnn_mock_nvrtc_setup",
        ))
        .map_err(|_| {
            "the process has loaded a CUDA driver already: call `install` first".to_owned()
        })?;

    type Setup = unsafe extern "C" fn(*const c_char, *const c_char, *const c_char, *const c_char);
    let path =
        |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string());
    let (headers, kernels) = (path(&built.folder)?, path(&built.kernels)?);
    let (compiler, salt) = (text(built.compiler)?, text(&built.salt)?);
    // SAFETY: the function has this signature; it copies the texts, which end in NUL.
    unsafe {
        let setup: Setup = symbol(nvrtc, "xdnn_mock_nvrtc_setup")?;
        setup(
            compiler.as_ptr(),
            headers.as_ptr(),
            kernels.as_ptr(),
            salt.as_ptr(),
        );
    }

    // SAFETY: the signatures of the fields are those of calls_test.h and mock_nvrtc.cpp, from which the libraries
    // were built; the libraries are never unloaded.
    unsafe {
        Ok(Mock {
            exclusive: Mutex::new(()),
            fail: symbol(cuda, "xdnn_mock_fail")?,
            calls: symbol(cuda, "xdnn_mock_calls")?,
            launches: symbol(cuda, "xdnn_mock_launches")?,
            live: symbol(cuda, "xdnn_mock_live")?,
            memory: symbol(cuda, "xdnn_mock_memory")?,
            order: symbol(cuda, "xdnn_mock_order")?,
            pools: symbol(cuda, "xdnn_mock_pools")?,
            devices: symbol(cuda, "xdnn_mock_devices")?,
            attribute: symbol(cuda, "xdnn_mock_attribute")?,
            defer: symbol(cuda, "xdnn_mock_defer")?,
            message: symbol(cuda, "xdnn_mock_message")?,
            reset: symbol(cuda, "xdnn_mock_reset")?,
            nvrtc_fail: symbol(nvrtc, "xdnn_mock_nvrtc_fail")?,
            nvrtc_calls: symbol(nvrtc, "xdnn_mock_nvrtc_calls")?,
            nvrtc_reset: symbol(nvrtc, "xdnn_mock_nvrtc_reset")?,
            programs: symbol(nvrtc, "xdnn_mock_nvrtc_live")?,
            builds: symbol(nvrtc, "xdnn_mock_nvrtc_builds")?,
        })
    }
}

/// The library, which is never unloaded.
fn open(path: &Path) -> Result<&'static Library, String> {
    let visibility = if path.is_absolute() {
        RTLD_GLOBAL
    } else {
        RTLD_LOCAL
    };
    // SAFETY: the libraries' initialisers only fill their own tables.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | visibility) };
    let library = library.map_err(|error| format!("cannot load `{}`: {error}", path.display()))?;
    Ok(Box::leak(Box::new(library)))
}

fn find(library: &Library, name: &str) -> Result<(), String> {
    // SAFETY: the symbol's address is not used.
    unsafe { symbol::<*const ()>(library, name) }.map(drop)
}

/// # Safety
///
/// `F` must be the type of the function's pointer, and the library must stay loaded.
unsafe fn symbol<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
    // SAFETY: by the contract of this function.
    let symbol = unsafe { library.get::<F>(name.as_bytes()) };
    symbol
        .map(|symbol| *symbol)
        .map_err(|error| error.to_string())
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|error| error.to_string())
}

/// A name as C has it; one that holds a NUL names nothing.
fn name(name: &str) -> CString {
    CString::new(name).unwrap_or_default()
}

// SAFETY of the calls below: the functions take a lock, copy what they are given before they return, and accept every
// value of their arguments; names end in NUL.
impl Mock {
    /// Keeps every other holder of the guard waiting, and starts from the usual settings; they come back at the end.
    #[must_use]
    pub fn exclusive(&self) -> Exclusive<'_> {
        // A test that failed leaves nothing behind that `reset` does not undo.
        let guard = self
            .exclusive
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.reset();
        Exclusive {
            mock: self,
            _guard: guard,
        }
    }

    /// Makes the `nth` call from now of a function of the driver or of NVRTC return `error`, a number of `CUresult` or
    /// `nvrtcResult`; with 0 every call, until [`Mock::reset`].
    ///
    /// The name `*` stands for any function of the driver. Suffixes such as `_v2` are the same function.
    pub fn fail(&self, function: &str, nth: u32, error: i32) {
        let fail = if function.starts_with("nvrtc") {
            self.nvrtc_fail
        } else {
            self.fail
        };
        // SAFETY: see above.
        unsafe {
            fail(
                name(function).as_ptr(),
                c_int::try_from(nth).unwrap_or(c_int::MAX),
                error,
            )
        }
    }

    /// How often a function of the driver or of NVRTC was called since the last [`Mock::reset`].
    #[must_use]
    pub fn calls(&self, function: &str) -> u64 {
        let calls = if function.starts_with("nvrtc") {
            self.nvrtc_calls
        } else {
            self.calls
        };
        // SAFETY: see above.
        unsafe { calls(name(function).as_ptr()) }
    }

    /// How often a kernel ran since the last [`Mock::reset`], replays of graphs included; all kernels for `None`.
    #[must_use]
    pub fn launches(&self, kernel: Option<&str>) -> u64 {
        let kernel = kernel.map(name);
        // SAFETY: see above; null is allowed.
        unsafe {
            (self.launches)(
                kernel
                    .as_ref()
                    .map_or(std::ptr::null(), |kernel| kernel.as_ptr()),
            )
        }
    }

    /// What lives.
    #[must_use]
    pub fn live(&self) -> Live {
        let mut live = Live::default();
        // SAFETY: `Live` has the layout of its namesake in calls_test.h.
        unsafe { (self.live)(&raw mut live) };
        live
    }

    /// The bytes of device memory; allocations beyond them fail with `CUDA_ERROR_OUT_OF_MEMORY`. 8 GiB at first.
    pub fn set_memory(&self, bytes: u64) {
        // SAFETY: see above.
        unsafe { (self.memory)(bytes) }
    }

    /// The order in which threads, warps and blocks run: 0 forward, 1 reverse, else warps and the lanes of each
    /// shuffled by this seed.
    pub fn set_order(&self, order: i32) {
        // SAFETY: see above.
        unsafe { (self.order)(order) }
    }

    /// Whether the device has memory pools, and with them `cuMemAllocAsync`. It has at first.
    pub fn set_pools(&self, supported: bool) {
        // SAFETY: see above.
        unsafe { (self.pools)(c_int::from(supported)) }
    }

    /// The number of devices, 1 at first. With 0 `cuInit` fails.
    pub fn set_devices(&self, count: u32) {
        // SAFETY: see above.
        unsafe { (self.devices)(c_int::try_from(count).unwrap_or(c_int::MAX)) }
    }

    /// Answers `value` for a device's attribute, by its number in `CUdevice_attribute`. Without, an H100 answers.
    pub fn set_attribute(&self, attribute: i32, value: i32) {
        // SAFETY: see above.
        unsafe { (self.attribute)(attribute, value) }
    }

    /// Whether work is put off until something waits for it, so that what forgets to wait sees none of its results.
    pub fn set_deferred(&self, deferred: bool) {
        // SAFETY: see above.
        unsafe { (self.defer)(c_int::from(deferred)) }
    }

    /// The last complaint; empty when there was none since the last [`Mock::reset`].
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = vec![0_u8; 4096];
        // SAFETY: at most the bytes of `text` are written, a NUL the last of them.
        unsafe { (self.message)(text.as_mut_ptr().cast(), text.len()) };
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(0);
        String::from_utf8_lossy(&text[..end]).into_owned()
    }

    /// Forgets failures, counts, messages and settings. What lives goes on living.
    pub fn reset(&self) {
        // SAFETY: see above.
        unsafe {
            (self.reset)();
            (self.nvrtc_reset)();
        }
    }

    /// Makes the `nth` compilation of a program from now return `error`, a number of `nvrtcResult`.
    pub fn fail_compilation(&self, nth: u32, error: i32) {
        self.fail("nvrtcCompileProgram", nth, error);
    }

    /// Programs of NVRTC that were not destroyed yet.
    #[must_use]
    pub fn programs(&self) -> u64 {
        // SAFETY: see above.
        unsafe { (self.programs)() }
    }

    /// Compilations of this process that the cache did not spare.
    #[must_use]
    pub fn builds(&self) -> u64 {
        // SAFETY: see above.
        unsafe { (self.builds)() }
    }
}

/// The stand-in for one test alone: see [`Mock::exclusive`].
#[derive(Debug)]
pub struct Exclusive<'a> {
    mock: &'a Mock,
    _guard: MutexGuard<'a, ()>,
}

impl Deref for Exclusive<'_> {
    type Target = Mock;

    fn deref(&self) -> &Mock {
        self.mock
    }
}

impl Drop for Exclusive<'_> {
    fn drop(&mut self) {
        self.mock.reset();
    }
}
