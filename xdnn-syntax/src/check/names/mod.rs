//! Names: every layer, block, value, size and argument that is mentioned must exist, and every value be used.
//!
//! The walk follows the source, not the calls, so that a mistake in a block is found once, called or not.

mod foreign;
mod unknown;

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use xdnn_ir::message::{aliases, refusals};
use xdnn_ir::{ParameterKind, Signature};

use crate::arguments;
use crate::ast::{Block, Body, Call, Expr, ExprKind, Flow, Item, Kind, Network, Operands, Step};
use crate::declaration::Declarations;
use crate::diagnostic::{Collector, Diagnostic};
use crate::suggest;

/// Who knows the names that a network does not declare itself.
pub(crate) enum Others<'d> {
    /// Nobody but these.
    Known(&'d Declarations),
    /// The compiler, which will be asked.
    Asked,
}

/// Checks all names of a network. The result lists the names to ask the compiler for, in order of their first mention.
pub(crate) fn check(
    network: &Network,
    others: &Others,
    errors: &mut Collector,
) -> Vec<TokenStream> {
    let mut labels = HashSet::new();
    if let Some(body) = &network.body {
        body.visit_steps(&mut |step| labels.extend(step.label.as_ref().map(text)));
    }
    let levels = vec![Level::default()];
    let mut names = Names {
        errors,
        others,
        asked: Vec::new(),
        network: Some(text(&network.name)),
        regular: network.regular,
        levels,
        labels,
    };
    let named = network.inputs.iter().filter(|_| network.chain.is_none());
    for input in named {
        let name = &input.name;
        if names.top().values.contains_key(&text(name)) {
            names.error(Diagnostic::new(
                name,
                format!("two inputs have the name `{name}`"),
            ));
        }
        // Whether the output depends on an input is a question of the whole network.
        names.bind(name, true);
    }
    if network.is_block() {
        names.refuse_layer_name(&network.name);
    }
    names.top().unreadable = network.unreadable.iter().map(text).collect();
    let generics = network.generics.iter().map(|generic| text(&generic.name));
    names.top().sizes.extend(generics);
    names.levels.push(Level::default());
    if let Some(body) = &network.body {
        names.declare(body);
    }
    for dim in network
        .inputs
        .iter()
        .flat_map(|input| &input.shape)
        .chain(&network.output)
        .flat_map(|shape| &shape.dims)
    {
        names.expr(dim);
    }
    if let Some(body) = &network.body {
        names.items(body);
    }
    names.close();
    names.asked
}

/// The names that a block of another place does not declare itself.
pub(crate) fn foreign_of(block: &Block) -> Vec<TokenStream> {
    let mut errors = Collector::default();
    let mut names = Names {
        errors: &mut errors,
        others: &Others::Asked,
        asked: Vec::new(),
        network: None,
        regular: false,
        levels: vec![Level::default()],
        labels: HashSet::new(),
    };
    names.block(block);
    let asked = names.asked;
    // They were reported where the block is declared.
    drop(errors.finish());
    asked
}

struct Names<'a, 'e> {
    errors: &'e mut Collector,
    others: &'e Others<'e>,
    asked: Vec<TokenStream>,
    /// The name of the network; `None` for a block of another place.
    network: Option<String>,
    /// Whether homogeneity may be broken.
    regular: bool,
    levels: Vec<Level<'a>>,
    /// Every label of the network, for those who take one for a value.
    labels: HashSet<String>,
}

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// At the start of a flow, where values can stand.
    First,
    /// It is all of an operand, as values mostly are.
    Alone,
    /// Behind `->`.
    Later,
}

/// The names that one body declares.
#[derive(Default)]
struct Level<'a> {
    values: HashMap<String, Value>,
    sizes: HashSet<String>,
    /// Constants that are declared further down.
    later: HashSet<String>,
    blocks: HashMap<String, &'a Block>,
    /// Names whose declaration could not be read.
    unreadable: HashSet<String>,
    /// The body of a block, which does not see the values around it.
    closed: bool,
}

struct Value {
    name: Ident,
    used: bool,
}

fn text(name: &Ident) -> String {
    name.unraw().to_string()
}

