//! The other frameworks: how they get onto the machine, and their processes.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};

use super::process::{self, Process};

pub const OURS: &str = "xdnn";
pub const PYTORCH: &str = "pytorch";
pub const CHANNELS_LAST: &str = "pytorch-channels-last";
pub const COMPILE: &str = "pytorch-compile";
pub const CAPTUM: &str = "captum";
pub const JAX: &str = "jax";
pub const ONNX_RUNTIME: &str = "onnxruntime";
pub const CANDLE: &str = "candle";
pub const BURN: &str = "burn";

/// The environment variable that names a Python with the peers in it.
const PYTHON: &str = "XDNN_PEERS_PYTHON";
/// What is installed for the peers where no Python is named.
const PACKAGES: [&str; 7] = [
    "torch==2.15.0",
    "captum==0.9.0",
    "jax==0.10.2",
    "onnxruntime==1.32.0",
    "onnx==1.23.2",
    "safetensors==0.8.0",
    "numpy==2.4.6",
];
const SOURCES: &str = "xtask/assets/peers";

/// The programs of the peers.
pub struct Programs {
    pub python: PathBuf,
    /// The one that is candle or burn.
    rust: PathBuf,
}

impl Programs {
    /// Installs and builds what these peers need and is not there yet.
    pub fn ready(folder: &Path, peers: &[&str]) -> Result<Self> {
        let is_rust = |peer: &&str| [CANDLE, BURN].contains(peer);
        let rust = folder.join("rust");
        if peers.iter().any(is_rust) {
            build(&rust)?;
        }
        Ok(Self {
            python: python(folder)?,
            rust: rust.join("release/peers"),
        })
    }

    /// Starts ours or a peer.
    pub fn start(&self, name: &str, threads: usize) -> Result<Process> {
        match name {
            OURS => Process::start(name, &env::current_exe()?, threads, |command| {
                command.args(["bench-peers", "--role", "worker"])
            }),
            CANDLE | BURN => Process::start(name, &self.rust, threads, |command| command.arg(name)),
            _ => Process::start(name, &self.python, threads, |command| {
                command
                    .arg(script("peer.py"))
                    .arg(name)
                    .arg(threads.to_string())
            }),
        }
    }
}

/// A Python program of the peers.
pub fn script(name: &str) -> PathBuf {
    crate::workspace().join(SOURCES).join("python").join(name)
}

/// The Python of an environment with the peers, which is made where none is named.
fn python(folder: &Path) -> Result<PathBuf> {
    if let Some(python) = env::var_os(PYTHON) {
        return Ok(python.into());
    }
    let environment = folder.join("environment");
    let python = environment.join("bin/python");
    let complete = environment.join("complete");
    let packages = PACKAGES.join(" ");
    if fs::read_to_string(&complete).ok().as_ref() != Some(&packages) {
        eprintln!("installing {packages}");
        process::succeed("python3", |command| {
            command.args(["-m", "venv"]).arg(&environment)
        })?;
        process::succeed(&python, |command| {
            command
                .args(["-m", "pip", "install", "--quiet"])
                .args(PACKAGES)
        })?;
        fs::write(complete, packages)?;
    }
    Ok(python)
}

/// Builds candle and burn for this machine's processor, which is to their advantage.
fn build(target: &Path) -> Result<()> {
    if !target.exists() {
        eprintln!("building candle and burn, which takes some minutes");
    }
    let manifest = crate::workspace().join(SOURCES).join("rust/Cargo.toml");
    process::succeed("cargo", |command| {
        command
            .args([
                "build",
                "--release",
                "--locked",
                "--quiet",
                "--manifest-path",
            ])
            .arg(&manifest)
            .arg("--target-dir")
            .arg(target)
            .env("RUSTFLAGS", "-C target-cpu=native")
    })
    .context("candle and burn")
}

/// Ours and the peers as processes, which start when they are asked for.
pub struct Peers<'p> {
    pub programs: &'p Programs,
    pub threads: usize,
    started: Vec<Process>,
}

impl<'p> Peers<'p> {
    pub fn new(programs: &'p Programs, threads: usize) -> Self {
        Self {
            programs,
            threads,
            started: Vec::new(),
        }
    }

    pub fn get(&mut self, name: &str) -> Result<&mut Process> {
        let found = self.started.iter().position(|process| process.name == name);
        let i = match found {
            Some(i) => i,
            None => {
                self.started.push(self.programs.start(name, self.threads)?);
                self.started.len() - 1
            }
        };
        self.started.get_mut(i).context("no process")
    }

    /// The versions of those that are running.
    pub fn versions(&mut self) -> Result<Vec<String>> {
        let processes = self.started.iter_mut();
        processes.map(|process| process.ask("version")).collect()
    }
}
