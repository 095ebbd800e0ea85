//! Our side: what `assets/peers` does for the others.

use std::hint;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use xdnn::ndarray::{ArrayD, IxDyn};
use xdnn::{Device, DynamicModel, Target, weights};

use super::memory::resident;
use super::network;
use super::peers::OURS;

/// What runs take together at least: a short one is repeated.
const LEAST: Duration = Duration::from_millis(50);

type Run = Box<dyn Fn() -> Result<ArrayD<f32>>>;

/// Answers commands until there are no more.
pub fn serve() -> Result<()> {
    // Where the system does not say, nobody may ask.
    let start = resident("VmRSS").unwrap_or_default();
    let mut run: Option<Run> = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let answer = match words.as_slice() {
            ["version"] => format!("xdnn {}", env!("CARGO_PKG_VERSION")),
            ["memory"] => format!("{start} {}", resident("VmHWM")?),
            ["prepare", "step", ..] => "skip not yet".to_owned(),
            ["prepare", task, batch, folder] => {
                drop(run.take()); // before there are two
                run = Some(prepare(Path::new(folder), task, batch.parse()?)?);
                "ready".to_owned()
            }
            ["run"] => seconds(run.as_ref().context("nothing is prepared")?)?.to_string(),
            _ => bail!("unknown command `{line}`"),
        };
        writeln!(io::stdout(), "{answer}")?;
        io::stdout().flush()?;
    }
    Ok(())
}

fn seconds(run: &Run) -> Result<f64> {
    let (start, mut runs) = (Instant::now(), 0);
    while runs == 0 || start.elapsed() < LEAST {
        hint::black_box(run()?);
        runs += 1;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(runs))
}

fn prepare(folder: &Path, task: &str, batch: usize) -> Result<Run> {
    let name = folder.file_name().and_then(|name| name.to_str());
    let spec = network::spec(name.context("a folder without a name")?)?;
    let weights = weights::safetensors::load(spec, &folder.join("weights.safetensors"))?;
    let model = DynamicModel::new(spec.clone(), weights, Device::Cpu)?;
    let shape = spec.inputs()[0].shape;
    let mut dims = vec![batch];
    dims.extend(shape.dims());
    let mut x = network::read(&folder.join("input.f32"))?;
    x.truncate(batch * shape.elements());
    let x = ArrayD::from_shape_vec(IxDyn(&dims), x)?;
    let run: Run = match task {
        "forward" => Box::new(move || Ok(model.forward(&x)?)),
        _ => Box::new(move || {
            let attribution = model.attribute(&x, Target::Predicted)?;
            Ok(attribution.values().to_owned().into_dyn())
        }),
    };
    network::put(&folder.join(format!("{OURS}.f32")), run()?)?;
    Ok(run)
}
