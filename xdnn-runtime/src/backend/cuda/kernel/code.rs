//! The values that a kernel reads, as text.

use std::collections::BTreeMap;
use std::hash::Hasher;

use fnv::FnvHasher;
use xdnn_ir::Shape;

use super::element::element;
use crate::graph::Value;
use crate::ops::Op;

/// What a kernel reads, and with what dimensions.
#[derive(Clone, Debug)]
pub(in super::super) struct Tree<'a> {
    /// The dimensions that the reader sees.
    pub shape: Shape,
    /// What it is.
    pub source: Source<'a>,
}

/// Where what a kernel reads comes from.
#[derive(Clone, Debug)]
pub(in super::super) enum Source<'a> {
    /// It is in memory.
    Memory(Value),
    /// It is the result of this number of the same kernel, whose element the same thread has written before.
    Result(usize),
    /// It is the same number everywhere.
    Constant(f64),
    /// It is computed where it is read, by an operator that computes each element alone, with these dimensions.
    Operator(&'a Op, Shape, Vec<Tree<'a>>),
}

/// The body of a kernel, as it is written.
#[derive(Default)]
pub(super) struct Code {
    /// What has been declared.
    pub text: String,
    /// What is read.
    pub operands: Vec<Value>,
    /// For each of them, whether the thread that computes an element of the result reads nothing but that element of it.
    own: Vec<bool>,
    functions: usize,
    /// What stands in front of the function: constant tables, by name.
    pub tables: BTreeMap<String, String>,
}

/// How the elements of a value are read, or computed.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// They are at the address of this name.
    Memory(String),
    /// The function of this name computes them.
    Function(String),
    /// They are all this number.
    Literal(String),
}

impl Access {
    /// The element at an index.
    pub(super) fn at(&self, index: &str) -> String {
        match self {
            Self::Memory(name) => format!("{name}[{index}]"),
            Self::Function(name) => format!("{name}({index})"),
            Self::Literal(number) => number.clone(),
        }
    }
}

impl Code {
    /// How the elements of a value are read. `own` is whether each thread reads nothing but the element that it computes.
    pub(super) fn access(&mut self, tree: &Tree<'_>, own: bool) -> Access {
        match &tree.source {
            Source::Memory(value) => Access::Memory(self.operand(*value, own)),
            Source::Result(result) => Access::Memory(format!("y{result}")),
            Source::Constant(number) => Access::Literal(literal(*number)),
            Source::Operator(op, shape, operands) => {
                let body = element(self, op, operands, *shape, own);
                Access::Function(self.function(&body))
            }
        }
    }

    /// The name of the address of a value in memory.
    fn operand(&mut self, value: Value, own: bool) -> String {
        let known = self.operands.iter().position(|known| *known == value);
        let at = known.unwrap_or(self.operands.len());
        if known.is_none() {
            self.operands.push(value);
            self.own.push(true);
        }
        self.own[at] &= own;
        format!("a{at}")
    }

    /// Declares a function of an index `i` with this body, and returns its name.
    pub(super) fn function(&mut self, body: &str) -> String {
        let name = format!("f{}", self.functions);
        self.functions += 1;
        self.text += &format!("  auto {name} = [=](unsigned i) -> float {{ {body} }};\n");
        name
    }

    /// Declares a table of constants, and returns its name.
    pub(super) fn table(&mut self, kind: &str, elements: impl Iterator<Item = String>) -> String {
        let elements: Vec<String> = elements.collect();
        // There are no arrays of nothing.
        let elements = if elements.is_empty() {
            vec!["0".to_owned()]
        } else {
            elements
        };
        let elements = elements.join(", ");
        let name = format!("table_{}", digest(&[kind, &elements]));
        let text = format!("__device__ const {kind} {name}[] = {{{elements}}};\n");
        self.tables.insert(name.clone(), text);
        name
    }

    /// The operands over which the result may be written.
    pub(super) fn over(&self) -> Vec<usize> {
        (0..self.operands.len()).filter(|i| self.own[*i]).collect()
    }
}

/// A number in single precision.
pub(super) fn literal(number: f64) -> String {
    let number = number as f32;
    match number.is_finite() {
        true => format!("{number:e}f"),
        false => format!("__uint_as_float(0x{:08x}u)", number.to_bits()),
    }
}

/// Sixteen digits that tell texts apart.
pub(super) fn digest(texts: &[&str]) -> String {
    let mut hasher = FnvHasher::default();
    for text in texts {
        hasher.write(text.as_bytes());
        hasher.write_u8(0);
    }
    format!("{:016x}", hasher.finish())
}
