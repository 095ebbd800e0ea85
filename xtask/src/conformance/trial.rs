//! A network built for one test, with what goes into it and what must come out.

use std::borrow::Cow;

use ndarray::{ArrayD, Dimension, Slice};
use xdnn_ir::{
    Combine, Degree, Fault, Input, Layer, NetworkSpec, Node, Operand, Operation, Shape, Weight,
};
use xdnn_runtime::backend::Element;
use xdnn_runtime::{Device, DynamicModel, Error, Inputs, Precision};

use super::skip::Skip;

/// How far a result may be off, relative to the largest expected magnitude.
///
/// The stored outputs are `f32`, summed in another order than ours: each of the at most some thousand additions of an
/// element may lose half a unit of 6e-8, mostly in both directions. A wrong window, divisor or layout is off by orders
/// of magnitude more. For the same reason `f64` can do no better against them.
const TOLERANCE: f64 = 1e-5;

/// A network, its weights, its inputs, and its expected output with the batch in front.
pub struct Trial {
    pub spec: NetworkSpec,
    weights: Vec<ArrayD<f32>>,
    inputs: Vec<ArrayD<f32>>,
    expected: ArrayD<f64>,
    /// Where the expected output begins in ours, if it is only a part of it.
    offset: Option<Vec<usize>>,
    tolerance: f64,
}

/// Grows a network operation by operation; the rules of the language find shapes, degrees and weights.
#[derive(Default)]
pub struct Builder {
    inputs: Vec<Input>,
    nodes: Vec<Node>,
    weights: Vec<Weight>,
    input_values: Vec<ArrayD<f32>>,
    weight_values: Vec<ArrayD<f32>>,
}

impl Builder {
    /// A network of one input, and that input.
    pub fn of(batch: ArrayD<f32>) -> Result<(Self, Operand), Skip> {
        let mut network = Self::default();
        let input = network.input(batch)?;
        Ok((network, input))
    }

    /// An input, from its batch of samples.
    pub fn input(&mut self, batch: ArrayD<f32>) -> Result<Operand, Skip> {
        let sample = batch.shape().get(1..).and_then(Shape::from_slice);
        let shape = sample
            .filter(Shape::is_computable)
            .ok_or_else(|| Skip::new("a value of more dimensions than the language has"))?;
        let name = format!("x{}", self.inputs.len()).into();
        self.inputs.push(Input { name, shape });
        self.input_values.push(batch);
        Ok(Operand::Input(self.inputs.len() - 1))
    }

    /// A layer without weights.
    pub fn layer(&mut self, layer: impl Into<Layer>, of: Operand) -> Result<Operand, Skip> {
        self.weighted(layer, of, [])
    }

    /// A layer with weights.
    pub fn weighted(
        &mut self,
        layer: impl Into<Layer>,
        of: Operand,
        weights: impl IntoIterator<Item = ArrayD<f32>>,
    ) -> Result<Operand, Skip> {
        let layer = layer.into();
        let declared = layer.weights(self.shape(of));
        let first = self.weights.len();
        for (i, (name, shape)) in declared.as_slice().iter().enumerate() {
            let name = format!("n{}.{name}", self.nodes.len() + i).into();
            self.weights.push(Weight {
                name,
                shape: *shape,
            });
        }
        self.weight_values.extend(weights);
        self.node(Operation::Layer(layer), vec![of], first)
    }

    /// A combination of values.
    pub fn combine(&mut self, combine: Combine, of: Vec<Operand>) -> Result<Operand, Skip> {
        let first = self.weights.len();
        self.node(Operation::Combine(combine), of, first)
    }

    fn node(
        &mut self,
        operation: Operation,
        operands: Vec<Operand>,
        first_weight: usize,
    ) -> Result<Operand, Skip> {
        let shapes: Vec<Shape> = operands.iter().map(|of| self.shape(*of)).collect();
        let degrees: Vec<Option<Degree>> = operands.iter().map(|of| self.degree(*of)).collect();
        let refused = |fault| Skip::rule(operation.name(), fault);
        // A function that no rule gives a degree computes all the same.
        let degree = match operation.degree_if_known(&degrees) {
            Err(Fault::NotHomogeneous { .. } | Fault::Epsilon { .. }) => None,
            degree => degree.map_err(refused)?,
        };
        self.nodes.push(Node {
            path: Cow::Borrowed(""),
            shape: operation.output(&shapes).map_err(refused)?,
            degree,
            operation,
            operands: operands.into(),
            weights: first_weight..self.weights.len(),
        });
        Ok(Operand::Node(self.nodes.len() - 1))
    }

    pub fn shape(&self, of: Operand) -> Shape {
        match of {
            Operand::Input(i) => self.inputs.get(i).map(|input| input.shape),
            Operand::Node(i) => self.nodes.get(i).map(|node| node.shape),
        }
        .unwrap_or(Shape::new([]))
    }

    fn degree(&self, of: Operand) -> Option<Degree> {
        match of {
            Operand::Input(_) => Some(Degree::ONE),
            Operand::Node(i) => self.nodes.get(i).and_then(|node| node.degree),
        }
    }

    /// The finished network, whose output must be `expected`.
    pub fn expect(self, output: Operand, expected: ArrayD<f64>) -> Trial {
        Trial {
            spec: NetworkSpec {
                name: Cow::Borrowed("Trial"),
                inputs: self.inputs.into(),
                nodes: self.nodes.into(),
                weights: self.weights.into(),
                output,
            },
            weights: self.weight_values,
            inputs: self.input_values,
            expected,
            offset: None,
            tolerance: TOLERANCE,
        }
    }
}

