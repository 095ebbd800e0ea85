//! Small crates that exist to be compiled, below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::measure::{Cost, cost_of};

/// A crate of its own workspace.
pub struct Scratch {
    directory: PathBuf,
    target: PathBuf,
}

/// The profiles that cargo has by itself.
#[derive(Clone, Copy)]
pub enum Profile {
    Dev,
    Release,
}

impl Scratch {
    /// Writes a crate with these dependencies, as lines of its manifest, and these files.
    ///
    /// Crates with the same `target` share what they compile.
    pub fn new(
        name: &str,
        target: &str,
        dependencies: &str,
        files: &[(&str, &str)],
    ) -> Result<Self> {
        let root = crate::target_directory().join("bench-compile");
        let scratch = Self {
            directory: root.join(name),
            target: root.join("target").join(target),
        };
        scratch.write(
            "Cargo.toml",
            &format!(
                "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
                 [dependencies]\n{dependencies}\n\n[workspace]\n"
            ),
        )?;
        for (path, text) in files {
            scratch.write(path, text)?;
        }
        Ok(scratch)
    }

    /// Takes the versions of this repository's lock file.
    pub fn locked(self) -> Result<Self> {
        let lock = crate::workspace().join("Cargo.lock");
        fs::copy(&lock, self.directory.join("Cargo.lock"))
            .with_context(|| lock.display().to_string())?;
        Ok(self)
    }

    /// Writes one of its files.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    /// `cargo check`, warm or not.
    pub fn check(&self) -> Result<Cost> {
        self.cargo(&["check"])
    }

    /// `cargo build`.
    pub fn build(&self, profile: Profile) -> Result<Cost> {
        match profile {
            Profile::Dev => self.cargo(&["build"]),
            Profile::Release => self.cargo(&["build", "--release"]),
        }
    }

    /// `cargo build` with nothing built before.
    pub fn build_clean(&self, profile: Profile) -> Result<Cost> {
        if self.target.exists() {
            fs::remove_dir_all(&self.target).with_context(|| self.target.display().to_string())?;
        }
        self.cargo(&["fetch"])?;
        self.build(profile)
    }

    /// The program that `cargo build` makes.
    pub fn program(&self, profile: Profile) -> PathBuf {
        let folder = match profile {
            Profile::Dev => "debug",
            Profile::Release => "release",
        };
        let name = self.directory.file_name().unwrap_or_default();
        self.target.join(folder).join(name)
    }

    /// How many crates are compiled before it is.
    pub fn dependencies(&self) -> Result<usize> {
        let tree = [
            "tree",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--no-dedupe",
            "--format",
            "{p}",
        ];
        let output = self
            .command(&tree)
            .output()
            .context("cannot run `cargo tree`")?;
        ensure!(
            output.status.success(),
            "`cargo tree` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout)?;
        let mut crates: Vec<_> = text
            .lines()
            .map(|line| line.replace(" (proc-macro)", ""))
            .collect();
        crates.sort_unstable();
        crates.dedup();
        Ok(crates.len().saturating_sub(1)) // It lists the crate itself.
    }

    fn cargo(&self, arguments: &[&str]) -> Result<Cost> {
        let mut command = self.command(arguments);
        if arguments != ["fetch"] {
            command.arg("--target-dir").arg(&self.target);
        }
        cost_of(command.arg("--quiet")).with_context(|| {
            format!(
                "`cargo {}` in `{}`",
                arguments.join(" "),
                self.directory.display()
            )
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR");
        command
    }
}

/// A path dependency as a line of a manifest.
pub fn path_dependency(name: &str, path: &Path) -> String {
    format!("{name} = {{ path = {:?} }}\n", path)
}
