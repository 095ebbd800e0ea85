//! How weights are first drawn.

use std::f64;

use ndarray::{ArrayD, Dimension};
use rand::RngExt;
use rand_distr::StandardNormal;
use rayon::prelude::*;
use xdnn_ir::{Layer, NetworkSpec, Operation, Weight};

use super::fixup;
use crate::Seed;

/// Freshly drawn weights, one array for each weight of `spec` and in that order.
///
/// | weight | rule |
/// |---|---|
/// | `Linear`, convolutions | normal, mean 0, variance `2 / fan_in` (He et al. 2015, equation 10, the gain of a ReLU) |
/// | the same in a residual branch | times `L^(−1/(2m−2))`; the last one of the branch is 0 (Zhang et al. 2019, "Fixup", section 4) |
/// | queries, keys and values of `MultiheadAttention` | normal, mean 0, variance `1 / fan_in` |
/// | the state's weights in `Rnn` | the identity (Le et al. 2015, "IRNN") |
/// | `PRelu` | 0.25 (He et al. 2015, section 2.1) |
/// | `Scale`, `FrozenScale`, the scale of a norm | 1 |
/// | `GeM` | its argument `p` |
/// | a layer of another crate | vectors 1, the rest like convolutions |
/// | every bias, the shift of a norm | 0 |
///
/// `fan_in` is the number of inputs that one output sums over: `in` of `[out, in]`, `in / groups · kernel` of a
/// convolution, and in the mean `in / groups · kernel / stride` of a transposed one. `L` is the number of residual
/// branches of the network and `m` the number of linear layers and convolutions along the branch.
///
/// A residual branch is an operand of a `sum` that has weights where another operand, from the same source, is a
/// shortcut: the source itself, or the source after no activation (a projection, a pool, an upsampling). Two departures
/// from Fixup, both on purpose:
///
/// - Fixup also sets the last layer of the whole network to 0. All logits and attributions of the fresh network would
///   be 0 then, so that layer is drawn like any other. `net.head.weight.view_mut().fill(0.0)` gives the paper's start.
/// - A zero that a ReLU, an absolute value or a product follows before the `sum` would never learn, since no gradient
///   passes. The `m` layers of such a branch are scaled by `L^(−1/(2m))` instead: the branch then adds `1/L` of the
///   variance (the stable residual network of Hayou et al. 2021, "Stable ResNet", section 3).
///
/// Each tensor depends on the seed, its name, its shape and its rule alone: threads and other layers do not matter. The
/// numbers are those of ChaCha8 as `rand_distr` makes them normal, so a release of this crate draws the same weights from
/// the same seed; where a later one does not, its changelog says so. That holds across platforms too but for the last
/// bits: numbers beyond 3.65 deviations, one in 4,000, are made with the logarithm of the system's library, and system
/// libraries round it differently. Save the weights where every bit counts.
pub fn initial(spec: &NetworkSpec, seed: Seed) -> Vec<ArrayD<f32>> {
    let mut starts = vec![Start::Constant(0.0); spec.weights().len()];
    for (node, factor) in spec.nodes().iter().zip(fixup::factors(spec)) {
        let start = match node.operation {
            Operation::Layer(Layer::PRelu(_)) => Start::Constant(0.25),
            Operation::Layer(
                Layer::Scale(_)
                | Layer::FrozenScale(_)
                | Layer::RmsNorm(_)
                | Layer::LayerNorm(_)
                | Layer::GroupNorm(_),
            ) => Start::Constant(1.0),
            Operation::Layer(Layer::GeM(layer)) => Start::Constant(layer.p as f32),
            _ if factor == 0.0 => Start::Constant(0.0),
            Operation::Layer(layer) => Start::Normal {
                factor: factor * transposition(&layer, spec.weights().get(node.weights.start)),
            },
            Operation::Combine(_) | Operation::Function(_) | Operation::Custom(_) => {
                Start::Normal { factor }
            }
        };
        for i in node.weights.clone() {
            let name = spec.weights().get(i).map_or("", |weight| &weight.name);
            if let Some(entry) = starts.get_mut(i) {
                *entry = match (node.operation, name.rsplit('.').next()) {
                    (_, Some("bias")) => Start::Constant(0.0),
                    (Operation::Layer(Layer::Rnn(_)), Some("weight_hh_l0")) => Start::Identity,
                    // A zero in front of the scores would stop their gradients.
                    (Operation::Layer(Layer::MultiheadAttention(_)), Some("in_proj_weight")) => {
                        Start::Normal {
                            factor: f64::consts::FRAC_1_SQRT_2,
                        }
                    }
                    (Operation::Custom(_), _) if is_vector(spec, i) => Start::Constant(1.0),
                    _ => start,
                };
            }
        }
    }
    let weights = spec.weights().par_iter().zip(starts);
    let draw = |(weight, start): (&Weight, Start)| {
        let dims = weight.shape.dims();
        match start {
            Start::Constant(value) => ArrayD::from_elem(dims, value),
            Start::Identity => ArrayD::from_shape_fn(dims, |index| {
                f32::from(u8::from(index[0] == index[index.ndim() - 1]))
            }),
            Start::Normal { factor } => {
                let fan_in: usize = dims.iter().skip(1).product();
                let deviation = factor * (2.0 / fan_in.max(1) as f64).sqrt();
                let mut numbers = seed.stream(&weight.name);
                let mut draw = || numbers.sample::<f64, _>(StandardNormal);
                ArrayD::from_shape_simple_fn(dims, || (deviation * draw()) as f32)
            }
        }
    };
    weights.map(draw).collect()
}

