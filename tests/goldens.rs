//! Outputs and X-Gradients against PyTorch: `tests/goldens/generate.py` has computed them in `float64`.
//!
//! Errors are relative to the largest magnitude of the tensor: 1e-12 in `f64`, 1e-5 in `f32`.
//!
//! The tests in `cuda` run on this machine's GPU where the variable `XDNN_TEST_GPU` is set, otherwise on a stand-in.

#![allow(clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "cuda")]
#[path = "goldens/gpu.rs"]
mod gpu;
#[path = "goldens/networks.rs"]
mod networks;
#[path = "goldens/priors.rs"]
mod priors;

use ndarray::{ArrayD, Axis, Slice};
use safetensors::{Dtype, SafeTensors};
use xdnn::backend::Element;
use xdnn::prelude::*;
use xdnn::{DynamicModel, Error, Inputs, Quadrature, WeightReader};

/// A test of each network on every device.
macro_rules! goldens {
    ($($file:ident: $network:ident),* $(,)?) => {
        $(
            #[test]
            fn $file() {
                check::<networks::$network>(stringify!($file));
            }
        )*

        #[cfg(feature = "cuda")]
        mod cuda {
            use super::*;

            $(
                #[test]
                fn $file() {
                    gpu::check::<networks::$network>(stringify!($file));
                }
            )*

            #[test]
            fn alexnet() {
                let bytes = read("alexnet");
                let golden = Golden(SafeTensors::deserialize(&bytes).unwrap());
                let network: networks::AlexNet = golden.network();
                golden.agrees_without_a_degree(&gpu::model(&network), 1e-5);
            }
        }
    };
}

goldens! {
    mlp: Mlp,
    x_alexnet: XAlexNet,
    x_vgg: XVgg,
    x_resnet: XResNet,
    gated: Gated,
    lattice: Lattice,
    fusion: Fusion,
    super_res: SuperRes,
    super_res_bilinear: SuperResBilinear,
    pools: Pools,
    sequence: Sequence,
    volumes: Volumes,
    margins: Margins,
    lines: Lines,
    powers: Powers,
    gates: Gates,
    norms: Norms,
    degrees: Degrees,
    attention: Attention,
    recurrent: Recurrent,
    x_vit: XVit,
    x_llama: XLlama,
    x_irnn: XIrnn,
    x_unet: XUnet,
}

/// A network with biases has no X-Gradient, but PyTorch's input times gradient is what one step of Integrated Gradients
/// at the end of the path gives.
#[test]
fn alexnet() {
    let bytes = read("alexnet");
    let golden = Golden(SafeTensors::deserialize(&bytes).unwrap());
    let network: networks::AlexNet = golden.network();
    golden.agrees_without_a_degree(&network.compile_f64().unwrap(), 1e-12);
    golden.agrees_without_a_degree(&network.compile(Device::Reference).unwrap(), 1e-5);
    golden.agrees_without_a_degree(&network.compile(Device::Cpu).unwrap(), 1e-5);
}

fn read(file: &str) -> Vec<u8> {
    // Not of the machine that built it: it may run on another one, with a GPU. Tests run where their package is.
    std::fs::read(format!("tests/goldens/{file}.safetensors")).unwrap()
}

fn check<N: XNetwork>(file: &str) {
    let bytes = read(file);
    let golden = Golden(SafeTensors::deserialize(&bytes).unwrap());
    let network: N = golden.network();

    golden.agrees(&network.compile_f64().unwrap(), 1e-12);
    golden.agrees(&network.compile(Device::Reference).unwrap(), 1e-5);
    golden.agrees(&network.compile(Device::Cpu).unwrap(), 1e-5);
    if !LARGE.contains(&file) {
        golden.agrees(&network.compile(Device::Luminal).unwrap(), 1e-5);
    }
}

/// The networks that would take luminal's interpreter longer than a few seconds.
const LARGE: [&str; 3] = ["x_alexnet", "x_vgg", "x_resnet"];

struct Golden<'a>(SafeTensors<'a>);