impl Trial {
    /// Compares with the part of the output that begins there, as large as what is expected.
    pub fn at_offset(mut self, offset: Vec<usize>) -> Self {
        self.offset = Some(offset);
        self
    }

    pub fn tolerating(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The samples of its batch.
    pub fn samples(&self) -> usize {
        let first = self.inputs.first();
        first
            .and_then(|input| input.shape().first().copied())
            .unwrap_or(1)
    }

    /// The text that declares the network, where there is one.
    pub fn declaration(&self) -> Option<String> {
        let text = xdnn_syntax::source(&self.spec)?;
        let texts = [text.clone(), format!("#[regular]\n{text}")];
        texts
            .into_iter()
            .find(|text| xdnn_syntax::check_str(text).is_ok())
    }

    /// Runs the network; `Ok(Err(_))` says what is wrong with the result.
    pub fn run<T: Element>(&self, device: Device) -> Result<Result<(), String>, Error> {
        let convert = |arrays: &[ArrayD<f32>]| -> Vec<ArrayD<T>> {
            arrays
                .iter()
                .map(|array| array.mapv(|value| T::of(f64::from(value))))
                .collect()
        };
        let model = DynamicModel::new(self.spec.clone(), convert(&self.weights), device)?;
        let model = model.with_precision(Precision::Strict);
        let inputs = convert(&self.inputs);
        let output = model.forward(Inputs::from_views(inputs.iter().map(|input| input.view())))?;
        let output = output.mapv(|value| value.to_f64().unwrap_or(f64::NAN));
        Ok(self.compare(&output))
    }

    fn compare(&self, output: &ArrayD<f64>) -> Result<(), String> {
        let expected = &self.expected;
        let start = |axis: usize| match &self.offset {
            Some(offset) => offset.get(axis).copied().unwrap_or_default(),
            None => 0,
        };
        let room = |axis: usize| start(axis) + expected.shape()[axis] <= output.shape()[axis];
        let fits = match &self.offset {
            Some(_) => output.ndim() == expected.ndim() && (0..output.ndim()).all(room),
            None => output.shape() == expected.shape(),
        };
        if !fits {
            return Err(format!(
                "the output has the shape {:?} instead of {:?}",
                output.shape(),
                expected.shape()
            ));
        }
        let part = output.slice_each_axis(|axis| {
            let (axis, first) = (axis.axis.index(), start(axis.axis.index()));
            Slice::from(first..first + expected.shape()[axis])
        });
        let scale = expected
            .iter()
            .fold(0.0_f64, |scale, value| scale.max(value.abs()));
        for (index, value) in expected.indexed_iter() {
            let error = (part[&index] - value).abs();
            // A NaN is not close to anything.
            let close = error <= self.tolerance * scale;
            if !close {
                return Err(format!(
                    "{} instead of {value} at {:?}, off by {:.1e} of the largest expected magnitude",
                    part[&index],
                    index.slice(),
                    error / scale,
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{arr1, arr2};
    use xdnn_ir::layer::{PixelShuffle, Relu};

    use super::*;

    fn relu(expected: &[[f64; 3]; 1]) -> Trial {
        let (mut network, x) = Builder::of(arr2(&[[-2.0, 0.5, 4.0]]).into_dyn()).unwrap();
        let output = network.layer(Relu {}, x).unwrap();
        network.expect(output, arr2(expected).into_dyn())
    }

    #[test]
    fn what_is_expected_passes() {
        let trial = relu(&[[0.0, 0.5, 4.0]]);
        assert_eq!(trial.run::<f32>(Device::Reference).unwrap(), Ok(()));
        assert_eq!(trial.run::<f64>(Device::Reference).unwrap(), Ok(()));
    }

    #[test]
    fn what_is_not_expected_fails() {
        for expected in [[0.0, 0.5, 4.001], [-2.0, 0.5, 4.0], [0.0, f64::NAN, 4.0]] {
            let trial = relu(&[expected]);
            assert!(trial.run::<f32>(Device::Reference).unwrap().is_err());
        }
    }

    #[test]
    fn another_shape_fails() {
        let (network, x) = Builder::of(arr2(&[[1.0, 2.0]]).into_dyn()).unwrap();
        let trial = network.expect(x, arr1(&[1.0, 2.0]).into_dyn());
        assert!(trial.run::<f32>(Device::Reference).unwrap().is_err());
    }

    #[test]
    fn a_part_is_compared_where_it_begins() {
        let part = |expected: f64, offset| {
            let (network, x) = Builder::of(arr2(&[[1.0, 2.0, 3.0]]).into_dyn()).unwrap();
            let trial = network.expect(x, arr2(&[[expected]]).into_dyn());
            let trial = trial.at_offset(vec![0, offset]);
            trial.run::<f32>(Device::Reference).unwrap()
        };
        assert_eq!(part(2.0, 1), Ok(()));
        assert!(part(2.0, 2).is_err());
        assert!(part(2.0, 3).is_err());
    }

    #[test]
    fn a_rule_that_refuses_gives_the_reason() {
        let (mut network, x) = Builder::of(arr2(&[[1.0, 2.0]]).into_dyn()).unwrap();
        let skip = network.layer(PixelShuffle { upscale_factor: 2 }, x);
        let reason = skip.unwrap_err().reason;
        assert!(
            reason.contains("`PixelShuffle` reads [channels, height, width]"),
            "{reason}"
        );
    }
}
