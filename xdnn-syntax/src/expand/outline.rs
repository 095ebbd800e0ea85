//! `impl Network` where only the compiler knows some sizes: const evaluation fills in the specification, and one check
//! for each thing that could be wrong stands where a message about it belongs.
//!
//! ```text
//! const _: () = {
//!     struct __XdnnSized<const CLASSES: usize>;
//!     impl<const CLASSES: usize> __XdnnSized<CLASSES> {
//!         const SIZES: &[Integer; 2] = &[…];
//!         const WHOLE: &Outline<1, 2, 1> = &Outline::new([…], […]);
//!         const OUTLINE: &View = &Self::WHOLE.view();
//!     }
//!     const _: () = {                                     // where the macro does not know the defaults
//!         const CLASSES: usize = 10;
//!         const __xdnn_sizes: … = __XdnnSized::<CLASSES>::SIZES;
//!         const __xdnn_outline: … = __XdnnSized::<CLASSES>::OUTLINE;
//!         const _: () = …;                                // a check, with the spans of what it looks at
//!     };
//!     impl<const CLASSES: usize> Network for Net<CLASSES> {
//!         const SPEC: &'static NetworkSpec = {
//!             let (__xdnn_sizes, __xdnn_outline) = …;
//!             …;                                          // the same checks
//!             &NetworkSpec { … }
//!         };
//!     }
//! };
//! ```
//!
//! Constants are references, so that no check copies them. Without generics, the lists are plain constants, and the checks
//! stand there once. Nothing of the user's stands where the words of `xdnn_ir::written` are imported: they could hide it.

use std::cell::RefCell;
use std::collections::HashMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use xdnn_ir::message::Message;
use xdnn_ir::{Layer, Literal, NetworkSpec, Node, Operation, Scalar, Weight};

use super::generics::Generics;
use super::spec::{combine, degree, function, impls, literal, operand, word};
use super::{Context, local};
use crate::ast::Operator;
use crate::diagnostic::Place;
use crate::lower::{Argument, Calculation, CalculationKind, Custom, Form, Given, Open, Site, Size};

/// The trait impls of a network that was understood, but for some sizes.
pub(super) fn spec(context: &Context, spec: &NetworkSpec, open: &Open) -> TokenStream {
    let outline = Outline {
        krate: &context.krate,
        spec,
        open,
        sizes: local("__xdnn_sizes"),
        outline: local("__xdnn_outline"),
        calculations: RefCell::default(),
    };
    let reason = super::regular::reason(context, spec);
    let Context {
        krate,
        generics,
        cfg,
        ..
    } = context;
    let items = match generics.given.is_empty() {
        true => outline.plain(context, reason.as_ref()),
        false => outline.generic(context, reason.as_ref()),
    };
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
    open: &'c Open,
    /// The name of the list of all calculations.
    sizes: Ident,
    /// The name of the outline.
    outline: Ident,
    calculations: RefCell<Calculations<'c>>,
}

/// Every layer once, however many steps are the same.
#[derive(Default)]
struct Layers {
    list: Vec<TokenStream>,
    positions: HashMap<String, usize>,
}

impl Layers {
    /// The name of the list of layers.
    fn name() -> Ident {
        local("__xdnn_layers")
    }

    fn position<'c>(&mut self, outline: &Outline<'c>, layer: &Layer, site: &'c Site) -> usize {
        // Sizes of the same text are the same: all names mean what they mean around the network.
        let mut key = format!("{layer:?}");
        for argument in site.arguments.iter().flatten() {
            key += &format!(", {} = {}", argument.name, argument.given);
        }
        *self.positions.entry(key).or_insert_with(|| {
            self.list.push(outline.layer(layer, site));
            self.list.len() - 1
        })
    }
}

/// Every calculation once, however many steps use its value.
#[derive(Default)]
struct Calculations<'c> {
    list: Vec<&'c Calculation>,
    positions: HashMap<String, usize>,
}

impl<'c> Outline<'c> {
    /// The items of a network whose sizes are constants of the user's crate.
    fn plain(&self, context: &Context, reason: Option<&Message>) -> TokenStream {
        let (sizes, outline, whole) = (&self.sizes, &self.outline, local("__xdnn_whole"));
        let (of, value, checks) = (self.of(), self.value(), self.checks());
        let (list, n) = self.calculations();
        let impls = impls(context, &self.reference(), reason);
        quote! {
            #[allow(non_upper_case_globals)]
            const #sizes: &[__xdnn::Integer; #n] = &#list;
            #[allow(non_upper_case_globals, clippy::large_stack_arrays, long_running_const_eval)]
            const #whole: &#of = &#value;
            #[allow(non_upper_case_globals)]
            const #outline: &__xdnn::View<'_> = &#whole.view();
            #(const _: () = #checks;)*
            #impls
        }
    }

