//! From the tree to a [`NetworkSpec`]: blocks and repetitions are unrolled, and every step gets its shape and degree
//! from the rules of `xdnn-ir`.
//!
//! A mistake is reported, and lowering goes on with what was probably meant, so that all mistakes come at once. Where
//! nothing is probable the value is [`Current::Unknown`], and nothing more is said about what depends on it.

mod block;
mod combine;
mod custom;
mod evaluate;
mod foreign;
mod labels;
mod layer;
mod repeat;
mod scope;
mod size;
mod source;

use std::borrow::Cow;

use xdnn_ir::message::output;
use xdnn_ir::{Degree, Fault, Input, NetworkSpec, Node, Operand, Operation, Shape, Weight};

use crate::arguments;
use crate::ast::{self, Body, Call, Dims, Flow, Generic, Item, Kind, Network, Step};
use crate::check;
use crate::declaration::Declarations;
use crate::diagnostic::{Collector, Diagnostic, Place};

pub(crate) use labels::{Field, FieldType, Members};
use scope::Scope;
pub(crate) use size::{CalculationKind, Form, Given, Size};
pub(crate) use source::{Argument, Custom, Site, Source};

/// More nodes than any network of the literature has, and few enough to compile.
const MAX_NODES: usize = 10_000;
/// How many steps may be walked through to make them.
const MAX_STEPS: usize = 20 * MAX_NODES;
/// How many blocks may call one another.
const MAX_CALLS: usize = 64;
/// How deep bodies may nest, those of called blocks included.
const MAX_BODIES: usize = 128;

/// A value of the network: where it comes from, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub operand: Operand,
    /// `None` where only the compiler knows it.
    pub shape: Option<Shape>,
    /// `None` where the network is `#[regular]` and no rule finds one.
    pub degree: Option<Degree>,
}

/// What flows.
#[derive(Clone, Copy, Debug)]
enum Current {
    /// Nothing yet: a network of several inputs must name the one that it starts with.
    Nothing,
    /// Something that an earlier mistake hides.
    Unknown,
    Value(Value),
}

/// A lowered network. After a mistake it is what could be understood.
pub(crate) struct Lowered {
    pub spec: NetworkSpec,
    /// The weights as a tree of labels.
    pub members: Members,
    /// What the source says of it. `None` after a mistake.
    pub source: Option<Source>,
    /// Whether mistakes that are reported elsewhere hide a part of it.
    pub guesses: bool,
}

impl Lowered {
    /// Whether there is anything that only the compiler knows.
    pub fn is_open(&self) -> bool {
        self.source.as_ref().is_some_and(Source::is_open)
    }

    /// Whether both have the same degrees and weights, whatever their sizes.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let names = |of: &Self| -> Vec<_> {
            let weights = of.spec.weights().iter();
            weights.map(|weight| weight.name.clone()).collect()
        };
        let nodes = |of: &Self| -> Vec<_> {
            let nodes = of.spec.nodes().iter();
            nodes
                .map(|node| (node.degree, node.weights.clone()))
                .collect()
        };
        names(self) == names(other) && nodes(self) == nodes(other)
    }
}

/// Lowers a network; its mistakes go to `errors`.
pub(crate) fn lower(
    network: &Network,
    declarations: &Declarations,
    errors: &mut Collector,
) -> Lowered {
    let names = network.generics.iter().map(|of| of.name.clone());
    let sizes = names.map(|name| Size::constant(name.into())).collect();
    lower_with(network, sizes, declarations, errors)
}

/// Lowers a network whose parameters have numbers as defaults for these numbers. `None` where some have not, and where only
/// the compiler knows other sizes.
pub(crate) fn lower_with_defaults(
    network: &Network,
    declarations: &Declarations,
    errors: &mut Collector,
) -> Option<Lowered> {
    let default = |parameter: &Generic| {
        let default = syn::parse2::<syn::LitInt>(parameter.default.clone()?).ok()?;
        Some(Size::Known(default.base10_parse().ok()?))
    };
    let defaults: Option<Vec<Size>> = network.generics.iter().map(default).collect();
    let defaults = defaults.filter(|defaults| !defaults.is_empty())?;
    let lowered = lower_with(network, defaults, declarations, errors);
    (!lowered.is_open()).then_some(lowered)
}