/// The square root of `out · stride / in` for transposed convolutions: what their fan-in is less than the product of all
/// dimensions but the first, which is that of every other layer.
fn transposition(layer: &Layer, weight: Option<&Weight>) -> f64 {
    let (outputs, stride) = match layer {
        Layer::ConvTranspose1d(layer) => (layer.out_channels, layer.stride),
        Layer::ConvTranspose2d(layer) => (layer.out_channels, layer.stride.iter().product()),
        Layer::ConvTranspose3d(layer) => (layer.out_channels, layer.stride.iter().product()),
        _ => return 1.0,
    };
    let inputs = weight.map_or(1, |weight| weight.shape.dim(0).max(1));
    (outputs as f64 * stride as f64 / inputs as f64).sqrt()
}

fn is_vector(spec: &NetworkSpec, weight: usize) -> bool {
    let weight = spec.weights().get(weight);
    weight.is_some_and(|weight| weight.shape.rank() <= 1)
}

/// How a weight starts.
#[derive(Clone, Copy)]
enum Start {
    Constant(f32),
    /// 1 on the diagonal, 0 elsewhere.
    Identity,
    /// Normal numbers, `factor` times as large as for a plain layer.
    Normal {
        factor: f64,
    },
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;
    use xdnn_ir::layer::{Conv2d, ConvTranspose2d, Linear, PRelu, Relu, Scale};
    use xdnn_ir::{Combine, NetworkSpec, Operand};

    use super::initial;
    use crate::Seed;
    use crate::sketch::Sketch;

    fn conv(out_channels: usize, groups: usize) -> Conv2d {
        Conv2d {
            out_channels,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups,
            bias: false,
        }
    }

    /// A network with a layer of every kind, and a residual branch twice.
    fn network() -> NetworkSpec {
        let mut s = Sketch::new(&[("image", &[16, 8, 8])]);
        let y = s.layer("stem", conv(64, 4), Operand::Input(0));
        let mut y = s.layer("slope", PRelu { num_parameters: 64 }, y);
        for i in 0..2 {
            let a = s.layer(&format!("body.{i}.a"), conv(64, 1), y);
            let a = s.layer("", Relu {}, a);
            let b = s.layer(&format!("body.{i}.b"), conv(64, 1), a);
            let b = s.layer(&format!("body.{i}.scale"), Scale { num_parameters: 1 }, b);
            y = s.combine(Combine::Sum, &[b, y]);
        }
        let up = ConvTranspose2d {
            out_channels: 8,
            kernel: [4, 4],
            stride: [2, 2],
            padding: [1, 1],
            output_padding: [0, 0],
            groups: 2,
            bias: false,
            dilation: [1, 1],
        };
        let y = s.layer("up", up, y);
        let y = s.layer("", xdnn_ir::layer::Flatten {}, y);
        let y = s.layer(
            "head",
            Linear {
                out_features: 10,
                bias: false,
            },
            y,
        );
        s.finish(y)
    }

