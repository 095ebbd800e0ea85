//! What xdnn costs a user's compiler: `cargo xtask bench-compile [--quick]`.
//!
//! 1. The macro's own time for X-ResNet-50, as an optimised library and in the profile that cargo gives procedural macros:
//!    without optimisation, whatever the profile of the program.
//! 2. What declaring all of the zoo adds to a warm `cargo check`: a crate that does against one that only depends on xdnn,
//!    in turns, both edited before each check.
//! 3. A clean build with default features, and the number of crates in it, against burn and candle.
//!
//! The tables go to `docs/benchmarks.md`. `--quick` leaves the third part out.

pub mod measure;
mod peers;
mod scratch;

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::section;
use measure::median;
use scratch::{Profile, Scratch, path_dependency};

const NETWORK: &str = "XResNet50";
const GOAL_EXPAND_MS: f64 = 10.0;
const GOAL_CHECK_S: f64 = 0.3;

/// Measure what xdnn costs a user's compiler
#[derive(Args)]
pub struct BenchCompile {
    /// Leave out the clean builds of xdnn and of its peers
    #[arg(long)]
    quick: bool,
    /// How often each crate is checked
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

impl BenchCompile {
    pub fn run(self) -> Result<ExitCode> {
        let [expand_release, expand] = expansion()?;
        let added = added_check(self.rounds)?;
        let own = format!(
            "| the user's compile time | measured | goal |\n|---|--:|--:|\n\
             | expansion of X-ResNet-50, as cargo builds macros | {expand:.2} ms | {GOAL_EXPAND_MS} ms |\n\
             | expansion of X-ResNet-50, optimised | {expand_release:.2} ms | |\n\
             | warm `cargo check` of a crate that declares the zoo, more than that of an empty one | {:.3} s | {GOAL_CHECK_S} s |\n\
             | the same in processor time | {:.3} s | |\n",
            added.wall, added.processor,
        );
        section::write(
            "bench-compile",
            &format!("{}\n\n{own}", section::machine()?),
        )?;
        println!("{own}");
        let mut last = format!(
            "bench-compile: expand_ms={expand:.2} expand_release_ms={expand_release:.2} check_added_s={:.3}",
            added.wall
        );
        if !self.quick {
            let builds = peers::builds()?;
            let table = peers::table(&builds);
            section::write(
                "bench-compile-peers",
                &format!("{}\n\n{table}", section::machine()?),
            )?;
            println!("{table}");
            for build in &builds {
                write!(
                    last,
                    " {name}_debug_s={:.1} {name}_release_s={:.1} {name}_dependencies={}",
                    build.debug.wall,
                    build.release.wall,
                    build.dependencies,
                    name = build.name,
                )?;
            }
        }
        println!("{last}");
        let met = expand <= GOAL_EXPAND_MS && added.wall <= GOAL_CHECK_S;
        Ok(ExitCode::from(u8::from(!met)))
    }
}

/// Milliseconds of an expansion, optimised and not.
fn expansion() -> Result<[f64; 2]> {
    let dependencies = path_dependency("xdnn-syntax", &crate::workspace().join("xdnn-syntax"))
        + "proc-macro2 = { version = \"1.0\", features = [\"span-locations\"] }\n";
    let program = include_str!("../assets/expand.rs");
    let scratch = Scratch::new(
        "expand",
        "expand",
        &dependencies,
        &[("src/main.rs", program)],
    )?
    .locked()?;
    let time = |profile, runs: &str| -> Result<f64> {
        scratch.build(profile)?;
        let output = Command::new(scratch.program(profile))
            .arg(crate::workspace().join("src/zoo.rs"))
            .args([NETWORK, runs])
            .output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    Ok([time(Profile::Release, "1000")?, time(Profile::Dev, "300")?])
}

/// Seconds.
struct Added {
    wall: f64,
    processor: f64,
}

/// What the zoo adds to a warm check.
fn added_check(rounds: usize) -> Result<Added> {
    let zoo = crate::workspace().join("src/zoo.rs");
    let zoo = fs::read_to_string(&zoo).with_context(|| zoo.display().to_string())?;
    let dependencies = path_dependency("xdnn", crate::workspace());
    let library = "#[macro_use]\nextern crate xdnn;\n";
    let empty =
        Scratch::new("empty", "check", &dependencies, &[("src/lib.rs", library)])?.locked()?;
    let with_zoo = format!("{library}pub mod zoo;\n");
    let full =
        Scratch::new("zoo", "check", &dependencies, &[("src/lib.rs", &with_zoo)])?.locked()?;
    let (mut wall, mut processor) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..=rounds {
        // A new line in front moves every token of the file, as editing does.
        let edit = format!("// Edit {round}.{}\n", "\n".repeat(round));
        empty.write("src/lib.rs", &format!("{edit}{library}"))?;
        full.write("src/zoo.rs", &format!("{edit}{zoo}"))?;
        for (i, scratch) in [&empty, &full].into_iter().enumerate() {
            let cost = scratch.check()?;
            // The first round compiles the dependencies.
            if round > 0 {
                wall[i].push(cost.wall);
                processor[i].extend(cost.processor);
            }
        }
    }
    let added = |[empty, full]: [Vec<f64>; 2]| median(full) - median(empty);
    Ok(Added {
        wall: added(wall),
        processor: added(processor),
    })
}