    /// The items of a network with parameters.
    fn generic(&self, context: &Context, reason: Option<&Message>) -> TokenStream {
        let (sizes, outline, sized) = (&self.sizes, &self.outline, local("__XdnnSized"));
        let Generics {
            bound,
            given,
            defaults,
            ..
        } = &context.generics;
        let (of, value, checks) = (self.of(), self.value(), self.checks());
        let (list, n) = self.calculations();
        // Without them the checks are left to the networks that are made of this one.
        let with_defaults = defaults.as_ref().map(|defaults| {
            quote! {
                const _: () = {
                    #defaults
                    #[allow(non_upper_case_globals)]
                    const #sizes: &[__xdnn::Integer; #n] = #sized::#given::SIZES;
                    #[allow(non_upper_case_globals)]
                    const #outline: &__xdnn::View<'_> = #sized::#given::OUTLINE;
                    #(const _: () = #checks;)*
                };
            }
        });
        let reference = self.reference();
        let expression = quote! {{
            let #sizes = #sized::#given::SIZES;
            let #outline = #sized::#given::OUTLINE;
            #(#checks;)*
            #reference
        }};
        let impls = impls(context, &expression, reason);
        quote! {
            struct #sized #bound;
            impl #bound #sized #given {
                const SIZES: &'static [__xdnn::Integer; #n] = &#list;
                #[allow(clippy::large_stack_arrays, long_running_const_eval)]
                const WHOLE: &'static #of = {
                    let #sizes = Self::SIZES;
                    &#value
                };
                const OUTLINE: &'static __xdnn::View<'static> = &Self::WHOLE.view();
            }
            #with_defaults
            #impls
        }
    }

    /// A reference to the specification.
    fn reference(&self) -> TokenStream {
        let (krate, spec, outline) = (self.krate, self.spec, &self.outline);
        let name = &*spec.name;
        let inputs = spec.inputs().iter().enumerate().map(|(i, input)| {
            let name = &*input.name;
            quote!(#outline.input(#i, #name))
        });
        let nodes = spec.nodes().iter().enumerate().map(|(i, node)| {
            let (path, start, end) = (&*node.path, node.weights.start, node.weights.end);
            quote!(#outline.node(#i, #path, #start..#end))
        });
        let weights = spec.nodes().iter().enumerate().flat_map(|(i, node)| {
            self.weights(node).enumerate().map(move |(n, weight)| {
                let name = &*weight.name;
                quote!(#outline.weight(#i, #n, #name))
            })
        });
        let output = operand(spec.output);
        quote! {
            &#krate::ir::NetworkSpec {
                name: ::std::borrow::Cow::Borrowed(#name),
                inputs: ::std::borrow::Cow::Borrowed(&[#(#inputs),*]),
                nodes: ::std::borrow::Cow::Borrowed(&[#(#nodes),*]),
                weights: ::std::borrow::Cow::Borrowed(&[#(#weights),*]),
                output: { use #krate::ir::written::*; #output },
            }
        }
    }

    fn weights(&self, node: &Node) -> impl Iterator<Item = &'c Weight> + use<'c> {
        let weights = self.spec.weights().get(node.weights.clone());
        weights.unwrap_or_default().iter()
    }

    /// `Outline<1, 5, 2>`
    fn of(&self) -> TokenStream {
        let (inputs, nodes) = (self.spec.inputs().len(), self.spec.nodes().len());
        let reads = self.spec.nodes().iter().map(|node| node.operands.len());
        let most = reads.max().unwrap_or_default();
        quote!(__xdnn::Outline<#inputs, #nodes, #most>)
    }

    /// `Outline::new(…)`
    fn value(&self) -> TokenStream {
        let krate = self.krate;
        let inputs = self.open.inputs.iter().map(|form| {
            let dims = self.form(form);
            quote!(__xdnn::shape(#dims))
        });
        let inputs: Vec<_> = inputs.collect(); // the compiler looks for unknown names in the order of the source
        let nodes = || self.spec.nodes().iter().zip(&self.open.sites).enumerate();
        let mut layers = Layers::default();
        let steps: Vec<_> = nodes()
            .map(|(i, (node, site))| self.step(i, node, site, &mut layers))
            .collect();
        let (list, n, name) = (&layers.list, layers.list.len(), Layers::name());
        let outline = quote! {{
            use #krate::ir::written::*;
            let #name: [(Layer, bool); #n] = [#(#list),*];
            __xdnn::Outline::new([#(#inputs),*], [#(#steps),*])
        }};
        let customs: Vec<_> = nodes()
            .filter_map(|(i, (_, site))| site.custom.as_ref().map(|custom| (i, site, custom)))
            .collect();
        if customs.is_empty() {
            return outline;
        }
        // The names of the user's layers stand outside of where `xdnn_ir::written` is imported.
        let aliases = customs.iter().map(|(i, _, custom)| {
            let (alias, path) = (alias(*i), &custom.path);
            quote!(#[allow(unused_qualifications)] type #alias = #path;)
        });
        let name = local("__xdnn_ruled");
        let ruled = customs.iter().map(|(i, site, custom)| {
            let alias = alias(*i);
            let arguments = self
                .scalars(site, custom)
                .into_iter()
                .map(|(_, value)| value);
            quote! {
                let #name = match #name.read(#i) {
                    ::core::option::Option::Some(shape) => {
                        #name.with(#i, <#alias>::__xdnn_ruled(#(#arguments,)* shape))
                    }
                    ::core::option::Option::None => #name,
                };
            }
        });
        quote! {{
            #(#aliases)*
            let #name = #outline;
            #(#ruled)*
            #name
        }}
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

    fn step(&self, i: usize, node: &Node, site: &'c Site, layers: &mut Layers) -> TokenStream {
        let operands = node.operands.iter().map(|of| operand(*of));
        let (reads, degree) = (quote!(&[#(#operands),*]), degree(node.degree));
        let Operation::Layer(layer) = &node.operation else {
            return match node.operation {
                Operation::Combine(of) => {
                    let combine = combine(of);
                    quote!(__xdnn::combine(#combine, #reads, #degree))
                }
                Operation::Function(of) => {
                    let function = function(&of);
                    quote!(__xdnn::function(#function, #reads, #degree))
                }
                Operation::Custom(_) | Operation::Layer(_) => self
                    .custom(i, node, site, &reads, &degree)
                    .unwrap_or_default(),
            };
        };
        let weights = self.weight_names(node);
        let (name, i) = (Layers::name(), layers.position(self, layer, site));
        quote!(__xdnn::layer(#name[#i], #reads, #degree, &[#(#weights),*]))
    }

    /// A layer, and whether all its arguments are sizes.
    fn layer(&self, layer: &Layer, site: &'c Site) -> TokenStream {
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
        let sound = self.sound(site);
        quote!((Layer::#name(#name { #(#fields),* }), #sound))
    }

    /// A step that is a layer of another crate.
    fn custom(
        &self,
        i: usize,
        node: &Node,
        site: &'c Site,
        reads: &TokenStream,
        degree: &TokenStream,
    ) -> Option<TokenStream> {
        let custom = site.custom.as_ref()?;
        let (alias, name, krate) = (alias(i), site.name, self.krate);
        let of = custom.definition.degree;
        let (n, d) = (of.numerator(), of.denominator());
        let (sound, weights) = (self.sound(site), self.weight_names(node));
        let arguments = self.scalars(site, custom);
        let arguments = arguments
            .iter()
            .map(|(variant, value)| quote!(__xdnn::Scalar::#variant(#value)));
        Some(quote! {
            __xdnn::custom(
                __xdnn::Custom::written(
                    #name,
                    [#n, #d],
                    __xdnn::Scalars::new([#(#arguments),*]),
                    <#alias as #krate::Definition>::IMPLEMENTATION,
                ),
                #sound,
                #reads,
                #degree,
                &[#(#weights),*],
            )
        })
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

    /// The names of the weights, without their paths.
    fn weight_names(&self, node: &Node) -> Vec<&'c str> {
        let name = |weight: &'c Weight| {
            let name = weight.name.strip_prefix(&*node.path);
            name.map_or(&*weight.name, |name| name.trim_start_matches('.'))
        };
        self.weights(node).map(name).collect()
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

    /// Every check, as an expression: one for each call.
    fn checks(&self) -> Vec<TokenStream> {
        let (outline, mut checks) = (&self.outline, Vec::new());
        for form in self.open.inputs.iter().chain(&self.open.output) {
            if form.is_open() {
                let dims = form.dims.iter();
                let dims = dims.filter_map(|dim| self.check_size(&dim.size, dim.place, 1, ""));
                checks.extend(dims);
                let dims = self.form(form);
                checks.push(form.place.around(quote!(__xdnn::check_shape(#dims))));
            }
        }
        for (nodes, site) in self.open_sites() {
            let (name, chain) = (site.name, site.chain.as_deref().unwrap_or_default());
            let arguments = || site.arguments.iter().flatten();
            let sizes = arguments().flat_map(|Argument { given, .. }| {
                given.sizes().iter().filter_map(move |placed| {
                    self.check_size(&placed.size, placed.place, least(given), chain)
                })
            });
            let names = arguments().map(|argument| argument.name);
            let verdict = local("__xdnn_verdict");
            let operands = site.operands.iter().skip(1).copied();
            let parts = arguments().map(|argument| argument.place).chain(operands);
            let parts = parts
                .enumerate()
                .map(|(part, place)| place.around(quote!(__xdnn::blame(&#verdict, #part))));
            let call = site.place.around(quote!(__xdnn::accept(&#verdict)));
            checks.push(quote! {{
                #(#sizes;)*
                let #verdict = __xdnn::check(#outline, &[#(#nodes),*], &[#(#names),*], #name, #chain);
                #(#parts;)*
                #call
            }});
        }
        if let Some(form) = &self.open.output {
            let (krate, name, output) = (self.krate, &*self.spec.name, operand(self.spec.output));
            let output = quote!({ use #krate::ir::written::*; #output });
            let declared = self.form(form);
            let declared = quote!(__xdnn::shape(#declared));
            let check = quote!(__xdnn::check_output(#outline, #name, #output, #declared));
            checks.push(form.place.around(check));
        }
        checks
    }

    /// What only the compiler can check: each call once, with all nodes that repetitions make of it.
    fn open_sites(&self) -> Vec<(Vec<usize>, &'c Site)> {
        let (mut list, mut positions) = (Vec::<(Vec<usize>, &Site)>::new(), HashMap::new());
        for (i, site) in self.open.sites.iter().enumerate() {
            if site.is_open {
                let arguments = site.arguments.iter().flatten();
                let arguments: Vec<_> = arguments.map(|of| of.given.to_string()).collect();
                let key = (site.place.key(), site.name, &site.chain, arguments);
                let position = *positions.entry(key).or_insert_with(|| {
                    list.push((Vec::new(), site));
                    list.len() - 1
                });
                list[position].0.push(i);
            }
        }
        list
    }

    fn check_size(
        &self,
        size: &'c Size,
        place: Place,
        least: usize,
        chain: &str,
    ) -> Option<TokenStream> {
        size.is_open().then(|| {
            let integer = self.integer(size);
            place.around(quote!(__xdnn::check_size(#integer, #least, #chain)))
        })
    }

    /// The dimensions of a shape.
    fn form(&self, form: &'c Form) -> TokenStream {
        let dims = form.dims.iter().map(|dim| self.integer(&dim.size));
        quote!([#(#dims),*])
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

    /// An `Integer`, outside of the list of calculations.
    fn integer(&self, size: &'c Size) -> TokenStream {
        let calculation = match size {
            Size::Known(value) => return quote!(__xdnn::Integer::literal(#value)),
            Size::Open(calculation) => calculation,
        };
        let mut calculations = self.calculations.borrow_mut();
        let Calculations { list, positions } = &mut *calculations;
        // Its text says all of it: names mean the same everywhere around the network.
        let i = *positions.entry(size.to_string()).or_insert_with(|| {
            list.push(calculation);
            list.len() - 1
        });
        let sizes = &self.sizes;
        quote!(#sizes[#i])
    }

    /// The list of all calculations so far, and its length.
    fn calculations(&self) -> (TokenStream, usize) {
        let calculations = self.calculations.borrow();
        let list = calculations.list.iter().map(|of| calculation(&of.kind));
        (quote!([#(#list),*]), calculations.list.len())
    }
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
fn calculation(kind: &CalculationKind) -> TokenStream {
    let integer = |size: &Size| match size {
        Size::Known(value) => quote!(__xdnn::Integer::literal(#value)),
        Size::Open(open) => calculation(&open.kind),
    };
    match kind {
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
    }
}
