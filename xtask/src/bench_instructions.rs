//! A guard against losses of speed that counts instructions: `cargo xtask bench-instructions [--bless]`.
//!
//! Each work is a process of its own under valgrind's callgrind, on one thread. It runs once to warm up and once more while
//! callgrind counts. Counts are almost the same in every run, so that a busy machine can measure, too; they say nothing of
//! caches and of how many instructions a processor does at a time, which is what `cargo bench` is for.
//!
//! `assets/instructions.txt` holds what is expected, and for which instructions. valgrind does not know AVX-512: on x86-64 it
//! runs what machines with AVX2 do, and elsewhere there is nothing to compare with. The blocks of the crate `gemm` depend on
//! the caches of the machine, which moves the large products a little.

#[allow(dead_code, reason = "what a run is worth does not count here")]
#[path = "../../xdnn-runtime/benches/kernels/cases.rs"]
mod cases;
mod works;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

/// By how much a count may be above what is expected.
const TOLERANCE: f64 = 0.02;

/// Count instructions against those expected
#[derive(Args)]
pub struct BenchInstructions {
    /// Write what is counted as what is expected
    #[arg(long)]
    bless: bool,
    /// Do a work, for callgrind
    #[arg(long, hide = true)]
    worker: Option<String>,
}

/// Instructions of works, and what kind of instructions they are.
#[derive(Default)]
struct Counts {
    instructions: String,
    works: BTreeMap<String, u64>,
}

impl BenchInstructions {
    pub fn run(self) -> Result<ExitCode> {
        if let Some(work) = self.worker {
            println!("{}", instructions());
            works::find(&work)?.count()?;
            return Ok(ExitCode::SUCCESS);
        }
        let path = crate::workspace().join("xtask/assets/instructions.txt");
        let expected = match self.bless {
            true => Counts::default(),
            false => Counts::parse(&fs::read_to_string(&path)?).context("no table of counts")?,
        };
        let mut counts = Counts::default();
        let mut above = 0;
        for name in works::names() {
            let (instructions, count) = count(&name)?;
            ensure!(
                self.bless || instructions == expected.instructions,
                "cannot compare: valgrind runs {instructions} instructions here, and {} holds counts of {}",
                path.display(),
                expected.instructions,
            );
            let change = expected
                .works
                .get(&name)
                .map(|expected| count as f64 / *expected as f64 - 1.0);
            let verdict = match change {
                _ if self.bless => String::new(),
                None => "not in the table".to_owned(),
                Some(change) => format!("{:+.2} %", 100.0 * change),
            };
            println!("{count:>12} {name} {verdict}");
            above += usize::from(!self.bless && change.is_none_or(|change| change > TOLERANCE));
            counts.instructions = instructions;
            counts.works.insert(name, count);
        }
        if self.bless {
            fs::write(&path, counts.text()?)?;
        }
        println!(
            "bench-instructions: works={} above={above}",
            counts.works.len()
        );
        Ok(ExitCode::from(u8::from(above > 0)))
    }
}

/// What kind of instructions a work has, and how many.
fn count(work: &str) -> Result<(String, u64)> {
    let folder = tempfile::tempdir()?;
    let profile: PathBuf = folder.path().join("callgrind.out");
    let mut out = std::ffi::OsString::from("--callgrind-out-file=");
    out.push(&profile);
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect=*{}*", works::COUNTED))
        .arg(out)
        .arg(env::current_exe()?)
        .args(["bench-instructions", "--worker", work])
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .context("cannot run valgrind: install it, as with `apt install valgrind`")?;
    if !output.status.success() {
        bail!(
            "`{work}` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let profile = fs::read_to_string(&profile)?;
    let total = profile
        .lines()
        .find_map(|line| line.strip_prefix("totals: "));
    let total = total
        .context("a profile of callgrind without totals")?
        .trim()
        .parse()?;
    ensure!(total > 0, "callgrind has counted nothing of `{work}`");
    Ok((String::from_utf8(output.stdout)?.trim().to_owned(), total))
}

/// The widest vectors of this process, whose processor may be valgrind's.
fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return "avx512";
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return "avx2";
        }
    }
    env::consts::ARCH
}

impl Counts {
    /// A line with the kind of instructions, then a line with count and name for each work.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let instructions = lines.next()?.strip_prefix("instructions: ")?.to_owned();
        let works = lines.map(|line| {
            let (count, name) = line.trim_start().split_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        });
        Some(Self {
            instructions,
            works: works.collect::<Option<_>>()?,
        })
    }

    fn text(&self) -> Result<String> {
        let mut text = format!("instructions: {}\n", self.instructions);
        for (name, count) in &self.works {
            writeln!(text, "{count:>12} {name}")?;
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let text = "instructions: avx2\n        1234 a/b c\n           5 d\n";
        let counts = Counts::parse(text).unwrap();
        assert_eq!(counts.instructions, "avx2");
        assert_eq!(counts.works["a/b c"], 1234);
        assert_eq!(counts.text().unwrap(), text);
        assert!(Counts::parse("instructions: avx2\nmany d\n").is_none());
    }
}
