//! What NVIDIA's compilers make of the kernels, without a GPU: `cargo xtask cuda-check`.
//!
//! NVRTC and ptxas come as wheels from PyPI. Every kernel of the zoo's image networks, of a transformer and of a training step is
//! compiled for each architecture; the table tells the registers of a thread, the shared memory of a block, what is spilled to memory
//! (which must be nothing), and the instructions of tensor cores.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rayon::prelude::*;
use xdnn::ir::NetworkSpec;
use xdnn::prelude::*;
use xdnn::zoo::{XAlexNet, XLlama, XResNet50, XUnet, XVgg16};
use xdnn_runtime::backend::cuda;
use xdnn_runtime::graph::Loss;
use xdnn_runtime::{Precision, Task};

use crate::pypi::Wheel;

const NVRTC: Wheel = wheel("nvidia-cuda-nvrtc");
const PTXAS: Wheel = wheel("nvidia-cuda-nvcc");
const ARCHITECTURES: [&str; 3] = ["80", "90a", "100"];

const fn wheel(package: &'static str) -> Wheel {
    Wheel {
        package,
        version: "13.0.88",
        python: "3.12",
        platform: "manylinux_2_17_x86_64",
    }
}

/// Compile every kernel with NVIDIA's compilers
#[derive(Args)]
pub struct CudaCheck {
    /// Print a line for each kernel
    #[arg(long)]
    all: bool,
    /// Compile the texts of a folder, with NVRTC in the path
    #[arg(long, hide = true)]
    worker: Option<PathBuf>,
}

/// What ptxas tells of a kernel.
#[derive(Default)]
struct Usage {
    registers: usize,
    shared: usize,
    spilled: usize,
    /// Instructions of tensor cores.
    tensor: usize,
}

impl CudaCheck {
    pub fn run(self) -> Result<ExitCode> {
        if let Some(folder) = self.worker {
            compile(&folder)?;
            return Ok(ExitCode::SUCCESS);
        }
        let tools = tools()?;
        let folder = tempfile::tempdir()?;
        let texts = texts()?;
        for (i, text) in texts.iter().enumerate() {
            fs::write(folder.path().join(format!("{i}.cu")), text)?;
        }
        let mut worker = Command::new(env::current_exe()?);
        worker.args(["cuda-check", "--worker"]).arg(folder.path());
        let status = worker.env("LD_LIBRARY_PATH", &tools).status()?;
        ensure!(status.success(), "NVRTC failed ({status})");
        let works =
            (0..texts.len()).flat_map(|i| ARCHITECTURES.map(|architecture| (i, architecture)));
        let works: Vec<(usize, &str)> = works.collect();
        let assembled = works.par_iter().map(|(i, architecture)| {
            let path = folder.path().join(format!("{i}.{architecture}.ptx"));
            let kernels = assemble(&tools.join("ptxas"), &path, architecture)?;
            let named = kernels
                .into_iter()
                .map(|(name, usage)| ((name, *architecture), usage));
            Ok(named.collect())
        });
        let assembled: Vec<Vec<_>> = assembled.collect::<Result<_>>()?;
        let kernels: BTreeMap<(String, &str), Usage> = assembled.into_iter().flatten().collect();
        self.report(&kernels);
        for ((name, architecture), usage) in &kernels {
            if usage.spilled > 0 {
                println!("{name} spills {} bytes on sm_{architecture}", usage.spilled);
            }
        }
        let spills = kernels.values().filter(|usage| usage.spilled > 0).count();
        println!("cuda-check: kernels={} spills={spills}", kernels.len());
        Ok(ExitCode::from(u8::from(spills > 0)))
    }

    /// A line for each kind of kernel, or for each kernel.
    fn report(&self, kernels: &BTreeMap<(String, &str), Usage>) {
        println!(
            "| kernel | sm | kernels | registers | shared memory (bytes) | spilled (bytes) | tensor core instructions |"
        );
        println!("|---|---|---|---|---|---|---|");
        let mut lines: BTreeMap<(&str, &str), (usize, Usage)> = BTreeMap::new();
        for ((name, architecture), usage) in kernels {
            let kind = name.split_once('_').map_or(name.as_str(), |(kind, _)| kind);
            let name = if self.all { name } else { kind };
            let (count, most) = lines.entry((name, architecture)).or_default();
            *count += 1;
            most.registers = most.registers.max(usage.registers);
            most.shared = most.shared.max(usage.shared);
            most.spilled = most.spilled.max(usage.spilled);
            most.tensor = most.tensor.max(usage.tensor);
        }
        for ((name, architecture), (count, most)) in lines {
            let Usage {
                registers,
                shared,
                spilled,
                tensor,
            } = most;
            println!(
                "| {name} | {architecture} | {count} | {registers} | {shared} | {spilled} | {tensor} |"
            );
        }
    }
}

