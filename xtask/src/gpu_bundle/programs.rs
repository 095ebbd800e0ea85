//! The programs of a bundle: built by cargo, stripped.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench_peers::process::succeed;

pub struct Program {
    /// The minor version of the C library that it needs, 2.x.
    pub glibc: Option<u32>,
}

/// Builds the tests: those of the runtime, the golden ones, and those whose names begin with `cuda`.
pub fn build(folder: &Path) -> Result<Vec<Program>> {
    let root = ["--features", "cuda", "--test", "goldens"];
    let mut root: Vec<String> = root.map(str::to_owned).to_vec();
    for file in fs::read_dir(crate::workspace().join("tests"))? {
        let name = file?.file_name().to_string_lossy().into_owned();
        if let Some(test) = name
            .strip_suffix(".rs")
            .filter(|name| name.starts_with("cuda"))
        {
            root.extend(["--test".to_owned(), test.to_owned()]);
        }
    }
    let root: Vec<&str> = root.iter().map(String::as_str).collect();
    let runtime = ["--lib", "--features", "cuda"];
    let mut programs = Vec::new();
    for (package, arguments) in [("xdnn-runtime", &runtime[..]), ("xdnn", &root)] {
        for (name, program) in built(package, arguments)? {
            programs.push(Program::place(&program, &folder.join(name))?);
        }
    }
    Ok(programs)
}

/// The programs of a package's tests, with their names.
fn built(package: &str, arguments: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(crate::workspace());
    command.args([
        "test",
        "--no-run",
        "--release",
        "--locked",
        "--message-format",
        "json",
    ]);
    command.args(["--package", package]).args(arguments);
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(
        output.status.success(),
        "{command:?} failed ({})",
        output.status
    );
    let messages = String::from_utf8(output.stdout)?;
    let found = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let program = message["executable"].as_str()?;
        Some((
            message["target"]["name"].as_str()?.to_owned(),
            program.into(),
        ))
    });
    let found: Vec<_> = found.collect();
    ensure!(!found.is_empty(), "{command:?} has built nothing");
    Ok(found)
}

impl Program {
    /// Copies a program without its symbols.
    pub fn place(program: &Path, path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        succeed("strip", |command| command.arg("-o").arg(path).arg(program))?;
        executable(path)?;
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        Ok(Self {
            glibc: glibc(&bytes),
        })
    }
}

/// The newest version that a program's symbols name.
fn glibc(program: &[u8]) -> Option<u32> {
    let name = b"GLIBC_2.";
    let names = program.windows(name.len()).enumerate();
    let names = names.filter(|(_, window)| window == name);
    let minors = names.filter_map(|(start, _)| {
        let digits = program.get(start + name.len()..)?;
        let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(None, |minor, digit| {
            Some(10 * minor.unwrap_or_default() + u32::from(digit - b'0'))
        })
    });
    minors.max()
}

#[cfg(unix)]
pub fn executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, permissions).with_context(|| path.display().to_string())
}

#[cfg(not(unix))]
pub fn executable(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::glibc;

    #[test]
    fn the_newest_version_counts() {
        assert_eq!(glibc(b"GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.17\0"), Some(34));
        assert_eq!(glibc(b"GLIBC_PRIVATE"), None);
    }
}
