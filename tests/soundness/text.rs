//! Networks as the text that declares them, in one of the many ways to write each.

use std::fmt::Write;

use xdnn::ir::{Argument, ParameterKind, Shape};

use super::network::{Call, Network, Step};
use super::numbers::Numbers;

/// The declaration. With `checked` off it is `#[regular]`, and otherwise the same: no bias is there that was not.
pub fn text(network: &Network, style: u64, checked: bool) -> String {
    let mut writer = Writer {
        numbers: Numbers::new(style),
        checked,
        labels: 0,
        values: 0,
        blocks: Vec::new(),
        parameter: None,
    };
    let mut body = String::new();
    let mut names = Vec::new();
    if network.inputs.len() > 1 {
        for (i, flow) in network.starts.iter().enumerate() {
            if flow.is_empty() {
                names.push(format!("x{i}"));
            } else {
                let flow = writer.flow(flow);
                let _ = writeln!(body, "let f{i} = x{i} -> {flow};");
                names.push(format!("f{i}"));
            }
        }
        let _ = writeln!(body, "{}({});", network.join.name(), names.join(", "));
    }
    body += &writer.statements(&network.body);
    let inputs = network.inputs.iter().enumerate();
    let inputs: Vec<_> = inputs.map(|(i, shape)| format!("x{i}: {shape}")).collect();
    let output = network.output().unwrap_or(Shape::new([1]));
    format!(
        "{}struct Net({}) -> {output} {{\nconst ONE: usize = 1;\nconst TWO: usize = 2 * ONE;\n{}{body}}}",
        if checked { "" } else { "#[regular]\n" },
        inputs.join(", "),
        writer.blocks.concat(),
    )
}

struct Writer {
    numbers: Numbers,
    checked: bool,
    labels: usize,
    values: usize,
    blocks: Vec<String>,
    /// The value that the parameter `p` of the block under way has.
    parameter: Option<usize>,
}

impl Writer {
    fn label(&mut self) -> String {
        self.labels += 1;
        format!("l{}: ", self.labels)
    }

    /// Steps one after the other, some joined by arrows and some as statements of their own.
    fn statements(&mut self, flow: &[Step]) -> String {
        let mut text = String::new();
        for (i, step) in flow.iter().enumerate() {
            if i > 0 {
                text += if self.numbers.once_in(2) {
                    " -> "
                } else {
                    ";\n"
                };
            }
            if (i == 0 || text.ends_with('\n'))
                && let Step::Combine { combine, operands } = step
                && self.numbers.once_in(3)
                && let Some((first, rest)) = operands.split_first()
            {
                self.values += 1;
                let name = format!("v{}", self.values);
                let first = self.flow(first);
                let rest: Vec<_> = rest.iter().map(|flow| self.flow(flow)).collect();
                let _ = write!(
                    text,
                    "let {name} = {first};\n{}({name}, {})",
                    combine.name(),
                    rest.join(", ")
                );
                continue;
            }
            text += &self.step(step);
        }
        if !text.is_empty() {
            text += ";\n";
        }
        text
    }

    fn flow(&mut self, flow: &[Step]) -> String {
        let steps: Vec<_> = flow.iter().map(|step| self.step(step)).collect();
        steps.join(" -> ")
    }

    /// The body in braces, or a call of a block in braces.
    fn body(&mut self, flow: &[Step]) -> String {
        let parameter = flow.iter().find_map(|step| match step {
            Step::Layer(call) => {
                call.arguments
                    .iter()
                    .flatten()
                    .find_map(|argument| match argument {
                        Argument::Int(value) => Some(*value),
                        _ => None,
                    })
            }
            _ => None,
        });
        if !self.numbers.once_in(4) {
            return format!("{{ {} }}", self.statements(flow));
        }
        let outer = std::mem::replace(&mut self.parameter, parameter);
        let inside = self.statements(flow);
        self.parameter = outer;
        let label = if flow.iter().any(Step::has_weights) {
            self.label()
        } else {
            String::new()
        };
        let n = self.blocks.len();
        let (head, value) = match parameter {
            Some(value) => ("p", value.to_string()),
            None => ("", String::new()),
        };
        self.blocks
            .push(format!("block b{n}({head}) {{ {inside} }}\n"));
        format!("{{ {label}b{n}({value}); }}")
    }

    fn step(&mut self, step: &Step) -> String {
        match step {
            Step::Layer(call) => {
                let label = if call.has_weights() {
                    self.label()
                } else {
                    String::new()
                };
                format!("{label}{}", self.call(call))
            }
            Step::Residual { body, skip } => {
                let body = self.body(body);
                if skip.is_empty() {
                    format!("residual {body}")
                } else {
                    format!("residual {body} skip {}", self.body(skip))
                }
            }
            Step::Repeat { count, body } => {
                let label = if step.has_weights() {
                    self.label()
                } else {
                    String::new()
                };
                let body = self.body(body);
                let count = if *count > 1 {
                    format!("1 + {}", count - 1)
                } else {
                    count.to_string()
                };
                format!("{label}repeat {count} {body}")
            }
            Step::Combine { combine, operands } => {
                let flows: Vec<_> = operands.iter().map(|flow| self.flow(flow)).collect();
                if self.numbers.once_in(3) {
                    format!("{} {{ {}; }}", combine.name(), flows.join("; "))
                } else {
                    format!("{}({})", combine.name(), flows.join(", "))
                }
            }
        }
    }

    fn call(&mut self, call: &Call) -> String {
        let mut arguments = Vec::new();
        let mut positional = true;
        for (parameter, argument) in call.signature.parameters.iter().zip(&call.arguments) {
            let bias = parameter.name == "bias" && parameter.kind == ParameterKind::Bool;
            let argument = match argument {
                Some(argument) => *argument,
                None if bias && !self.checked && !default(call, parameter.name) => {
                    Argument::Bool(false)
                }
                None => {
                    positional = false;
                    continue;
                }
            };
            let value = self.argument(parameter.kind, argument);
            // Words and booleans are no less readable without a name, but a bias is refused without.
            positional &= !bias && (arguments.len() < 2 || self.numbers.once_in(2));
            arguments.push(if positional {
                value
            } else {
                format!("{} = {value}", parameter.name)
            });
        }
        if arguments.is_empty() {
            call.signature.name.to_owned()
        } else {
            format!("{}({})", call.signature.name, arguments.join(", "))
        }
    }

    fn argument(&mut self, kind: ParameterKind, argument: Argument) -> String {
        match argument {
            Argument::Int(value) => self.int(value),
            Argument::Float(value) => format!("{value:?}"),
            Argument::Bool(value) => value.to_string(),
            Argument::Word(word) => word.to_owned(),
            Argument::Ints(values) => {
                let list: Vec<_> = values.dims().iter().map(|value| self.int(*value)).collect();
                match kind {
                    ParameterKind::Dims => list.join(", "),
                    _ => format!("({})", list.join(", ")),
                }
            }
        }
    }

    fn int(&mut self, value: usize) -> String {
        match value {
            _ if self.parameter == Some(value) => "p".to_owned(),
            1 if self.numbers.once_in(4) => "ONE".to_owned(),
            2 if self.numbers.once_in(4) => "TWO".to_owned(),
            3 if self.numbers.once_in(4) => "(TWO + 1)".to_owned(),
            _ => value.to_string(),
        }
    }
}

/// The value of a boolean argument that is left out.
fn default(call: &Call, name: &str) -> bool {
    let fields = call.layer().map(|layer| layer.fields()).unwrap_or_default();
    fields
        .iter()
        .any(|(field, value)| *field == name && *value == xdnn::ir::Literal::Bool(true))
}
