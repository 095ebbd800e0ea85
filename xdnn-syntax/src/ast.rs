//! A network as it is written. Every node knows its place in the source.

use std::fmt;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Visibility};
use xdnn_ir::Combine;

use crate::diagnostic::Place;

/// `pub struct Name(input: [1, 28, 28]) -> [10] { … }`, or a struct of layers.
pub(crate) struct Network {
    pub attributes: Vec<Attribute>,
    /// Whether it is `#[regular]`: it may break homogeneity, and then has no `attribute`.
    pub regular: bool,
    pub visibility: Visibility,
    pub name: Ident,
    pub generics: Vec<Generic>,
    pub inputs: Vec<Input>,
    /// `None` where it could not be read, as with the body, and for a struct of layers.
    pub output: Option<Dims>,
    pub body: Option<Body>,
    /// `None` for what stands in `network!`.
    pub chain: Option<Chain>,
    /// Names in the head whose declaration could not be read.
    pub unreadable: Vec<Ident>,
    /// Whether a part of it could not be read, so that checks of the whole would mislead.
    pub incomplete: bool,
}

impl Network {
    /// Whether it reads whatever flows into it, so that only other networks can use it.
    pub(crate) fn is_block(&self) -> bool {
        self.chain.as_ref().is_some_and(|chain| !chain.has_input)
    }
}

/// What a struct of layers has beyond a network: `#[xdnn(input = [784])] struct Name { fc: Linear<10> }`.
pub(crate) struct Chain {
    /// The path to the facade, where one is given.
    pub krate: Option<TokenStream>,
    pub has_input: bool,
    /// `{ fc: Linear(10); }`
    pub body: TokenStream,
}

/// `const CLASSES: usize = 10` between angle brackets.
pub(crate) struct Generic {
    pub name: Ident,
    /// Rust's own expression, which only the compiler evaluates.
    pub default: Option<TokenStream>,
}

/// `image: [3, 224, 224]`
pub(crate) struct Input {
    pub name: Ident,
    /// `None` where it could not be read, and for a block.
    pub shape: Option<Dims>,
}

/// `[3, 224, 224]`
pub(crate) struct Dims {
    pub place: Place,
    pub dims: Vec<Expr>,
}

/// `{ … }`
pub(crate) struct Body {
    pub place: Place,
    pub items: Vec<Item>,
}

impl Body {
    /// Shows every step to `visitor`, those inside of other steps and of blocks included, in the order of the source.
    pub(crate) fn visit_steps<'a>(&'a self, visitor: &mut dyn FnMut(&'a Step)) {
        for item in &self.items {
            match item {
                Item::Block(block) => block.body.visit_steps(visitor),
                Item::Let(binding) => binding.flow.visit_steps(visitor),
                Item::Flow(flow) => flow.visit_steps(visitor),
                Item::Const(_) | Item::Unreadable(_) => {}
            }
        }
    }
}

/// A part of a body.
pub(crate) enum Item {
    Const(Const),
    Block(Block),
    Let(Let),
    Flow(Flow),
    /// A statement that could not be read, and the name that it would have declared. What flows behind it is not known.
    Unreadable(Option<Ident>),
}

impl Item {
    /// The name of the constant that it declares.
    pub(crate) fn constant(&self) -> Option<&Ident> {
        match self {
            Self::Const(constant) => Some(&constant.name),
            _ => None,
        }
    }
}

/// `const WIDTH: usize = 64;`
pub(crate) struct Const {
    pub name: Ident,
    pub value: Expr,
}

/// `block name(param, other = 1) { … }`
pub(crate) struct Block {
    pub name: Ident,
    pub parameters: Vec<Parameter>,
    pub body: Body,
}

/// `stride = 1` in the head of a block.
pub(crate) struct Parameter {
    pub name: Ident,
    pub default: Option<Expr>,
}

/// `let name = flow;`
pub(crate) struct Let {
    pub name: Ident,
    pub flow: Flow,
}

/// Steps joined by `->`; at least one.
pub(crate) struct Flow {
    pub steps: Vec<Step>,
}

