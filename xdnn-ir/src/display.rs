//! Networks and layers as text, in the language's own spelling.

use std::fmt;

use crate::{Argument, Degree, Layer, NetworkSpec, Operand, Operation, ParameterKind};

/// `Conv2d(64, kernel = 11, stride = 4)`: the shortest call that makes this layer.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (signature, given) = (self.signature(), self.arguments());
        let parameters = signature.parameters;
        let required = parameters.iter().zip(&given);
        let least: Vec<_> = required
            .map(|(parameter, argument)| argument.filter(|_| !parameter.optional))
            .collect();
        let defaults = Self::from_arguments(signature.name, &least).map(|layer| layer.arguments());
        f.write_str(signature.name)?;
        let mut separator = "(";
        for (i, (parameter, argument)) in parameters.iter().zip(&given).enumerate() {
            let default = defaults.as_ref().and_then(|list| *list.get(i)?);
            let is_default = |given: &Argument| parameter.optional && Some(*given) == default;
            let Some(argument) = argument.filter(|given| !is_default(given)) else {
                continue;
            };
            f.write_str(separator)?;
            if i > 0 {
                write!(f, "{} = ", parameter.name)?;
            }
            write_argument(f, parameter.kind, argument)?;
            separator = ", ";
        }
        f.write_str(if separator == "(" { "" } else { ")" })
    }
}

fn write_argument(
    f: &mut fmt::Formatter<'_>,
    kind: ParameterKind,
    argument: Argument,
) -> fmt::Result {
    match argument {
        Argument::Int(value) => write!(f, "{value}"),
        Argument::Float(value) => write!(f, "{value:?}"),
        Argument::Bool(value) => write!(f, "{value}"),
        Argument::Word(word) => f.write_str(word),
        Argument::Ints(values) => match (kind, values.dims()) {
            (ParameterKind::Ints(_), [first, rest @ ..]) if rest.iter().all(|v| v == first) => {
                write!(f, "{first}")
            }
            (kind, dims) => {
                let list: Vec<_> = dims.iter().map(usize::to_string).collect();
                let list = list.join(", ");
                match kind {
                    ParameterKind::Dims => f.write_str(&list),
                    _ => write!(f, "({list})"),
                }
            }
        },
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layer(layer) => layer.fmt(f),
            Self::Combine(combine) => f.write_str(combine.name()),
            Self::Function(function) => f.write_str(function.name),
            Self::Custom(custom) => custom.fmt(f),
        }
    }
}

/// One line for the network, one for each node, and one for the output:
///
/// ```text
/// Net(image: [1, 28, 28]) -> [10], degree 1, 7840 weights
/// %0 = Flatten(image) -> [784], degree 1
/// %1 = Linear(10)(%0) -> [10], degree 1; fc.weight [10, 784]
/// return %1
/// ```
impl fmt::Display for NetworkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs: Vec<_> = self
            .inputs()
            .iter()
            .map(|i| format!("{}: {}", i.name, i.shape))
            .collect();
        writeln!(
            f,
            "{}({}) -> {}, {}, {} weights",
            self.name,
            inputs.join(", "),
            self.output_shape(),
            Homogeneity(self.degree()),
            self.parameters(),
        )?;
        for (i, node) in self.nodes().iter().enumerate() {
            let operands: Vec<_> = node
                .operands
                .iter()
                .map(|o| self.operand_name(*o))
                .collect();
            let operation = &node.operation;
            write!(
                f,
                "%{i} = {operation}({}) -> {}, {}",
                operands.join(", "),
                node.shape,
                Homogeneity(node.degree)
            )?;
            for (n, weight) in self
                .weights()
                .get(node.weights.clone())
                .unwrap_or_default()
                .iter()
                .enumerate()
            {
                let separator = if n == 0 { ";" } else { "," };
                write!(f, "{separator} {} {}", weight.name, weight.shape)?;
            }
            writeln!(f)?;
        }
        writeln!(f, "return {}", self.operand_name(self.output))
    }
}

/// `degree 1`, or `no degree`.
struct Homogeneity(Option<Degree>);

impl fmt::Display for Homogeneity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(degree) => write!(f, "degree {degree}"),
            None => f.write_str("no degree"),
        }
    }
}

impl NetworkSpec {
    fn operand_name(&self, operand: Operand) -> String {
        match operand {
            Operand::Input(i) => self
                .inputs()
                .get(i)
                .map_or_else(|| format!("input {i}"), |input| input.name.to_string()),
            Operand::Node(i) => format!("%{i}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::layer::{AdaptiveAvgPool2d, Conv2d, Dropout, MaxPool2d, Relu, Reshape};
    use crate::{Layer, Shape};

    #[test]
    fn layers_print_as_the_shortest_call() {
        let conv = Conv2d {
            out_channels: 64,
            kernel: [3, 5],
            stride: [2, 2],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
            bias: false,
        };
        let pool = MaxPool2d {
            kernel: [3, 3],
            stride: None,
            padding: [0, 0],
            dilation: [1, 1],
            ceil_mode: true,
        };
        let text = |layer: Layer| layer.to_string();
        assert_eq!(text(conv.into()), "Conv2d(64, kernel = (3, 5), stride = 2)");
        assert_eq!(text(pool.into()), "MaxPool2d(3, ceil_mode = true)");
        assert_eq!(text(Relu {}.into()), "Relu");
        assert_eq!(text(Dropout { p: 0.5 }.into()), "Dropout");
        assert_eq!(text(Dropout { p: 0.0 }.into()), "Dropout(0.0)");
        let shape = Shape::new([4, 12]);
        assert_eq!(text(Reshape { shape }.into()), "Reshape(4, 12)");
        let width = Some(6);
        assert_eq!(
            text(AdaptiveAvgPool2d { height: 6, width }.into()),
            "AdaptiveAvgPool2d(6, width = 6)"
        );
    }
}
