//! Our side: what `assets/peers` does for the others.

mod explain;
mod train;

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use xdnn::ir::NetworkSpec;
use xdnn::ndarray::{ArrayD, IxDyn};

use super::memory::resident;
use super::network;
use super::peers::OURS;
use explain::Explain;
use train::Train;

/// What runs take together at least: a short one is repeated.
const LEAST: Duration = Duration::from_millis(50);

/// What is timed.
trait Run {
    /// The results of one run.
    fn results(&mut self) -> Result<Vec<f32>>;

    /// Goes back to where it began.
    fn reset(&mut self) -> Result<()> {
        Ok(())
    }

    fn run(&mut self) -> Result<()>;
}

/// Answers commands until there are no more.
pub fn serve() -> Result<()> {
    // Where the system does not say, nobody may ask.
    let start = resident("VmRSS").unwrap_or_default();
    let mut run: Option<Box<dyn Run>> = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let answer = match words.as_slice() {
            ["version"] => format!("xdnn {}", env!("CARGO_PKG_VERSION")),
            ["memory"] => format!("{start} {}", resident("VmHWM")?),
            ["prepare", task, batch, folder] => {
                drop(run.take()); // before there are two
                run = Some(prepare(Path::new(folder), task, batch.parse()?)?);
                "ready".to_owned()
            }
            ["run"] => seconds(run.as_deref_mut().context("nothing is prepared")?)?.to_string(),
            _ => bail!("unknown command `{line}`"),
        };
        writeln!(io::stdout(), "{answer}")?;
        io::stdout().flush()?;
    }
    Ok(())
}

fn prepare(folder: &Path, task: &str, batch: usize) -> Result<Box<dyn Run>> {
    let mut run: Box<dyn Run> = match task {
        "step" => Box::new(Train::new(folder, batch)?),
        _ => Box::new(Explain::new(folder, task, batch)?),
    };
    network::put(&folder.join(format!("{OURS}.f32")), run.results()?)?;
    Ok(run)
}

fn seconds(run: &mut dyn Run) -> Result<f64> {
    run.reset()?;
    let (start, mut runs) = (Instant::now(), 0);
    while runs == 0 || start.elapsed() < LEAST {
        run.run()?;
        runs += 1;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(runs))
}

fn input(folder: &Path, spec: &NetworkSpec, batch: usize) -> Result<ArrayD<f32>> {
    let input = spec.inputs().first().context("a network without inputs")?;
    let mut dims = vec![batch];
    dims.extend(input.shape.dims());
    let mut x = network::read(&folder.join("input.f32"))?;
    x.truncate(batch * input.shape.elements());
    Ok(ArrayD::from_shape_vec(IxDyn(&dims), x)?)
}
