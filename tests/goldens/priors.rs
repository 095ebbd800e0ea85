//! Training with an attribution prior: `priors.py` has made the step in `float64`.

use ndarray::ArrayD;
use safetensors::SafeTensors;
use xdnn::backend::reference::execute;
use xdnn::ops::Leaf;
use xdnn::prelude::*;
use xdnn::{Graph, Precision};

use super::{Golden, close, networks, read};

macro_rules! priors {
    ($($file:ident: $network:ident, $loss:ident;)*) => {
        $(#[test]
        fn $file() {
            let bytes = read(stringify!($file));
            let golden = Golden(SafeTensors::deserialize(&bytes).unwrap());
            golden.agrees_on_a_graph::<networks::$network>(Loss::$loss);
            golden.agrees_on_a_step::<networks::$network>(Device::Reference, Loss::$loss);
            golden.agrees_on_a_step::<networks::$network>(Device::Cpu, Loss::$loss);
        })*

        #[cfg(feature = "cuda")]
        mod cuda {
            use super::*;
            use crate::gpu;

            $(
                #[test]
                fn $file() {
                    let bytes = read(stringify!($file));
                    let golden = Golden(SafeTensors::deserialize(&bytes).unwrap());
                    golden.agrees_on_a_step::<networks::$network>(gpu::device(), Loss::$loss);
                }
            )*
        }
    };
}

priors! {
    prior_tabular: Tabular, BinaryCrossEntropy;
    prior_gated: Gated, CrossEntropy;
    prior_sequence: Sequence, CrossEntropy;
}

const STRENGTH: f64 = 0.75;

impl Golden<'_> {
    fn classes(&self) -> Vec<usize> {
        let classes = self.read::<f64>("classes");
        classes.iter().map(|class| *class as usize).collect()
    }

    fn agrees_on_a_graph<N: XNetwork>(&self, loss: Loss) {
        let batch = self.classes().len();
        let mut graph = Graph::build(N::SPEC, Task::TrainWithGini(loss), batch).unwrap();
        let leaves = graph.leaves().into_iter();
        let leaves = leaves.map(|(leaf, _)| match leaf {
            Leaf::Input(i) => self.read(&format!("input.{}", N::INPUTS[i].name)),
            Leaf::Weight(i) => self.read(&format!("weights.{}", N::WEIGHTS[i].name)),
            Leaf::Target => self.read("classes"),
            _ => ArrayD::from_elem(vec![], STRENGTH),
        });
        let leaves: Vec<ArrayD<f64>> = leaves.collect();
        let slices: Vec<&[f64]> = leaves.iter().map(|leaf| leaf.as_slice().unwrap()).collect();
        let results = execute(&mut graph, &slices).unwrap();
        let result = |i: usize, like: &ArrayD<f64>| {
            ArrayD::from_shape_vec(like.shape(), results[i].clone()).unwrap()
        };
        let gradients = N::WEIGHTS.iter().zip(3..);
        let gradients = gradients.map(|(weight, i)| (format!("gradient.{}", weight.name), i));
        let scalars = [("loss".to_owned(), 0), ("gini".to_owned(), 2)];
        for (name, i) in scalars.into_iter().chain(gradients) {
            let expected = self.read(&name);
            close(&name, &result(i, &expected), &expected, 1e-12);
        }
    }

    /// With a learning rate of 1 the weights move by their gradients.
    fn agrees_on_a_step<N: XNetwork>(&self, device: Device, loss: Loss) {
        let network: N = self.network();
        let trainer = Trainer::new(&network, device, loss, Sgd::new(1.0), Seed(1)).unwrap();
        let prior = Prior::Gini { strength: STRENGTH };
        let trainer = trainer.with_prior(prior).unwrap();
        let mut trainer = trainer.with_precision(Precision::Strict);
        let input = self.read::<f32>(&format!("input.{}", N::INPUTS[0].name));
        let step = trainer.step(input.view(), &self.classes()).unwrap();
        for (name, found) in [("loss", step.loss), ("gini", step.prior)] {
            let expected = self.read(name);
            close(
                name,
                &ArrayD::from_elem(expected.shape(), found),
                &expected,
                1e-5,
            );
        }
        let mut moved = Vec::new();
        let trained = trainer.network().unwrap();
        trained.visit(&mut |weight| moved.push(weight.array.to_owned()));
        for (weight, after) in N::WEIGHTS.iter().zip(moved) {
            let before = self.read::<f32>(&format!("weights.{}", weight.name));
            let expected = self.read(&format!("gradient.{}", weight.name));
            close(&weight.name, &(before - after), &expected, 1e-5);
        }
    }
}
