//! `impl Network`: the specification as a constant.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use xdnn_ir::message::Message;
use xdnn_ir::{
    Combine, Degree, Function, Input, Layer, Literal, NetworkSpec, Node, Operand, Operation, Shape,
    Weight,
};

use super::{Context, regular};

/// The trait impls of a network that was understood.
pub(super) fn spec(context: &Context, spec: &NetworkSpec) -> TokenStream {
    let reason = regular::reason(context, spec);
    impls(context, &constant(context, spec), reason.as_ref())
}

/// A reference to the specification.
fn constant(context: &Context, spec: &NetworkSpec) -> TokenStream {
    let mut layers = Vec::new();
    let inputs = spec.inputs().iter().map(input);
    let nodes: Vec<_> = spec
        .nodes()
        .iter()
        .map(|of| node(of, &mut layers))
        .collect();
    let weights = spec.weights().iter().map(weight);
    let (krate, name, output) = (&context.krate, &*spec.name, operand(spec.output));
    let (layers, n) = (layers.iter().map(layer), layers.len());
    quote! {{
        use #krate::ir::written::*;
        const LAYERS: [Layer; #n] = [#(#layers),*];
        &#krate::ir::NetworkSpec {
            name: ::std::borrow::Cow::Borrowed(#name),
            inputs: ::std::borrow::Cow::Borrowed(&[#(#inputs),*]),
            nodes: ::std::borrow::Cow::Borrowed(&[#(#nodes),*]),
            weights: ::std::borrow::Cow::Borrowed(&[#(#weights),*]),
            output: #output,
        }
    }}
}

/// The trait impls of a network with mistakes.
pub(super) fn placeholder(context: &Context) -> TokenStream {
    impls(context, &nothing(context), None)
}

/// A reference to a valid specification that returns its input.
pub(super) fn nothing(context: &Context) -> TokenStream {
    let input = Input {
        name: "input".into(),
        shape: Shape::new([1]),
    };
    let empty = NetworkSpec {
        name: context.network.name.to_string().into(),
        inputs: vec![input].into(),
        nodes: Vec::new().into(),
        weights: Vec::new().into(),
        output: Operand::Input(0),
    };
    constant(context, &empty)
}

/// The trait impls. `spec` refers to the specification; `unproved` says why there is no `attribute`.
pub(super) fn impls(
    context: &Context,
    spec: &TokenStream,
    unproved: Option<&Message>,
) -> TokenStream {
    let Context {
        krate,
        network,
        generics,
        cfg,
    } = context;
    let (name, bound, given) = (&network.name, &generics.bound, &generics.given);
    let x_network = match unproved {
        Some(reason) => regular::unproved(context, reason),
        None => quote! {
            #(#cfg)*
            #[automatically_derived]
            impl #bound #krate::XNetwork for #name #given {}
        },
    };
    quote! {
        #(#cfg)*
        #[automatically_derived]
        #[allow(clippy::large_stack_arrays, long_running_const_eval)] // It is a constant, and never on the stack.
        impl #bound #krate::Network for #name #given {
            const SPEC: &'static #krate::ir::NetworkSpec = #spec;
        }

        #x_network
    }
}

// What follows is written in the words of `xdnn_ir::written`.

fn input(input: &Input) -> TokenStream {
    let (name, dims) = (&*input.name, input.shape.dims());
    quote!(input(#name, [#(#dims),*]))
}

fn weight(weight: &Weight) -> TokenStream {
    let (name, dims) = (&*weight.name, weight.shape.dims());
    quote!(weight(#name, [#(#dims),*]))
}

/// A node. `layers` lists every layer once, however many nodes are the same.
fn node(node: &Node, layers: &mut Vec<Layer>) -> TokenStream {
    let (path, dims, degree) = (&*node.path, node.shape.dims(), degree(node.degree));
    let operands = node.operands.iter().map(|of| operand(*of));
    let (start, end) = (node.weights.start, node.weights.end);
    let tail = quote!(&[#(#operands),*], [#(#dims),*], #degree, #start..#end);
    match &node.operation {
        Operation::Layer(of) => {
            let position = layers.iter().position(|other| other == of);
            let position = position.unwrap_or_else(|| {
                layers.push(*of);
                layers.len() - 1
            });
            quote!(layer(#path, LAYERS[#position], #tail))
        }
        Operation::Combine(of) => {
            let of = combine(*of);
            quote!(combine(#path, #of, #tail))
        }
        Operation::Function(of) => {
            let of = function(of);
            quote!(function(#path, #of, #tail))
        }
        // Only const evaluation knows its shape, and such networks are outlines.
        Operation::Custom(_) => TokenStream::new(),
    }
}

pub(super) fn combine(combine: Combine) -> TokenStream {
    let variant = match combine {
        Combine::Sum => quote!(Sum),
        Combine::Difference => quote!(Difference),
        Combine::Product => quote!(Product),
        Combine::Quotient => quote!(Quotient),
        Combine::MatMul => quote!(MatMul),
        Combine::Concat => quote!(Concat),
        Combine::Max => quote!(Max),
        Combine::Min => quote!(Min),
        Combine::Unpool => quote!(Unpool),
    };
    quote!(Combine::#variant)
}

fn layer(layer: &Layer) -> TokenStream {
    let name = word(layer.name());
    let fields = layer.fields().into_iter().map(|(field, value)| {
        let (field, value) = (word(field), literal(&value));
        quote!(#field: #value)
    });
    quote!(Layer::#name(#name { #(#fields),* }))
}

pub(super) fn word(text: &str) -> Ident {
    Ident::new(text, Span::call_site())
}

/// A function of the user.
pub(super) fn function(of: &Function) -> TokenStream {
    let (name, n, d) = (of.name, of.degree.numerator(), of.degree.denominator());
    let (positive, negative, at_zero) = (of.positive, of.negative, of.at_zero);
    quote!(act(#name, [#n, #d], [#positive, #negative, #at_zero]))
}

pub(super) fn literal(value: &Literal) -> TokenStream {
    match value {
        Literal::Int(value) => quote!(#value),
        Literal::Float(value) => quote!(#value),
        Literal::Bool(value) => quote!(#value),
        Literal::Ints(values) => quote!([#(#values),*]),
        Literal::Shape(shape) => {
            let dims = shape.dims();
            quote!(Shape::new([#(#dims),*]))
        }
        Literal::Variant { of, variant } => {
            let (of, variant) = (word(of), word(variant));
            quote!(#of::#variant)
        }
        Literal::Option(None) => quote!(None),
        Literal::Option(Some(value)) => {
            let value = literal(value);
            quote!(Some(#value))
        }
    }
}

pub(super) fn degree(degree: Option<Degree>) -> TokenStream {
    let Some(degree) = degree else {
        return quote!(None);
    };
    let (numerator, denominator) = (degree.numerator(), degree.denominator());
    match denominator {
        1 => quote!(degree(#numerator)),
        _ => quote!(ratio(#numerator, #denominator)),
    }
}

pub(super) fn operand(operand: Operand) -> TokenStream {
    match operand {
        Operand::Input(i) => quote!(given(#i)),
        Operand::Node(i) => quote!(value(#i)),
    }
}