    fn named(spec: &NetworkSpec, seed: Seed, name: &str) -> ArrayD<f32> {
        let position = spec.weights().iter().position(|weight| weight.name == name);
        initial(spec, seed).swap_remove(position.unwrap())
    }

    /// Checks mean and variance against five standard errors of a normal sample.
    fn assert_normal(values: &ArrayD<f32>, variance: f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let found = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 5.0 * (variance / n).sqrt(), "mean {mean}");
        let error = 5.0 * variance * (2.0 / n).sqrt();
        assert!((found - variance).abs() < error, "{found}, not {variance}");
    }

    #[test]
    fn every_kind_of_layer_has_its_statistics() {
        let (spec, seed) = (network(), Seed(1));
        assert_normal(&named(&spec, seed, "stem.weight"), 2.0 / (4.0 * 9.0));
        let branch = 2.0 / (64.0 * 9.0) / 2.0;
        assert_normal(&named(&spec, seed, "body.0.a.weight"), branch);
        assert_normal(&named(&spec, seed, "body.1.a.weight"), branch);
        assert_normal(&named(&spec, seed, "up.weight"), 2.0 / (32.0 * 16.0 / 4.0));
        assert_normal(&named(&spec, seed, "head.weight"), 2.0 / 2048.0);
        assert!(
            named(&spec, seed, "body.0.b.weight")
                .iter()
                .all(|&w| w == 0.0)
        );
        assert!(
            named(&spec, seed, "slope.weight")
                .iter()
                .all(|&w| w == 0.25)
        );
        assert!(
            named(&spec, seed, "body.1.scale.weight")
                .iter()
                .all(|&w| w == 1.0)
        );
    }

    #[test]
    fn weights_have_the_moments_of_the_normal_distribution() {
        let mut s = Sketch::new(&[("x", &[2000])]);
        let y = s.layer(
            "head",
            Linear {
                out_features: 100,
                bias: false,
            },
            Operand::Input(0),
        );
        let values = named(&s.finish(y), Seed(7), "head.weight");
        let n = values.len() as f64;
        let moment = |power| {
            let normal = values.iter().map(|&w| f64::from(w) * 1000_f64.sqrt());
            normal.map(|x| x.powi(power)).sum::<f64>() / n
        };
        // Five standard errors: the variances of x, x², x³ and x⁴ are 1, 2, 15 and 96.
        for (power, mean, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)]
        {
            let (found, error) = (moment(power), 5.0 * f64::sqrt(variance / n));
            assert!((found - mean).abs() < error, "moment {power}: {found}");
        }
    }

    #[test]
    fn the_order_and_the_shapes_are_those_of_the_spec() {
        let spec = network();
        let arrays = initial(&spec, Seed(0));
        assert_eq!(arrays.len(), spec.weights().len());
        for (array, weight) in arrays.iter().zip(spec.weights()) {
            assert_eq!(array.shape(), weight.shape.dims());
        }
    }

    #[test]
    fn seeds_and_names_alone_decide_whatever_the_number_of_threads() {
        let spec = network();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(3)
            .build()
            .unwrap();
        let threaded = pool.install(|| initial(&spec, Seed(5)));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(threaded, pool.install(|| initial(&spec, Seed(5))));
        assert_ne!(threaded, initial(&spec, Seed(6)));

        let mut s = Sketch::new(&[("image", &[2048])]);
        let y = s.layer(
            "head",
            Linear {
                out_features: 10,
                bias: false,
            },
            Operand::Input(0),
        );
        let alone = initial(&s.finish(y), Seed(5));
        assert_eq!(alone[0], named(&spec, Seed(5), "head.weight"));
    }
}
