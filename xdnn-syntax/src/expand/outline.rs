//! `impl Network`: the network as an outline, which const evaluation fills in, and one check for each thing that could be
//! wrong, where a message about it belongs.
//!
//! ```text
//! const _: () = {
//!     struct __XdnnWritten<const CLASSES: usize>;
//!     impl<const CLASSES: usize> Written<1, 1, 1, 1, 1> for __XdnnWritten<CLASSES> {
//!         const OPEN_SIZES: &[Integer] = &[Constant { value: CLASSES }.integer()];
//!         const OPEN_CALLS: [&str; 1] = ["Linear;0;out_features;0:0:0;"];
//!         const OUTLINE: &Outline<1, 1, 1, 1> =
//!             &Outline::new("Net", [("x", …)], &[…], &["fc 0 x0 1 ? fc.weight?"], Operand::Node(0));
//!     }
//!     const __xdnn_checks: &Checks = <__XdnnWritten<10> as Written<1, 1, 1, 1, 1>>::CHECKS;
//!     const _: () = …;                                    // a check, with the spans of what it looks at
//!     impl<const CLASSES: usize> Network for Net<CLASSES> {
//!         const SPEC: &'static NetworkSpec = {
//!             …;                                          // the same checks
//!             spec::<__XdnnWritten<CLASSES>, _, _, _, _, _>()
//!         };
//!     }
//! };
//! ```
//!
//! Nothing of the user's stands where the words of `xdnn_ir::written` are imported: they could hide it.

use std::cell::RefCell;
use std::collections::HashMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use xdnn_ir::{Literal, NetworkSpec, Node, Operand, Operation, Scalar, Shape};

use super::generics::Generics;
use super::spec::impls;
use super::words::{combine, function, literal, word};
use super::{Context, local, regular};
use crate::ast::Operator;
use crate::diagnostic::Place;
use crate::lower::{Argument, CalculationKind, Custom, Form, Given, Site, Size, Source};

/// The trait impls of a network that was understood.
pub(super) fn spec(context: &Context, spec: &NetworkSpec, source: &Source) -> TokenStream {
    let outline = Outline {
        krate: &context.krate,
        spec,
        source,
        sizes: local("__xdnn_sizes"),
        checks: local("__xdnn_checks"),
        calculations: RefCell::default(),
    };
    let (cfg, krate, items) = (&context.cfg, &context.krate, outline.items(context));
    quote! {
        #(#cfg)*
        const _: () = {
            use #krate::__private::outline as __xdnn;
            #items
        };
    }
}

struct Outline<'c> {
    krate: &'c TokenStream,
    spec: &'c NetworkSpec,
    source: &'c Source,
    /// The name of the list of all sizes that only the compiler knows.
    sizes: Ident,
    /// The name of what checks look at.
    checks: Ident,
    calculations: RefCell<Calculations<'c>>,
}

/// Every operation once, however many steps are the same.
#[derive(Default)]
struct Operations {
    /// With the sizes of each that only the compiler knows: the same text means the same everywhere around the network.
    known: Vec<(Operation, Vec<String>)>,
    written: Vec<TokenStream>,
}

/// Every size that only the compiler knows once, however many steps use its value.
#[derive(Default)]
struct Calculations<'c> {
    list: Vec<&'c Size>,
    positions: HashMap<String, usize>,
}

/// What only the compiler can check.
#[derive(Default)]
struct Checks {
    /// What describes each call.
    calls: Vec<String>,
    /// Statements, with the spans of what they look at.
    code: Vec<TokenStream>,
}

/// Calls that stand at one place of the source, as blocks and repetitions make them, with the nodes of each.
struct Calls<'c> {
    site: &'c Site,
    of: Vec<(&'c Site, Vec<usize>)>,
}

