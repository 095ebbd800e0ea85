//! Frameworks as processes that answer commands, a line each.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// A framework that waits for commands.
pub struct Process {
    pub name: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Whether a framework can do a work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Ready,
    Unable,
}

impl Process {
    pub fn start(
        name: &str,
        program: &Path,
        threads: usize,
        arguments: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .env("RAYON_NUM_THREADS", threads.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let started = arguments(&mut command).spawn();
        let mut child = started.with_context(|| format!("cannot run {}", program.display()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Ok(Self {
            name: name.to_owned(),
            input: input.context("no way in")?,
            output: BufReader::new(output.context("no way out")?),
            child,
        })
    }

    /// The answer to a command.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.input, "{command}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let what = command.split(' ').next().unwrap_or_default();
        ensure!(!line.is_empty(), "{} stopped at `{what}`", self.name);
        Ok(line.trim().to_owned())
    }

    /// The answer to `prepare`.
    pub fn answer(&mut self, command: &str) -> Result<Answer> {
        let answer = self.ask(command)?;
        match answer.split(' ').next() {
            Some("ready") => Ok(Answer::Ready),
            Some("skip") => {
                eprintln!("{}: {answer}", self.name);
                Ok(Answer::Unable)
            }
            _ => bail!("{} answered `{answer}` to `{command}`", self.name),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program that must succeed.
pub fn succeed(
    program: impl AsRef<OsStr>,
    arguments: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<()> {
    let mut command = Command::new(program);
    let status = arguments(&mut command).status();
    let status = status.with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
