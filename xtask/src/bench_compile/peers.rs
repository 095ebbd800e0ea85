//! Clean builds of xdnn and of the crates that its users would take instead.

use std::fmt::Write as _;

use anyhow::Result;

use super::measure::Cost;
use super::scratch::{Profile, Scratch, path_dependency};

/// What it takes to depend on a crate.
pub struct Build {
    pub name: &'static str,
    pub of: &'static str,
    pub debug: Cost,
    pub release: Cost,
    pub dependencies: usize,
}

/// Builds each: what a program needs that runs a network on the CPU and differentiates it.
pub fn builds() -> Result<Vec<Build>> {
    let xdnn = path_dependency("xdnn", crate::workspace());
    let peers: [(&str, &str, &str); 3] = [
        ("xdnn", "xdnn, default features", &xdnn),
        (
            "burn",
            "burn 0.22.1, `std`, `autodiff`, `ndarray`",
            "burn = { version = \"=0.22.1\", default-features = false, features = [\"std\", \"autodiff\", \"ndarray\"] }\n",
        ),
        (
            "candle",
            "candle-core and candle-nn 0.11.1, default features",
            "candle-core = \"=0.11.1\"\ncandle-nn = \"=0.11.1\"\n",
        ),
    ];
    let build = |(name, of, dependencies): (&'static str, &'static str, &str)| {
        let crate_name = format!("with-{name}");
        let mut scratch = Scratch::new(
            &crate_name,
            &crate_name,
            dependencies,
            &[("src/lib.rs", "")],
        )?;
        if name == "xdnn" {
            scratch = scratch.locked()?;
        }
        Ok(Build {
            name,
            of,
            debug: scratch.build_clean(Profile::Dev)?,
            release: scratch.build_clean(Profile::Release)?,
            dependencies: scratch.dependencies()?,
        })
    };
    peers.into_iter().map(build).collect()
}

/// The builds as a table.
pub fn table(builds: &[Build]) -> String {
    let mut text = "| a clean build of an empty crate that depends on | `cargo build` | processor | `--release` | processor | crates |\n\
                    |---|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for build in builds {
        let processor = |cost: Cost| match cost.processor {
            Some(seconds) => format!("{seconds:.0} s"),
            None => "unknown".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {:.0} s | {} | {:.0} s | {} | {} |",
            build.of,
            build.debug.wall,
            processor(build.debug),
            build.release.wall,
            processor(build.release),
            build.dependencies
        );
    }
    text
}