/// Lowers a network whose parameters have these sizes.
fn lower_with(
    network: &Network,
    sizes: Vec<Size>,
    declarations: &Declarations,
    errors: &mut Collector,
) -> Lowered {
    let mut lowerer = Lowerer {
        errors,
        declarations,
        blamed: None,
        guesses: false,
        regular: network.regular,
        biased: network.regular,
        nodes: Vec::new(),
        sites: Vec::new(),
        weights: Vec::new(),
        frames: labels::Frames::default(),
        calls: Vec::new(),
        bodies: 0,
        steps: 0,
        exhausted: false,
    };
    let mut root = Scope::default();
    for (generic, size) in network.generics.iter().zip(sizes) {
        root.sizes.insert(scope::text(&generic.name), Some(size));
    }
    if let Some(body) = &network.body {
        lowerer.declare(body, &mut root);
    }
    let (forms, values) = lowerer.inputs(network, &root);
    if network.chain.is_none() {
        let names = network.inputs.iter().map(|input| scope::text(&input.name));
        root.values.extend(names.zip(values.iter().copied()));
    }
    let declared = network
        .output
        .as_ref()
        .and_then(|dims| lowerer.dims(dims, &root));
    let current = match values.as_slice() {
        _ if !network.unreadable.is_empty() => Current::Unknown,
        [value] => *value,
        _ => Current::Nothing,
    };
    let output = match &network.body {
        Some(body) => lowerer.items(body, &mut root, current),
        None => Current::Unknown,
    };
    let members = lowerer.leave_root();
    let known = declared.as_ref().and_then(Form::known);
    lowerer.output(network, known, output);
    let inputs = network.inputs.iter().zip(&forms).map(input).collect();
    let spec = NetworkSpec {
        name: Cow::Owned(scope::text(&network.name)),
        inputs: Cow::Owned(inputs),
        nodes: Cow::Owned(lowerer.nodes),
        weights: Cow::Owned(lowerer.weights),
        output: match output {
            Current::Value(value) => value.operand,
            _ => Operand::Input(0),
        },
    };
    let guesses = lowerer.guesses;
    if lowerer.errors.is_empty() && !guesses {
        check::usage::check(network, &spec, &lowerer.sites, &mut |diagnostic| {
            lowerer.errors.push(diagnostic)
        });
    }
    let source = lowerer.errors.is_empty().then(|| Source {
        // Those of a block have no shape.
        inputs: forms.into_iter().flatten().collect(),
        output: declared,
        sites: lowerer.sites,
    });
    if let Some(source) = source.as_ref().filter(|_| network.is_block()) {
        for refusal in source.refusals_of_block() {
            lowerer.errors.push(refusal);
        }
    }
    Lowered {
        spec,
        members,
        source,
        guesses,
    }
}

/// An input of the specification. One of unknown shape is given one dimension of 1.
fn input((input, form): (&ast::Input, &Option<Form>)) -> Input {
    let shape = form.as_ref().and_then(Form::shape);
    Input {
        name: Cow::Owned(scope::text(&input.name)),
        shape: shape.unwrap_or(Shape::new([1])),
    }
}

struct Lowerer<'a, 'e> {
    errors: &'e mut Collector,
    /// What the body at hand uses of other places.
    declarations: &'a Declarations,
    /// The call to blame for what is wrong inside of a block of another place.
    blamed: Option<Place>,
    /// Whether homogeneity may be broken.
    regular: bool,
    /// Whether layers have biases unless they say otherwise.
    biased: bool,
    nodes: Vec<Node>,
    /// Where each node stands.
    sites: Vec<Site>,
    weights: Vec<Weight>,
    frames: labels::Frames,
    calls: Vec<block::Entry<'a>>,
    bodies: usize,
    steps: usize,
    /// Whether a part was refused elsewhere, so that checks of the whole would mislead.
    guesses: bool,
    /// Whether the network is too large, so that nothing more is lowered.
    exhausted: bool,
}