impl Golden<'_> {
    fn read<T: Element>(&self, name: &str) -> ArrayD<T> {
        let tensor = self.0.tensor(name).unwrap();
        let bytes = tensor.data();
        let values: Vec<T> = match tensor.dtype() {
            Dtype::F32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| T::of(f32::from_le_bytes(*b).into()))
                .collect(),
            Dtype::F64 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| T::of(f64::from_le_bytes(*b)))
                .collect(),
            Dtype::I64 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| T::of(i64::from_le_bytes(*b) as f64))
                .collect(),
            dtype => panic!("{name} is {dtype:?}"),
        };
        ArrayD::from_shape_vec(tensor.shape(), values).unwrap()
    }

    fn network<N: Network>(&self) -> N {
        let weights = N::WEIGHTS
            .iter()
            .map(|weight| self.read::<f32>(&format!("weights.{}", weight.name)))
            .collect();
        let reader = WeightReader::new(N::SPEC, weights).unwrap();
        reader.into_parameters().unwrap()
    }

    fn agrees_without_a_degree<T: Element>(&self, model: &DynamicModel<T>, tolerance: f64) {
        let image = self.read::<T>("input.image");
        let outputs = self.read::<f64>("output");
        close(
            "output",
            &model.forward(image.view()).unwrap(),
            &outputs,
            tolerance,
        );
        let gradient = IntegratedGradients::new(1).quadrature(Quadrature::Right);
        let found = model
            .integrated_gradients(image.view(), Target::Predicted, &gradient)
            .unwrap();
        let expected = self.read::<f64>("attribution.image");
        close("image", &found.values().to_owned(), &expected, tolerance);
        assert!(matches!(
            model.attribute(image.view(), Target::Predicted),
            Err(Error::NotHomogeneous { .. })
        ));
    }

    /// Each sample on its own, as the target differs between samples, then all of them at once.
    fn agrees<T: Element>(&self, model: &DynamicModel<T>, tolerance: f64) {
        let spec = model.spec();
        let inputs: Vec<ArrayD<T>> = spec
            .inputs()
            .iter()
            .map(|i| self.read(&format!("input.{}", i.name)))
            .collect();
        let targets: Vec<usize> = self
            .read::<f64>("targets")
            .iter()
            .map(|target| *target as usize)
            .collect();
        let outputs = self.read::<f64>("output");
        let whole = Inputs::from_views(inputs.iter().map(|input| input.view()));
        close(
            "output",
            &model.forward(whole).unwrap(),
            &outputs,
            tolerance,
        );

        for (sample, target) in targets.iter().enumerate() {
            let row = Slice::from(sample..sample + 1);
            let index = unravel(*target, spec.output_shape().dims());
            let one = Inputs::from_views(inputs.iter().map(|input| input.slice_axis(Axis(0), row)));
            let attribution = model.attribute(one, Target::Output(&index)).unwrap();
            for (name, values) in attribution.iter() {
                let expected = self.read::<f64>(&format!("attribution.{name}"));
                let expected = expected.slice_axis(Axis(0), row).to_owned();
                close(name, &values.to_owned(), &expected, tolerance);
            }
        }

        if spec.output_shape().rank() == 1 {
            let whole = Inputs::from_views(inputs.iter().map(|input| input.view()));
            let attribution = model.attribute(whole, Target::Classes(&targets)).unwrap();
            for (name, values) in attribution.iter() {
                close(
                    name,
                    &values.to_owned(),
                    &self.read(&format!("attribution.{name}")),
                    tolerance,
                );
            }
        }
    }
}

fn close<T: Element>(what: &str, found: &ArrayD<T>, expected: &ArrayD<f64>, tolerance: f64) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let scale = expected
        .iter()
        .fold(0.0_f64, |max, value| max.max(value.abs()));
    let error = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a.to_f64().unwrap() - b).abs())
        .fold(0.0, f64::max);
    assert!(
        scale > 0.0 && error <= tolerance * scale,
        "{what}: off by {:.1e}, more than {tolerance:.0e}",
        error / scale
    );
}

fn unravel(mut flat: usize, dims: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = dims
        .iter()
        .rev()
        .map(|dim| {
            let i = flat % dim;
            flat /= dim;
            i
        })
        .collect();
    index.reverse();
    index
}
