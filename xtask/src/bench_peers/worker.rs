//! Our side: what `assets/peers.py` does for the others.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Instant;
use std::{fs, hint};

use anyhow::{Context, Result, bail};
use xdnn::ndarray::{ArrayD, IxDyn};
use xdnn::{Device, DynamicModel, Target, weights};

use super::network;

type Run = Box<dyn Fn() -> Result<ArrayD<f32>>>;

/// Answers commands until there are no more.
pub fn serve() -> Result<()> {
    let mut run: Option<Run> = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let answer = match words.as_slice() {
            ["version"] => format!("xdnn {}", env!("CARGO_PKG_VERSION")),
            ["prepare", task, batch, folder] => {
                drop(run.take()); // before there are two
                run = Some(prepare(Path::new(folder), task, batch.parse()?)?);
                "ready".to_owned()
            }
            ["run"] => {
                let run = run.as_ref().context("nothing is prepared")?;
                let start = Instant::now();
                hint::black_box(run()?);
                start.elapsed().as_secs_f64().to_string()
            }
            _ => bail!("unknown command `{line}`"),
        };
        writeln!(io::stdout(), "{answer}")?;
        io::stdout().flush()?;
    }
    Ok(())
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
    for _ in 0..2 {
        run()?;
    }
    let bytes: Vec<u8> = run()?.iter().flat_map(|y| y.to_le_bytes()).collect();
    fs::write(folder.join("xdnn.f32"), bytes)?;
    Ok(run)
}