/// The folder of NVRTC's libraries and of ptxas.
fn tools() -> Result<PathBuf> {
    let folder = crate::target_directory().join("cuda-tools");
    for wheel in [NVRTC, PTXAS] {
        let mut archive = zip::ZipArchive::new(File::open(wheel.fetch()?)?)?;
        for i in 0..archive.len() {
            let mut file = archive.by_index(i)?;
            let name = file
                .name()?
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            let path = folder.join(&name);
            let wanted = name.starts_with("libnvrtc") && !name.contains(".alt.") || name == "ptxas";
            if wanted && fs::metadata(&path).map(|known| known.len()).ok() != Some(file.size()) {
                fs::create_dir_all(&folder)?;
                std::io::copy(&mut file, &mut File::create(&path)?)?;
                executable(&path)?;
            }
        }
    }
    Ok(folder)
}

#[cfg(unix)]
fn executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).context("a tool")
}

#[cfg(not(unix))]
fn executable(_: &Path) -> Result<()> {
    Ok(())
}

/// The texts of all modules.
fn texts() -> Result<Vec<String>> {
    let llama = XLlama::<5, 16, 7>::SPEC;
    let unet = XUnet::<1, 16, 4, 2>::SPEC;
    let attribute = [XAlexNet::SPEC, XVgg16::SPEC, XResNet50::SPEC, llama, unet];
    let mut texts = Vec::new();
    for spec in attribute {
        texts.extend(of(spec, Task::Attribute, 1, Precision::Tf32)?);
        texts.extend(of(spec, Task::Attribute, 32, Precision::Tf32)?);
    }
    for precision in [Precision::Strict, Precision::Bf16] {
        texts.extend(of(XAlexNet::SPEC, Task::Attribute, 32, precision)?);
    }
    let trained = Task::TrainWithGini(Loss::CrossEntropy);
    texts.extend(of(llama, trained, 8, Precision::Tf32)?);
    texts.sort_unstable();
    texts.dedup();
    Ok(texts)
}

fn of(spec: &NetworkSpec, task: Task, batch: usize, precision: Precision) -> Result<Vec<String>> {
    Ok(cuda::Outline::of(spec, task, batch, precision)?.texts())
}

/// Compiles the texts of a folder to PTX for each architecture.
fn compile(folder: &Path) -> Result<()> {
    let files = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    files
        .par_iter()
        .map(fs::DirEntry::path)
        .try_for_each(|path| {
            let text = fs::read_to_string(&path)?;
            for architecture in ARCHITECTURES {
                match cuda::ptx(&text, &format!("compute_{architecture}")) {
                    Ok(ptx) => fs::write(path.with_extension(format!("{architecture}.ptx")), ptx)?,
                    Err(error) => bail!("{}: {error}", path.display()),
                }
            }
            Ok(())
        })
}

/// What ptxas tells of the kernels of a module.
fn assemble(ptxas: &Path, path: &Path, architecture: &str) -> Result<Vec<(String, Usage)>> {
    let output = Command::new(ptxas)
        .arg("--verbose")
        .arg(format!("--gpu-name=sm_{architecture}"))
        .arg(path)
        .args(["--output-file", "/dev/null"])
        .output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "ptxas refuses {}: {words}",
        path.display()
    );
    let ptx = fs::read_to_string(path)?;
    let mut kernels: Vec<(String, Usage)> = Vec::new();
    for line in words.lines() {
        if let Some(name) = between(line, "Compiling entry function '", "'") {
            let usage = Usage {
                tensor: tensor(&ptx, name),
                ..Usage::default()
            };
            kernels.push((name.to_owned(), usage));
        }
        let Some((_, usage)) = kernels.last_mut() else {
            continue;
        };
        let number = |start: &str, end: &str| {
            between(line, start, end).and_then(|number| number.trim().parse().ok())
        };
        if let Some(bytes) = number("bytes stack frame, ", " bytes spill stores") {
            usage.spilled = bytes;
        }
        if let Some(registers) = number("Used ", " registers") {
            usage.registers = registers;
            let shared = line
                .split(", ")
                .find_map(|part| part.strip_suffix(" bytes smem"));
            usage.shared = shared
                .and_then(|bytes| bytes.parse().ok())
                .unwrap_or_default();
        }
    }
    ensure!(
        !kernels.is_empty(),
        "ptxas tells nothing of {}: {words}",
        path.display()
    );
    Ok(kernels)
}

fn between<'a>(line: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

/// The instructions of tensor cores in a kernel.
fn tensor(ptx: &str, name: &str) -> usize {
    let body = ptx
        .split_once(&format!(".entry {name}("))
        .map_or("", |(_, rest)| rest);
    let body = body.split_once("\n}").map_or(body, |(body, _)| body);
    body.lines()
        .filter(|line| line.contains("mma.sync") || line.contains("wgmma.mma"))
        .count()
}