impl<'a> Lowerer<'a, '_> {
    /// The shapes of the inputs, and what flows from them.
    fn inputs(
        &mut self,
        network: &Network,
        root: &Scope<'_, 'a>,
    ) -> (Vec<Option<Form>>, Vec<Current>) {
        let read = network.inputs.iter().enumerate().map(|(i, input)| {
            let form = input.shape.as_ref().and_then(|dims| self.dims(dims, root));
            // A block reads a value of any shape, which is taken for one of degree 1.
            let value = (form.is_some() || network.is_block()).then(|| Value {
                operand: Operand::Input(i),
                shape: form.as_ref().and_then(Form::known),
                degree: Some(Degree::ONE),
            });
            (form, value.map_or(Current::Unknown, Current::Value))
        });
        read.unzip()
    }

    /// Checks what the network returns, where no earlier mistake makes that pointless.
    fn output(&mut self, network: &Network, declared: Option<Shape>, output: Current) {
        match output {
            // An input that is returned may be what a mistake has left of the network.
            Current::Value(value)
                if !network.incomplete
                    && (matches!(value.operand, Operand::Node(_)) || self.errors.is_empty()) =>
            {
                check::output::check(network, declared, value, &mut |error| {
                    self.errors.push(error)
                });
            }
            Current::Nothing if self.errors.is_empty() => {
                let error =
                    Diagnostic::new(&network.name, format!("`{}` returns nothing", network.name));
                self.report(
                    error.help("the last statement that is no `let` is what the network returns"),
                );
            }
            _ => {}
        }
    }

    /// Reports a mistake, together with the calls that led to it.
    fn report(&mut self, diagnostic: Diagnostic) {
        let diagnostic = match block::chain(&self.calls) {
            Some(chain) => diagnostic.note(chain),
            None => diagnostic,
        };
        self.errors.push(match self.blamed {
            Some(place) => diagnostic.at(place),
            None => diagnostic,
        });
    }

    fn body(&mut self, body: &'a Body, outer: &Scope<'_, 'a>, current: Current) -> Current {
        if self.bodies >= MAX_BODIES {
            self.report(Diagnostic::new(
                body.place,
                format!("bodies and blocks are nested more than {MAX_BODIES} levels deep"),
            ));
            return Current::Unknown;
        }
        self.bodies += 1;
        let mut scope = outer.child();
        self.declare(body, &mut scope);
        let current = self.items(body, &mut scope, current);
        self.bodies -= 1;
        current
    }

    /// Declares the blocks and constants of a body.
    fn declare(&mut self, body: &'a Body, scope: &mut Scope<'_, 'a>) {
        for item in &body.items {
            match item {
                Item::Block(block) => {
                    scope.blocks.insert(scope::text(&block.name), block);
                }
                Item::Const(constant) => {
                    let value = self.integer(&constant.value, scope);
                    scope.sizes.insert(scope::text(&constant.name), value);
                }
                Item::Let(_) | Item::Flow(_) | Item::Unreadable(_) => {}
            }
        }
    }

    fn items(
        &mut self,
        body: &'a Body,
        scope: &mut Scope<'_, 'a>,
        mut current: Current,
    ) -> Current {
        let mut empty = true;
        for item in &body.items {
            match item {
                Item::Const(_) | Item::Block(_) => continue,
                Item::Let(binding) => {
                    let value = self.flow(&binding.flow, scope, current);
                    scope.values.insert(scope::text(&binding.name), value);
                }
                Item::Flow(flow) => current = self.flow(flow, scope, current),
                Item::Unreadable(Some(_)) => {}
                Item::Unreadable(None) => current = Current::Unknown,
            }
            empty = false;
        }
        if empty {
            self.report(
                Diagnostic::new(body.place, "this body is empty")
                    .help("write at least one layer, or remove it"),
            );
            return Current::Unknown;
        }
        current
    }

    fn flow(&mut self, flow: &'a Flow, scope: &Scope<'_, 'a>, mut current: Current) -> Current {
        for (i, step) in flow.steps.iter().enumerate() {
            if let Kind::Call(
                call @ Call {
                    name,
                    arguments: None,
                    ..
                },
            ) = &step.kind
                && !call.has_path()
                && let Some(value) = scope.value(&scope::text(name))
            {
                // Behind `->` a value is a mistake, which the check of names reports.
                current = if i == 0 { value } else { Current::Unknown };
            } else {
                current = self.step(step, scope, current);
            }
        }
        current
    }

    fn step(&mut self, step: &'a Step, scope: &Scope<'_, 'a>, current: Current) -> Current {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.nodes.len() > MAX_NODES {
            self.too_large(step.place);
        }
        if self.exhausted {
            return Current::Unknown;
        }
        match &step.kind {
            Kind::Body(body) => {
                self.labelled(step, None, |lowerer| lowerer.body(body, scope, current))
            }
            Kind::Residual {
                keyword,
                body,
                skip,
            } => self.labelled(step, None, |lowerer| {
                lowerer.residual(keyword, body, skip.as_ref(), scope, current)
            }),
            Kind::Combine {
                keyword,
                combine,
                operands,
            } => self.labelled(step, None, |lowerer| {
                lowerer.combination(keyword, *combine, operands, scope, current)
            }),
            Kind::Repeat {
                keyword,
                count,
                body,
            } => self.repeat(step, keyword, count, body, scope, current),
            Kind::Call(call) => self.called(step, call, scope, current),
        }
    }

    /// A call of a block, a layer, or what another place declares.
    fn called(
        &mut self,
        step: &'a Step,
        call: &'a Call,
        scope: &Scope<'_, 'a>,
        current: Current,
    ) -> Current {
        let name = scope::text(&call.name);
        let own = !call.has_path();
        if let Some((block, home)) = scope.block(&name).filter(|_| own) {
            return self.labelled(step, Some(&block.name), |lowerer| {
                lowerer.call(call, block, home, scope, current)
            });
        }
        if own && arguments::signature(&name).is_some() {
            return self.layer(step, call, scope, current);
        }
        match self.declarations.get(&call.key()) {
            Some(declaration) => self.foreign(step, call, declaration, scope, current),
            None if own => self.layer(step, call, scope, current),
            None => self.unknown(step),
        }
    }

    /// Gives up. The call or repetition outermost in the network is to blame.
    fn too_large(&mut self, place: Place) {
        if !self.exhausted {
            self.exhausted = true;
            let place = self
                .calls
                .first()
                .map_or(place, |call| Place::from(&call.name));
            self.errors.push(
                Diagnostic::new(place, "the network is too large: it has more than 10,000 nodes")
                    .note("blocks and repetitions are unrolled: every layer of every repetition is a node"),
            );
        }
    }

    /// The degree of a node by its rule; none where a `#[regular]` network breaks the rule.
    fn degree(
        &self,
        operation: &Operation,
        operands: &[Option<Degree>],
    ) -> Result<Option<Degree>, Box<Fault>> {
        match operation.degree_if_known(operands) {
            Err(_) if self.regular => Ok(None),
            degree => degree.map_err(Box::new),
        }
    }

    /// Adds a node. Messages of const evaluation about it go to `site`.
    fn node(
        &mut self,
        site: Site,
        path: String,
        operation: Operation,
        operands: Vec<Operand>,
        shape: Option<Shape>,
        degree: Option<Degree>,
    ) -> Value {
        let weights = self.weights.len();
        let operand = Operand::Node(self.nodes.len());
        self.sites.push(match self.blamed {
            Some(place) => site.at(place),
            None => site,
        });
        self.nodes.push(Node {
            path: Cow::Owned(path),
            operation,
            operands: Cow::Owned(operands),
            shape: shape.unwrap_or(Shape::new([1])),
            degree,
            weights: weights..weights,
        });
        Value {
            operand,
            shape,
            degree,
        }
    }

    /// The shape that stands in the head of the network.
    fn dims(&mut self, dims: &Dims, scope: &Scope<'_, 'a>) -> Option<Form> {
        let place = dims.place;
        if dims.dims.is_empty() {
            let error = Diagnostic::new(place, "this shape has no dimensions");
            self.report(
                error.help("write at least one, without the batch: `[784]`, `[3, 224, 224]`"),
            );
            return None;
        }
        let sizes: Vec<_> = dims
            .dims
            .iter()
            .map(|dim| self.dimension(dim, scope))
            .collect();
        let dims = sizes.into_iter().collect::<Option<Vec<_>>>()?;
        let form = Form { dims, place };
        // With 1 in place of what only the compiler knows; const evaluation looks again.
        if form.shape().is_some_and(|shape| shape.is_computable()) {
            return Some(form);
        }
        self.report(Diagnostic::from_message(place, output::too_large().into()));
        None
    }
}