impl Flow {
    pub(crate) fn place(&self) -> Place {
        match (self.steps.first(), self.steps.last()) {
            (Some(first), Some(last)) => first.place.to(last.place),
            _ => Place::of(TokenStream::new()),
        }
    }
}

impl Flow {
    fn visit_steps<'a>(&'a self, visitor: &mut dyn FnMut(&'a Step)) {
        for step in &self.steps {
            visitor(step);
            match &step.kind {
                Kind::Call(_) => {}
                Kind::Body(body) | Kind::Repeat { body, .. } => body.visit_steps(visitor),
                Kind::Residual { body, skip, .. } => {
                    body.visit_steps(visitor);
                    skip.iter().for_each(|skip| skip.visit_steps(visitor));
                }
                Kind::Combine { operands, .. } => match operands {
                    Operands::Flows(flows) => {
                        flows.iter().for_each(|flow| flow.visit_steps(visitor))
                    }
                    Operands::Body(body) => body.visit_steps(visitor),
                },
            }
        }
    }
}

/// `label: Layer(arguments)` and the like.
pub(crate) struct Step {
    /// The doc comments in front of the label.
    pub docs: Vec<Attribute>,
    pub label: Option<Ident>,
    pub kind: Kind,
    /// From the label to the last token.
    pub place: Place,
}

/// What a step does.
pub(crate) enum Kind {
    /// A layer, a call of a block, or the name of a value.
    Call(Call),
    Body(Body),
    Residual {
        keyword: Ident,
        body: Body,
        skip: Option<Body>,
    },
    Repeat {
        keyword: Ident,
        count: Expr,
        body: Body,
    },
    Combine {
        keyword: Ident,
        combine: Combine,
        operands: Operands,
    },
}

/// `Conv2d(64, kernel = 3)`, `stage(3, 64)`, `image` or `crate::act::shrink`.
pub(crate) struct Call {
    /// `crate::act::` in front of the name.
    pub module: TokenStream,
    pub name: Ident,
    /// `None` without parentheses.
    pub arguments: Option<Vec<Argument>>,
    /// Whether it is a field of a struct, whose arguments stand in `#[layer(…)]`.
    pub is_field: bool,
}

impl Call {
    /// The name with what stands in front of it.
    pub(crate) fn path(&self) -> TokenStream {
        let (module, name) = (&self.module, &self.name);
        quote!(#module #name)
    }

    /// The path as text, without spaces.
    pub(crate) fn key(&self) -> String {
        crate::declaration::key(&self.path())
    }

    pub(crate) fn has_path(&self) -> bool {
        !self.module.is_empty()
    }

    pub(crate) fn place(&self) -> Place {
        Place::of(self.path())
    }

    pub(crate) fn arguments(&self) -> &[Argument] {
        self.arguments.as_deref().unwrap_or_default()
    }
}

/// The operands of a combination.
pub(crate) enum Operands {
    /// `(flow, flow)`
    Flows(Vec<Flow>),
    /// `{ flow; flow; }`: every statement but `let`, `const` and `block` is an operand.
    Body(Body),
}

/// `3` or `kernel = 3`
pub(crate) struct Argument {
    pub key: Option<Ident>,
    pub value: Expr,
}

/// An expression in an argument, a dimension, a count or a constant.
pub(crate) struct Expr {
    pub place: Place,
    pub kind: ExprKind,
}

pub(crate) enum ExprKind {
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A text in quotes. Nothing accepts one, but the message can say what to write.
    Text(String),
    Name(Ident),
    /// `crate::config::WIDTH`: a constant of the user's crate.
    Path(syn::Path),
    Negative(Box<Expr>),
    Binary(Box<Expr>, Operator, Box<Expr>),
    Parenthesized(Box<Expr>),
    Tuple(Vec<Expr>),
    /// `[3, 5]`. Nothing accepts it, but the message can say what to write.
    List(Vec<Expr>),
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

impl Operator {
    /// Operators of a higher precedence bind first.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            Self::Add | Self::Sub => 1,
            Self::Mul | Self::Div | Self::Rem => 2,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
        })
    }
}
