//! Wheels of PyPI as a source of data: downloaded once by `pip`, never installed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail, ensure};

/// One wheel. Its platform is that of the wheel, not of this machine: only its data are of interest.
pub struct Wheel {
    pub package: &'static str,
    pub version: &'static str,
    pub python: &'static str,
    pub platform: &'static str,
}

/// The folder of the wheels.
pub fn cache() -> PathBuf {
    crate::target_directory().join("pypi")
}

impl Wheel {
    /// The path of the wheel below the target directory, after a download where it is not there yet.
    pub fn fetch(&self) -> Result<PathBuf> {
        self.fetch_into(&cache())
    }

    /// The path of the wheel where it has been downloaded.
    pub fn cached(&self) -> Result<Option<PathBuf>> {
        let cache = cache();
        match cache.is_dir() {
            true => self.find(&cache),
            false => Ok(None),
        }
    }

    fn fetch_into(&self, cache: &Path) -> Result<PathBuf> {
        fs::create_dir_all(cache).with_context(|| cache.display().to_string())?;
        if let Some(path) = self.find(cache)? {
            return Ok(path);
        }
        // A download that breaks off must not look like a wheel: rename it into place when it is complete.
        let partial = tempfile::tempdir_in(cache)?;
        let (package, version) = (self.package, self.version);
        let status = python(|python| {
            python
                .args(["-m", "pip", "download", "--quiet", "--no-deps"])
                .args(["--only-binary", ":all:"])
                .args(["--python-version", self.python, "--platform", self.platform])
                .arg("--dest")
                .arg(partial.path())
                .arg(format!("{package}=={version}"));
        })
        .with_context(|| format!("{package} {version} is downloaded by Python's `pip`"))?;
        ensure!(
            status.success(),
            "`pip download {package}=={version}` failed ({status}); it needs `pip` and a connection to PyPI, or the \
             wheel, downloaded elsewhere, in `{}`",
            cache.display()
        );
        let downloaded = self.find(partial.path())?.with_context(|| {
            format!(
                "pip downloaded no wheel of {} {}",
                self.package, self.version
            )
        })?;
        let name = downloaded.file_name().context("a wheel without a name")?;
        let path = cache.join(name);
        fs::rename(&downloaded, &path).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    fn find(&self, directory: &Path) -> Result<Option<PathBuf>> {
        let prefix = format!("{}-{}-", self.package.replace('-', "_"), self.version);
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if name.starts_with(&prefix) && name.ends_with(".whl") {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// Runs Python 3 under the first of its usual names that there is.
fn python(arguments: impl Fn(&mut Command)) -> Result<ExitStatus> {
    for program in ["python3", "python"] {
        let mut command = Command::new(program);
        arguments(&mut command);
        match command.status() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result.with_context(|| format!("cannot run `{program}`")),
        }
    }
    bail!("there is no `python3` in the path; install Python 3 with `pip`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHEEL: Wheel = Wheel {
        package: "some-package",
        version: "1.2",
        python: "3.12",
        platform: "any",
    };

    #[test]
    fn a_cached_wheel_is_not_downloaded_again() {
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().join("some_package-1.2-py3-none-any.whl");
        fs::write(&path, "").unwrap();
        assert_eq!(WHEEL.fetch_into(cache.path()).unwrap(), path);
    }

    #[test]
    fn another_version_is_no_hit() {
        let cache = tempfile::tempdir().unwrap();
        fs::write(cache.path().join("some_package-1.20-py3-none-any.whl"), "").unwrap();
        assert_eq!(WHEEL.find(cache.path()).unwrap(), None);
    }
}
