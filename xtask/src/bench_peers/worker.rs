//! Our side: what `assets/peers` does for the others.

mod explain;
mod train;

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xdnn::ir::NetworkSpec;
use xdnn::ndarray::{ArrayD, IxDyn};
use xdnn::{Device, Precision};

use super::memory::resident;
use super::network;
use super::peers::OURS;
use explain::Explain;
use train::Train;

/// What runs take together at least: a short one is repeated.
const LEAST: Duration = Duration::from_millis(50);
/// Samples whose results are compared where batches are those of a GPU.
const RESULTS: usize = 8;

/// Where it computes, and how exactly.
#[derive(Clone, Copy, Debug)]
struct On {
    device: Device,
    precision: Precision,
}

/// What is timed.
trait Run {
    /// The results of one run.
    fn results(&mut self) -> Result<Vec<f32>>;

    /// Goes back to where it began.
    fn reset(&mut self) -> Result<()> {
        Ok(())
    }

    fn run(&mut self) -> Result<()>;

    /// Seconds of a run on the device, the mean of so many.
    fn time(&mut self, runs: usize) -> Result<Option<f64>>;

    /// The bytes that a run takes in the memory of the device.
    fn memory(&self) -> Result<Option<usize>>;
}

/// Answers commands until there are no more.
pub fn serve(device: Device) -> Result<()> {
    // Where the system does not say, nobody may ask.
    let start = resident("VmRSS").unwrap_or_default();
    let mut run: Option<Box<dyn Run>> = None;
    let mut on = On {
        device,
        precision: Precision::Tf32,
    };
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let answer = match words.as_slice() {
            ["version"] => format!("xdnn {}", env!("CARGO_PKG_VERSION")),
            ["memory"] => format!("{start} {}", resident("VmHWM")?),
            ["prepare", task, batch, folder] => {
                drop(run.take()); // before there are two
                run = Some(prepare(Path::new(folder), task, batch.parse()?, on)?);
                "ready".to_owned()
            }
            ["precision", name] => {
                let known = [Precision::Strict, Precision::Tf32];
                let known = known.into_iter().find(|known| known.to_string() == *name);
                on.precision = known.context("no such precision")?;
                "ready".to_owned()
            }
            ["run"] => seconds(prepared(&mut run)?)?.to_string(),
            ["time"] => seconds_on_the_device(prepared(&mut run)?)?.to_string(),
            ["peak"] => {
                let memory = prepared(&mut run)?.memory()?;
                memory.context("no memory of its own")?.to_string()
            }
            _ => bail!("unknown command `{line}`"),
        };
        writeln!(io::stdout(), "{answer}")?;
        io::stdout().flush()?;
    }
    Ok(())
}

fn prepare(folder: &Path, task: &str, batch: usize, on: On) -> Result<Box<dyn Run>> {
    let mut run: Box<dyn Run> = match task {
        "step" => Box::new(Train::new(folder, batch, on)?),
        _ => Box::new(Explain::new(folder, task, batch, on)?),
    };
    let mut results = run.results()?;
    if on.device != Device::Cpu && task != "step" {
        results.truncate(results.len() / batch * batch.min(RESULTS));
    }
    network::put(&folder.join(format!("{OURS}.f32")), results)?;
    Ok(run)
}

fn prepared(run: &mut Option<Box<dyn Run>>) -> Result<&mut (dyn Run + 'static)> {
    run.as_deref_mut().context("nothing is prepared")
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

/// The mean of as many runs as there are in that time, but for copies to the device and from there.
fn seconds_on_the_device(run: &mut dyn Run) -> Result<f64> {
    let mut time = |runs| run.time(runs)?.context("no memory of its own");
    let first = time(1)?;
    ensure!(first > 0.0, "a run that takes no time");
    time((LEAST.as_secs_f64() / first).ceil() as usize)
}

fn input(folder: &Path, spec: &NetworkSpec, batch: usize) -> Result<ArrayD<f32>> {
    let input = spec.inputs().first().context("a network without inputs")?;
    let mut dims = vec![batch];
    dims.extend(input.shape.dims());
    let mut x = network::read(&folder.join("input.f32"))?;
    x.truncate(batch * input.shape.elements());
    Ok(ArrayD::from_shape_vec(IxDyn(&dims), x)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_on_a_gpu_does_what_one_on_the_cpu_does() {
        xdnn_cuda_mock::install().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("NhanesMlp");
        network::write(&folder, "NhanesMlp", 2).unwrap();
        let results = |device| {
            let on = On {
                device,
                precision: Precision::Strict,
            };
            let mut run = prepare(&folder, "attribute", 2, on).unwrap();
            let is_a_gpus = device != Device::Cpu;
            assert_eq!(run.memory().unwrap().is_some(), is_a_gpus);
            assert_eq!(run.time(2).unwrap().is_some(), is_a_gpus);
            network::read(&folder.join(format!("{OURS}.f32"))).unwrap()
        };
        let [ours, gpus] = [Device::Cpu, Device::Cuda(0)].map(results);
        crate::bench_peers::agree::agree(super::super::Task::Attribute, &ours, &gpus).unwrap();
    }
}
