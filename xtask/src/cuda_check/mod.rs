//! What NVIDIA's compilers make of the kernels, without a GPU: `cargo xtask cuda-check`.
//!
//! Every kernel of the zoo's image networks, of a transformer and of a training step is compiled for each architecture; the table
//! tells the registers of a thread, the shared memory that its text declares (convolutions ask for theirs at the launch), what is
//! spilled to memory, the instructions of tensor cores, and how many instructions a warp executes from one group of products of its
//! warpgroup to the next: eight warps of a block share four schedulers, and products of 128 places, 64 or 128 columns and 16 summands keep
//! the tensor cores of an H100 busy for 128 or 256 cycles.
//! Nothing may be spilled, no product of a warpgroup may have to wait for the one before it, and all products use tensor cores.

mod compilers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xdnn::ir::NetworkSpec;
use xdnn::prelude::*;
use xdnn::zoo::{XAlexNet, XLlama, XResNet50, XUnet, XVgg16};
use xdnn_runtime::backend::cuda;
use xdnn_runtime::graph::Loss;
use xdnn_runtime::{Precision, Task};

use compilers::{Compilers, Kernels, Usage};

network! {
    /// A network whose kernels are of every kind.
    struct Sample(image: [3, 32, 32]) -> [10] {
        conv1: Conv2d(32, kernel = 3, padding = 1) -> Relu -> MaxPool2d(3, stride = 2);
        conv2: Conv2d(64, kernel = 3, padding = 1) -> Relu -> MaxPool2d(2);
        conv3: Conv2d(64, kernel = 3, stride = 2, padding = 1) -> Relu;
        GlobalAvgPool -> Flatten -> head: Linear(10);
    }
}

/// The kinds of kernels that multiply matrices, as their names begin.
const PRODUCTS: [&str; 2] = ["blocked", "product"];

/// Compile every kernel with NVIDIA's compilers
#[derive(Args)]
pub struct CudaCheck {
    /// Print a line for each kernel
    #[arg(long)]
    all: bool,
    /// Compile those of a small network, which are of every kind
    #[arg(long)]
    sample: bool,
    /// Skip the check where the compilers would have to be downloaded
    #[arg(long)]
    offline: bool,
    /// Compile the texts of a folder, with NVRTC in the path
    #[arg(long, hide = true)]
    worker: Option<PathBuf>,
}

impl CudaCheck {
    pub fn run(self) -> Result<ExitCode> {
        if let Some(folder) = self.worker {
            compilers::compile(&folder)?;
            return Ok(ExitCode::SUCCESS);
        }
        let compilers = match self.offline {
            true => Compilers::there()?,
            false => Some(Compilers::fetch()?),
        };
        let Some(compilers) = compilers else {
            println!(
                "cuda-check: skipped, `{}` does not hold the wheels of NVRTC and ptxas; `cargo xtask cuda-check` downloads them",
                crate::pypi::cache().display()
            );
            return Ok(ExitCode::SUCCESS);
        };
        let kernels = compilers.check(&self.texts()?)?;
        self.report(&kernels);
        let (mut spills, mut serialized, mut without_tensor_cores) = (0, 0, 0);
        for ((name, architecture), usage) in &kernels {
            let kernel = format!("{name} on sm_{architecture}");
            if usage.spilled > 0 {
                println!("{kernel} spills {} bytes", usage.spilled);
                spills += 1;
            }
            for words in &usage.serialized {
                println!("{kernel}: {words}");
            }
            serialized += usize::from(!usage.serialized.is_empty());
            if PRODUCTS.contains(&kind(name)) && usage.tensor == 0 {
                println!("{kernel} multiplies without tensor cores");
                without_tensor_cores += 1;
            }
        }
        println!(
            "cuda-check: kernels={} spills={spills} serialized={serialized} without_tensor_cores={without_tensor_cores}",
            kernels.len()
        );
        let faults = spills + serialized + without_tensor_cores;
        Ok(ExitCode::from(u8::from(faults > 0)))
    }

    /// A line for each kind of kernel, or for each kernel.
    fn report(&self, kernels: &Kernels) {
        println!(
            "| kernel | sm | kernels | registers | shared memory (bytes) | spilled (bytes) | tensor core instructions | instructions a step |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        let mut lines: BTreeMap<(&str, &str), (usize, Usage)> = BTreeMap::new();
        for ((name, architecture), usage) in kernels {
            let name = if self.all { name } else { kind(name) };
            let (count, most) = lines.entry((name, architecture)).or_default();
            *count += 1;
            most.registers = most.registers.max(usage.registers);
            most.shared = most.shared.max(usage.shared);
            most.spilled = most.spilled.max(usage.spilled);
            most.tensor = most.tensor.max(usage.tensor);
            most.step = most.step.max(usage.step);
        }
        for ((name, architecture), (count, most)) in lines {
            let Usage {
                registers,
                shared,
                spilled,
                tensor,
                step,
                ..
            } = most;
            println!(
                "| {name} | {architecture} | {count} | {registers} | {shared} | {spilled} | {tensor} | {step} |"
            );
        }
    }

    /// The texts of all modules.
    fn texts(&self) -> Result<Vec<String>> {
        let mut texts = match self.sample {
            true => sample()?,
            false => zoo()?,
        };
        texts.sort_unstable();
        texts.dedup();
        Ok(texts)
    }
}

/// The first part of a kernel's name.
fn kind(name: &str) -> &str {
    name.split_once('_').map_or(name, |(kind, _)| kind)
}

fn zoo() -> Result<Vec<String>> {
    let llama = XLlama::<5, 16, 7>::SPEC;
    let unet = XUnet::<1, 16, 4, 2>::SPEC;
    let attribute = [XAlexNet::SPEC, XVgg16::SPEC, XResNet50::SPEC, llama, unet];
    let mut texts = Vec::new();
    for spec in attribute {
        for batch in [1, 32, 256] {
            texts.extend(of(spec, Task::Attribute, batch, Precision::Tf32)?);
        }
    }
    for precision in [Precision::Strict, Precision::Bf16] {
        texts.extend(of(XAlexNet::SPEC, Task::Attribute, 32, precision)?);
    }
    let trained = Task::TrainWithGini(Loss::CrossEntropy);
    texts.extend(of(llama, trained, 8, Precision::Tf32)?);
    Ok(texts)
}

fn sample() -> Result<Vec<String>> {
    let programs = [
        (Task::Attribute, 1, Precision::Tf32),
        (Task::Attribute, 32, Precision::Tf32),
        (Task::Attribute, 32, Precision::Bf16),
        (Task::Attribute, 32, Precision::Strict),
        (Task::Train(Loss::CrossEntropy), 8, Precision::Strict),
    ];
    let texts = programs.map(|(task, batch, precision)| of(Sample::SPEC, task, batch, precision));
    Ok(texts.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

fn of(spec: &NetworkSpec, task: Task, batch: usize, precision: Precision) -> Result<Vec<String>> {
    Ok(cuda::Outline::of(spec, task, batch, precision)?.texts())
}