impl<'a> Names<'a, '_> {
    fn error(&mut self, diagnostic: Diagnostic) {
        self.errors.push(diagnostic);
    }

    fn top(&mut self) -> &mut Level<'a> {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn body(&mut self, body: &'a Body) {
        self.levels.push(Level::default());
        self.declare(body);
        self.items(body);
        self.close();
    }

    /// Declares the blocks and constants of a body: they can be used anywhere in it.
    fn declare(&mut self, body: &'a Body) {
        self.top().later = body
            .items
            .iter()
            .filter_map(Item::constant)
            .map(text)
            .collect();
        for item in &body.items {
            match item {
                Item::Block(block) => {
                    let name = text(&block.name);
                    self.refuse_layer_name(&block.name);
                    if self.top().blocks.insert(name.clone(), block).is_some() {
                        self.error(Diagnostic::new(
                            &block.name,
                            format!("the block `{name}` is declared twice"),
                        ));
                    }
                }
                Item::Const(constant) => {
                    self.expr(&constant.value);
                    let name = text(&constant.name);
                    self.top().later.remove(&name);
                    if !self.top().sizes.insert(name.clone()) {
                        self.error(Diagnostic::new(
                            &constant.name,
                            format!("the constant `{name}` is declared twice"),
                        ));
                    }
                }
                Item::Unreadable(Some(name)) => {
                    let name = text(name);
                    self.top().unreadable.insert(name);
                }
                Item::Unreadable(None) | Item::Let(_) | Item::Flow(_) => {}
            }
        }
    }

    fn refuse_layer_name(&mut self, name: &Ident) {
        if arguments::signature(&text(name)).is_some() {
            let error = Diagnostic::new(name, format!("`{name}` is the name of a layer"));
            self.error(error.help("choose another name: layers keep theirs"));
        }
    }

    fn items(&mut self, body: &'a Body) {
        for item in &body.items {
            match item {
                Item::Const(_) | Item::Unreadable(_) => {}
                Item::Block(block) => self.block(block),
                Item::Let(binding) => {
                    self.flow(&binding.flow);
                    self.bind(&binding.name, false);
                }
                Item::Flow(flow) => self.flow(flow),
            }
        }
    }

    fn block(&mut self, block: &'a Block) {
        self.levels.push(Level {
            closed: true,
            ..Level::default()
        });
        for parameter in &block.parameters {
            if let Some(default) = &parameter.default {
                self.expr(default);
            }
            let name = text(&parameter.name);
            if !self.top().sizes.insert(name.clone()) {
                self.error(Diagnostic::new(
                    &parameter.name,
                    format!("two parameters of `{}` have the name `{name}`", block.name),
                ));
            }
        }
        self.body(&block.body);
        self.levels.pop();
    }

    fn bind(&mut self, name: &Ident, used: bool) {
        self.refuse_layer_name(name);
        let value = Value {
            name: name.clone(),
            used,
        };
        let shadowed = self.top().values.insert(text(name), value);
        self.unused(shadowed);
    }

    /// Leaves a body: whatever it bound must have been used.
    fn close(&mut self) {
        let level = self.levels.pop().unwrap_or_default();
        for value in level.values.into_values() {
            self.unused(Some(value));
        }
    }

    fn unused(&mut self, value: Option<Value>) {
        if let Some(Value { name, used: false }) = value {
            self.error(
                Diagnostic::new(&name, format!("the value `{name}` is never used"))
                    .note("whatever is computed must reach the output, or it would have no part in the attribution")
                    .help(format!("start a flow with it (`{name} -> …`), combine it (`sum({name}, …)`), or remove it")),
            );
        }
    }

    fn flow(&mut self, flow: &'a Flow) {
        for (i, step) in flow.steps.iter().enumerate() {
            let position = if i == 0 {
                Position::First
            } else {
                Position::Later
            };
            self.step(step, position);
        }
    }

    /// A flow between the commas of a combination.
    fn operand(&mut self, flow: &'a Flow) {
        match flow.steps.as_slice() {
            [step] => self.step(step, Position::Alone),
            _ => self.flow(flow),
        }
    }

    fn step(&mut self, step: &'a Step, position: Position) {
        match &step.kind {
            Kind::Body(body) => self.body(body),
            Kind::Residual { body, skip, .. } => {
                self.body(body);
                if let Some(skip) = skip {
                    self.body(skip);
                }
            }
            Kind::Repeat { count, body, .. } => {
                self.expr(count);
                self.body(body);
            }
            Kind::Combine {
                operands: Operands::Flows(flows),
                ..
            } => flows.iter().for_each(|flow| self.operand(flow)),
            Kind::Combine {
                operands: Operands::Body(body),
                ..
            } => self.body(body),
            Kind::Call(call) => self.call(step, call, position),
        }
    }

    fn call(&mut self, step: &'a Step, call: &'a Call, position: Position) {
        if call.has_path() {
            self.foreign_path(call);
            return;
        }
        let name = text(&call.name);
        let first = position != Position::Later;
        if call.arguments.is_none() && self.mention(&name) {
            if !first {
                self.error(
                    Diagnostic::new(&call.name, format!("the value `{name}` cannot stand behind `->`"))
                        .note("a value has nothing to read: it can only start a flow")
                        .help(format!("combine the two, as in `sum(…, {name})`, or start a statement with `{name} -> …`")),
                );
            } else if let Some(label) = &step.label {
                self.error(
                    Diagnostic::new(label, format!("the label `{label}` stands before a value"))
                        .help(format!("labels name layers; to give a value another name, write `let {label} = {name};`")),
                );
            }
            return;
        }
        if let Some(block) = self
            .levels
            .iter()
            .rev()
            .find_map(|level| level.blocks.get(&name).copied())
        {
            arguments::of_block(block, call, &mut |diagnostic| self.errors.push(diagnostic));
            call.arguments()
                .iter()
                .for_each(|argument| self.expr(&argument.value));
            return;
        }
        if self
            .levels
            .iter()
            .any(|level| level.unreadable.contains(&name))
        {
            return;
        }
        if arguments::signature(&name).is_none() && self.foreign(step, call, &name, position) {
            return;
        }
        let signature = arguments::signature(&name).or_else(|| {
            // Whether the value that flows in allows this function is known when the network is lowered.
            if let Some(meant) = refusals::meant(&name) {
                return arguments::signature(meant);
            }
            let (diagnostic, meant) = self.unknown(step, call, &name, position);
            self.error(diagnostic);
            // What was meant is not unused, too.
            meant.map(|meant| self.mention(&meant));
            aliases::layer(&name).and_then(arguments::signature)
        });
        if let Some(signature) = signature {
            self.arguments(signature, call);
        }
    }

    /// Marks the value of that name as used, where there is one.
    fn mention(&mut self, name: &str) -> bool {
        for level in self.levels.iter_mut().rev() {
            if let Some(value) = level.values.get_mut(name) {
                value.used = true;
                return true;
            }
            if level.closed {
                return false;
            }
        }
        false
    }

    fn arguments(&mut self, signature: &Signature, call: &'a Call) {
        let assigned = arguments::of_layer(signature, call, &mut |diagnostic| {
            self.errors.push(diagnostic)
        });
        for (parameter, given) in signature.parameters.iter().zip(assigned) {
            // Words and booleans look like names, but are none.
            if !matches!(parameter.kind, ParameterKind::Word(_) | ParameterKind::Bool) {
                given.into_iter().for_each(|expr| self.expr(expr));
            }
        }
    }

    /// Checks the names in an expression: they must be sizes.
    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Name(name) => self.size(name),
            ExprKind::Negative(value) | ExprKind::Parenthesized(value) => self.expr(value),
            ExprKind::Binary(left, _, right) => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Tuple(list) | ExprKind::List(list) => {
                list.iter().for_each(|expr| self.expr(expr))
            }
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Text(_)
            // The compiler knows the constants of the user's crate.
            | ExprKind::Path(_) => {}
        }
    }

    fn size(&mut self, ident: &Ident) {
        let name = text(ident);
        let known = |level: &Level| level.sizes.contains(&name) || level.unreadable.contains(&name);
        if self.levels.iter().any(known) {
            return;
        }
        let diagnostic = Diagnostic::new(ident, format!("unknown size `{name}`"));
        let sizes = self
            .levels
            .iter()
            .rev()
            .flat_map(|level| &level.sizes)
            .map(String::as_str);
        let is_value = self
            .levels
            .iter()
            .any(|level| level.values.contains_key(&name));
        if self.levels.iter().any(|level| level.later.contains(&name)) {
            self.error(
                Diagnostic::new(
                    ident,
                    format!("the constant `{name}` is used before it is declared"),
                )
                .help(format!("move `const {name}` up")),
            );
            return;
        }
        if is_constant(&name) {
            // A constant of the user's crate, unless it is a misspelt one of the network.
            let constants = sizes.filter(|size| is_constant(size));
            if let Some(meant) = suggest::closest(&name, constants) {
                self.error(diagnostic.help(format!(
                    "did you mean `{meant}`? A constant of your crate would be `self::{name}`"
                )));
            }
            return;
        }
        let diagnostic = match suggest::closest(&name, sizes) {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None if is_value => diagnostic.note(format!(
                "`{name}` is a value of the network; sizes are known before it runs"
            )),
            None => diagnostic
                .note("sizes are numbers, parameters of the block, and `const`s")
                .help(format!(
                    "declare it inside of the network: `const {name}: usize = …;`"
                )),
        };
        self.error(diagnostic);
    }
}

/// Whether a name is spelt as Rust's constants are: `WIDTH`.
pub(crate) fn is_constant(name: &str) -> bool {
    name.contains(char::is_uppercase) && !name.contains(char::is_lowercase)
}