impl<'c> Outline<'c> {
    fn items(&self, context: &Context) -> TokenStream {
        let Generics {
            bound,
            given,
            defaults,
            ..
        } = &context.generics;
        let (outline, checks) = (self.outline(), self.checks());
        let (name, all) = (local("__XdnnWritten"), &self.checks);
        let Checks { calls, code } = checks;
        let (lengths, n) = (self.lengths(), calls.len());
        let written = quote!(__xdnn::Written<#lengths, #n>);
        let (mut sizes, mut checked, mut checking) = (None, None, None);
        if self.source.is_open() {
            let list = self.calculations();
            sizes = Some(quote!(const OPEN_SIZES: &'static [__xdnn::Integer] = &#list;));
            let checks = quote!(<#name #given as #written>::CHECKS);
            // Without defaults the checks are left to the networks that are made of this one.
            checked = defaults.as_ref().map(|defaults| {
                let items = quote! {
                    #defaults
                    #[allow(non_upper_case_globals, long_running_const_eval)]
                    const #all: &__xdnn::Checks = #checks;
                    #(const _: () = { #code };)*
                };
                match given.is_empty() {
                    true => items,
                    false => quote!(const _: () = { #items };),
                }
            });
            checking = (!given.is_empty()).then(|| quote!(let #all = #checks; #(#code)*));
        }
        let reason = regular::reason(context, self.spec);
        let spec = quote!(__xdnn::spec::<#name #given, _, _, _, _, _>());
        let impls = impls(context, &quote!({ #checking #spec }), reason.as_ref());
        quote! {
            struct #name #bound;
            #[allow(clippy::large_stack_arrays, long_running_const_eval)] // Its constants are never on the stack.
            impl #bound #written for #name #given {
                #sizes
                const OPEN_CALLS: [&'static ::core::primitive::str; #n] = [#(#calls),*];
                const OUTLINE: &'static __xdnn::Outline<#lengths> = &#outline;
            }
            #checked
            #impls
        }
    }

    /// The numbers of inputs, nodes, operands and weights.
    fn lengths(&self) -> TokenStream {
        let (inputs, nodes) = (self.spec.inputs().len(), self.spec.nodes());
        let reads: usize = nodes.iter().map(|node| node.operands.len()).sum();
        let (nodes, weights) = (nodes.len(), self.spec.weights().len());
        quote!(#inputs, #nodes, #reads, #weights)
    }

    /// `Outline::new(…)`
    fn outline(&self) -> TokenStream {
        let krate = self.krate;
        let inputs = self.spec.inputs().iter().zip(&self.source.inputs);
        let inputs = inputs.map(|(input, form)| {
            let shape = match form.known() {
                Some(shape) => {
                    let shape = literal(&Literal::Shape(shape));
                    quote!(Some(#shape))
                }
                None => {
                    let dims = form.dims.iter().map(|dim| self.integer(&dim.size));
                    quote!(__xdnn::shape(&[#(#dims),*]))
                }
            };
            let name = &*input.name;
            quote!((#name, #shape))
        });
        let inputs: Vec<_> = inputs.collect(); // the compiler looks for unknown names in the order of the source
        let nodes = || self.spec.nodes().iter().zip(&self.source.sites).enumerate();
        let mut operations = Operations::default();
        let lines: Vec<_> = nodes()
            .map(|(i, (node, site))| {
                self.line(node, site, self.operation(i, node, site, &mut operations))
            })
            .collect();
        let operations = &operations.written;
        let sizes = self.source.is_open().then(|| {
            let sizes = &self.sizes;
            quote!(let #sizes = Self::OPEN_SIZES;)
        });
        let customs =
            || nodes().filter_map(|(i, (_, site))| Some((i, site, site.custom.as_ref()?)));
        // The names of the user's layers stand outside of where `xdnn_ir::written` is imported.
        let aliases = customs().map(|(i, _, custom)| {
            let (alias, path) = (alias(i), &custom.path);
            quote!(#[allow(unused_qualifications)] type #alias = #path;)
        });
        let (name, shape) = (local("__xdnn_outline"), local("__xdnn_shape"));
        let (network, output) = (&*self.spec.name, operand(self.spec.output));
        let ruled = customs().map(|(i, site, custom)| {
            let (alias, arguments) = (alias(i), self.scalars(site, custom));
            let arguments = arguments.iter().map(|(_, value)| value);
            quote! {
                let #name = match #name.read(#i) {
                    ::core::option::Option::Some(#shape) => {
                        #name.with(#i, <#alias>::__xdnn_ruled(#(#arguments,)* #shape))
                    }
                    ::core::option::Option::None => #name,
                };
            }
        });
        quote! {{
            #(#aliases)*
            #sizes
            let #name = {
                use #krate::ir::written::*;
                __xdnn::Outline::new(
                    #network,
                    [#(#inputs),*],
                    &[#(#operations),*],
                    &[#(#lines),*],
                    #output,
                )
            };
            #(#ruled)*
            #name
        }}
    }

    /// What describes a node: `stem.conv 4 x0 1 [8,14,14] stem.conv.weight[8,1,3,3]`.
    fn line(&self, node: &Node, site: &Site, operation: usize) -> String {
        let shape = |shape: Shape| match site.is_open {
            true => "?".to_owned(),
            false => shape.to_string().replace(' ', ""),
        };
        let mut line = format!("{} {operation}", node.path);
        for operand in node.operands.iter() {
            line += &match operand {
                Operand::Input(i) => format!(" x{i}"),
                Operand::Node(i) => format!(" n{i}"),
            };
        }
        let degree = node.degree.map(|degree| degree.to_string());
        line += &format!(
            " {} {}",
            degree.as_deref().unwrap_or("?"),
            shape(node.shape)
        );
        let weights = self.spec.weights().get(node.weights.clone());
        for weight in weights.unwrap_or_default() {
            line += &format!(" {}{}", weight.name, shape(weight.shape));
        }
        line
    }

    /// Where the operation of node `i` stands among all operations.
    fn operation(
        &self,
        i: usize,
        node: &Node,
        site: &'c Site,
        operations: &mut Operations,
    ) -> usize {
        let arguments = site.arguments.iter().flatten();
        let open = arguments.filter(|argument| argument.given.is_open());
        let mut open: Vec<_> = open
            .map(|argument| format!("{} = {}", argument.name, argument.given))
            .collect();
        if site.custom.is_some() {
            open.push(i.to_string());
        }
        let same = |(operation, sizes): &(Operation, Vec<String>)| {
            *operation == node.operation && *sizes == open
        };
        if let Some(position) = operations.known.iter().position(same) {
            return position;
        }
        let (operation, sound) = (self.written(i, node, site), self.sound(site));
        operations.written.push(quote!((#operation, #sound)));
        operations.known.push((node.operation, open));
        operations.known.len() - 1
    }

    /// An operation in the words of `xdnn_ir::written`.
    fn written(&self, i: usize, node: &Node, site: &'c Site) -> TokenStream {
        match &node.operation {
            Operation::Layer(layer) => {
                let name = word(layer.name());
                let fields = layer.fields().into_iter().zip(&site.arguments);
                let fields = fields.map(|((field, value), argument)| {
                    let field = word(field);
                    let open = argument.as_ref().filter(|of| of.given.is_open());
                    let value = match open {
                        Some(argument) => self.field(&value, &argument.given),
                        None => literal(&value),
                    };
                    quote!(#field: #value)
                });
                quote!(Operation::Layer(Layer::#name(#name { #(#fields),* })))
            }
            Operation::Combine(of) => {
                let of = combine(*of);
                quote!(Operation::Combine(#of))
            }
            Operation::Function(of) => {
                let of = function(of);
                quote!(Operation::Function(#of))
            }
            Operation::Custom(_) => self.custom(i, site).unwrap_or_default(),
        }
    }

    /// A layer of another crate.
    fn custom(&self, i: usize, site: &'c Site) -> Option<TokenStream> {
        let custom = site.custom.as_ref()?;
        let (alias, name, krate) = (alias(i), site.name, self.krate);
        let of = custom.definition.degree;
        let (n, d) = (of.numerator(), of.denominator());
        let arguments = self.scalars(site, custom);
        let arguments = arguments
            .iter()
            .map(|(variant, value)| quote!(__xdnn::Scalar::#variant(#value)));
        Some(quote! {
            Operation::Custom(__xdnn::Custom::written(
                #name,
                [#n, #d],
                __xdnn::Scalars::new([#(#arguments),*]),
                <#alias as #krate::Definition>::IMPLEMENTATION,
            ))
        })
    }

    /// The arguments of a layer of another crate: which [`xdnn_ir::Scalar`] each is, and its value.
    fn scalars(&self, site: &'c Site, custom: &Custom) -> Vec<(TokenStream, TokenStream)> {
        let fields = custom.definition.fields.iter().zip(&site.arguments);
        let scalar = fields.map(|(field, argument)| {
            let given = argument.as_ref().map(|argument| &argument.given);
            let value = match given.and_then(Given::argument) {
                Some(xdnn_ir::Argument::Int(value)) => Some(Scalar::Int(value)),
                Some(xdnn_ir::Argument::Float(value)) => Some(Scalar::Float(value)),
                Some(xdnn_ir::Argument::Bool(value)) => Some(Scalar::Bool(value)),
                _ => field.default,
            };
            match (given.filter(|given| given.is_open()), value) {
                (Some(given), _) => {
                    let size = given.sizes().first().map(|placed| self.size(&placed.size));
                    (quote!(Int), quote!(#size))
                }
                (None, Some(Scalar::Float(value))) => (quote!(Float), quote!(#value)),
                (None, Some(Scalar::Bool(value))) => (quote!(Bool), quote!(#value)),
                (None, Some(Scalar::Int(value))) => (quote!(Int), quote!(#value)),
                (None, None) => (quote!(Int), quote!(0)),
            }
        });
        scalar.collect()
    }

    /// Whether all arguments are sizes.
    fn sound(&self, site: &'c Site) -> TokenStream {
        let given = site.arguments.iter().flatten();
        let sizes = given.flat_map(|Argument { given, .. }| {
            let open = given.sizes().iter().filter(|placed| placed.size.is_open());
            open.map(move |placed| (self.integer(&placed.size), least(given)))
        });
        let sound = sizes.map(|(integer, least)| quote!(&& #integer.is_at_least(#least)));
        quote!(true #(#sound)*)
    }

    /// The value of a field. `literal` is of its type, and has 1 in place of what only the compiler knows.
    fn field(&self, literal: &Literal, given: &'c Given) -> TokenStream {
        let sizes: Vec<_> = given
            .sizes()
            .iter()
            .map(|placed| self.size(&placed.size))
            .collect();
        match (literal, sizes.as_slice()) {
            (Literal::Option(Some(inner)), _) => {
                let inner = self.field(inner, given);
                quote!(Some(#inner))
            }
            (Literal::Ints(list), [single]) => {
                let n = list.len();
                quote!([#single; #n])
            }
            (Literal::Ints(_), sizes) => quote!([#(#sizes),*]),
            (Literal::Shape(_), sizes) => quote!(Shape::new([#(#sizes),*])),
            (_, sizes) => quote!(#(#sizes)*),
        }
    }

    fn checks(&self) -> Checks {
        let (all, mut checks) = (&self.checks, Checks::default());
        if !self.source.is_open() {
            return checks;
        }
        for form in self.source.inputs.iter().chain(&self.source.output) {
            if form.is_open() {
                for dim in form.dims.iter().filter(|dim| dim.size.is_open()) {
                    let size = self.position(&dim.size);
                    let check = dim.place.around(quote!(__xdnn::check_size(#all, #size)));
                    checks.code.push(quote!(#check;));
                }
                let dims = self.positions(form);
                let check = quote!(__xdnn::check_shape(#all, &[#(#dims),*]));
                let check = form.place.around(check);
                checks.code.push(quote!(#check;));
            }
        }
        for calls in self.open_calls() {
            let start = checks.calls.len();
            let parts = parts(&calls);
            for (site, nodes) in &calls.of {
                checks.calls.push(self.call(site, nodes, &parts));
            }
            let end = checks.calls.len();
            let parts = parts.iter().enumerate().map(|(part, place)| {
                let check = quote!(__xdnn::blame(#all, [#start, #end], #part));
                place.around(check)
            });
            let call = quote!(__xdnn::accept(#all, [#start, #end]));
            let call = calls.site.place.around(call);
            checks.code.push(quote!(#(#parts;)* #call;));
        }
        if let Some(form) = &self.source.output {
            let dims = self.positions(form);
            let check = quote!(__xdnn::check_output(#all, &[#(#dims),*]));
            let check = form.place.around(check);
            checks.code.push(quote!(#check;));
        }
        checks
    }

    /// The calls with sizes that only the compiler knows.
    fn open_calls(&self) -> Vec<Calls<'c>> {
        let (mut list, mut positions) = (Vec::<Calls>::new(), HashMap::new());
        for (i, site) in self.source.sites.iter().enumerate() {
            if site.is_open {
                let arguments = site.arguments.iter().flatten();
                let arguments: Vec<_> = arguments.map(|of| (of.name, of.place.key())).collect();
                let key = (site.place.key(), site.name, arguments);
                let position = *positions.entry(key).or_insert_with(|| {
                    let of = Vec::new();
                    list.push(Calls { site, of });
                    list.len() - 1
                });
                let calls = &mut list[position].of;
                let same = |other: &Site| {
                    let texts = |site: &Site| -> Vec<_> {
                        let arguments = site.arguments.iter().flatten();
                        arguments.map(|of| of.given.to_string()).collect()
                    };
                    other.chain == site.chain && texts(other) == texts(site)
                };
                match calls.iter_mut().find(|(other, _)| same(other)) {
                    Some((_, nodes)) => nodes.push(i),
                    None => calls.push((site, vec![i])),
                }
            }
        }
        list
    }

    /// What describes a call: ``Conv2d;0,44;out_channels,kernel;2:0:0;in `stage(WIDTH)` ``.
    fn call(&self, site: &'c Site, nodes: &[usize], parts: &[Place]) -> String {
        let nodes: Vec<_> = nodes.iter().map(usize::to_string).collect();
        let arguments = || site.arguments.iter().flatten();
        let names: Vec<_> = arguments().map(|argument| argument.name).collect();
        let sizes = arguments().flat_map(|Argument { given, .. }| {
            let open = given.sizes().iter().filter(|placed| placed.size.is_open());
            open.map(move |placed| {
                let part = parts
                    .iter()
                    .position(|part| part.key() == placed.place.key());
                let (size, least) = (self.position(&placed.size), least(given));
                format!("{size}:{least}:{}", part.unwrap_or(parts.len()))
            })
        });
        let sizes: Vec<_> = sizes.collect();
        let (name, chain) = (site.name, site.chain.as_deref().unwrap_or_default());
        let (nodes, names, sizes) = (nodes.join(","), names.join(","), sizes.join(","));
        format!("{name};{nodes};{names};{sizes};{chain}")
    }

    /// Where the dimensions of a shape stand among all sizes.
    fn positions(&self, form: &'c Form) -> Vec<usize> {
        form.dims
            .iter()
            .map(|dim| self.position(&dim.size))
            .collect()
    }

    /// A `usize`.
    fn size(&self, size: &'c Size) -> TokenStream {
        match size {
            Size::Known(_) => {
                let value = size.or_one();
                quote!(#value)
            }
            Size::Open(_) => {
                let integer = self.integer(size);
                quote!(#integer.size())
            }
        }
    }

    /// An `Integer`, outside of the list of sizes.
    fn integer(&self, size: &'c Size) -> TokenStream {
        match size {
            Size::Known(value) => quote!(__xdnn::Integer::literal(#value)),
            Size::Open(_) => {
                let (sizes, i) = (&self.sizes, self.position(size));
                quote!(#sizes[#i])
            }
        }
    }

    /// Where a size stands among all sizes.
    fn position(&self, size: &'c Size) -> usize {
        let mut calculations = self.calculations.borrow_mut();
        let Calculations { list, positions } = &mut *calculations;
        // Its text says all of it: names mean the same everywhere around the network.
        *positions.entry(size.to_string()).or_insert_with(|| {
            list.push(size);
            list.len() - 1
        })
    }

    /// The list of all sizes so far.
    fn calculations(&self) -> TokenStream {
        let calculations = self.calculations.borrow();
        let list = calculations.list.iter().map(|size| integer(size));
        quote!([#(#list),*])
    }
}

fn operand(operand: Operand) -> TokenStream {
    match operand {
        Operand::Input(i) => quote!(__xdnn::Operand::Input(#i)),
        Operand::Node(i) => quote!(__xdnn::Operand::Node(#i)),
    }
}

/// What can be to blame for calls: their arguments, their operands but the first one, and sizes inside of arguments.
fn parts(calls: &Calls) -> Vec<Place> {
    let arguments = calls.site.arguments.iter().flatten();
    let mut parts: Vec<_> = arguments.map(|argument| argument.place).collect();
    parts.extend(calls.site.operands.iter().skip(1));
    // What is a number in one call of a block may be a constant in another.
    let arguments = calls
        .of
        .iter()
        .flat_map(|(site, _)| site.arguments.iter().flatten());
    for placed in arguments.flat_map(|argument| argument.given.sizes()) {
        if placed.size.is_open() && !parts.iter().any(|part| part.key() == placed.place.key()) {
            parts.push(placed.place);
        }
    }
    parts
}

/// The type of the layer that node `i` is.
fn alias(i: usize) -> Ident {
    local(&format!("__XdnnLayer{i}"))
}

/// The least value of the sizes of an argument.
fn least(given: &Given) -> usize {
    match given {
        Given::Dims(_) => 1,
        _ => 0,
    }
}

/// An `Integer`, in the user's own names.
fn integer(size: &Size) -> TokenStream {
    match size {
        Size::Known(value) => quote!(__xdnn::Integer::literal(#value)),
        Size::Open(open) => match &open.kind {
            CalculationKind::Constant(path) => quote!(__xdnn::Constant { value: #path }.integer()),
            CalculationKind::Negative(value) => {
                let value = integer(value);
                quote!(#value.negative())
            }
            CalculationKind::Binary(left, operator, right) => {
                let (left, right) = (integer(left), integer(right));
                let operator = match operator {
                    Operator::Add => quote!(plus),
                    Operator::Sub => quote!(minus),
                    Operator::Mul => quote!(times),
                    Operator::Div => quote!(over),
                    Operator::Rem => quote!(modulo),
                };
                quote!(#left.#operator(#right))
            }
        },
    }
}
