//! `impl Network`: the specification as a constant.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use xdnn_ir::{
    Combine, Degree, Input, Layer, Literal, NetworkSpec, Node, Operand, Operation, Shape, Weight,
};

use super::Context;

/// The trait impls of a network that was understood.
pub(super) fn spec(context: &Context, spec: &NetworkSpec) -> TokenStream {
    let writer = Writer {
        krate: &context.krate,
    };
    let name = &*spec.name;
    let inputs = spec.inputs().iter().map(|input| writer.input(input));
    let nodes = spec.nodes().iter().map(|node| writer.node(node));
    let weights = spec.weights().iter().map(|weight| writer.weight(weight));
    let output = writer.operand(spec.output);
    impls(
        context,
        name,
        &quote!(#(#inputs),*),
        &quote!(#(#nodes),*),
        &quote!(#(#weights),*),
        &output,
    )
}

/// The trait impls of a network with mistakes: a valid specification that returns its input.
pub(super) fn placeholder(context: &Context) -> TokenStream {
    let writer = Writer {
        krate: &context.krate,
    };
    let input = writer.input(&Input {
        name: "input".into(),
        shape: Shape::new([1]),
    });
    let output = writer.operand(Operand::Input(0));
    impls(
        context,
        &context.network.name.to_string(),
        &input,
        &TokenStream::new(),
        &TokenStream::new(),
        &output,
    )
}

fn impls(
    context: &Context,
    name: &str,
    inputs: &TokenStream,
    nodes: &TokenStream,
    weights: &TokenStream,
    output: &TokenStream,
) -> TokenStream {
    let Context {
        krate,
        network,
        cfg,
    } = context;
    let ident = &network.name;
    quote! {
        #(#cfg)*
        #[automatically_derived]
        #[allow(clippy::large_stack_arrays)] // It is a constant, and never on the stack.
        impl #krate::Network for #ident {
            const SPEC: &'static #krate::ir::NetworkSpec = &#krate::ir::NetworkSpec {
                name: ::std::borrow::Cow::Borrowed(#name),
                inputs: ::std::borrow::Cow::Borrowed(&[#inputs]),
                nodes: ::std::borrow::Cow::Borrowed(&[#nodes]),
                weights: ::std::borrow::Cow::Borrowed(&[#weights]),
                output: #output,
            };
        }

        #(#cfg)*
        #[automatically_derived]
        impl #krate::XNetwork for #ident {}
    }
}

/// Writes values of `xdnn-ir` as constant expressions.
struct Writer<'c> {
    krate: &'c TokenStream,
}

impl Writer<'_> {
    fn input(&self, input: &Input) -> TokenStream {
        let (krate, name, shape) = (self.krate, &*input.name, self.shape(input.shape));
        quote!(#krate::ir::Input { name: ::std::borrow::Cow::Borrowed(#name), shape: #shape })
    }

    fn weight(&self, weight: &Weight) -> TokenStream {
        let (krate, name, shape) = (self.krate, &*weight.name, self.shape(weight.shape));
        quote!(#krate::ir::Weight { name: ::std::borrow::Cow::Borrowed(#name), shape: #shape })
    }

    fn node(&self, node: &Node) -> TokenStream {
        let (krate, path) = (self.krate, &*node.path);
        let operation = self.operation(&node.operation);
        let operands = node.operands.iter().map(|operand| self.operand(*operand));
        let (shape, degree) = (self.shape(node.shape), self.degree(node.degree));
        let (start, end) = (node.weights.start, node.weights.end);
        quote! {
            #krate::ir::Node {
                path: ::std::borrow::Cow::Borrowed(#path),
                operation: #operation,
                operands: ::std::borrow::Cow::Borrowed(&[#(#operands),*]),
                shape: #shape,
                degree: #degree,
                weights: #start..#end,
            }
        }
    }

    fn operation(&self, operation: &Operation) -> TokenStream {
        let krate = self.krate;
        match operation {
            Operation::Layer(layer) => {
                let layer = self.layer(layer);
                quote!(#krate::ir::Operation::Layer(#layer))
            }
            Operation::Combine(combine) => {
                let variant = match combine {
                    Combine::Sum => quote!(Sum),
                    Combine::Product => quote!(Product),
                    Combine::Concat => quote!(Concat),
                    Combine::Max => quote!(Max),
                    Combine::Min => quote!(Min),
                };
                quote!(#krate::ir::Operation::Combine(#krate::ir::Combine::#variant))
            }
        }
    }

    fn layer(&self, layer: &Layer) -> TokenStream {
        let krate = self.krate;
        let name = format_ident!("{}", layer.name());
        let fields = layer.fields().into_iter().map(|(field, value)| {
            let (field, value) = (format_ident!("{field}"), self.literal(&value));
            quote!(#field: #value)
        });
        quote!(#krate::ir::Layer::#name(#krate::ir::layer::#name { #(#fields),* }))
    }

    fn literal(&self, literal: &Literal) -> TokenStream {
        let krate = self.krate;
        match literal {
            Literal::Int(value) => quote!(#value),
            Literal::Float(value) => quote!(#value),
            Literal::Bool(value) => quote!(#value),
            Literal::Ints(values) => quote!([#(#values),*]),
            Literal::Shape(shape) => self.shape(*shape),
            Literal::Variant { of, variant } => {
                let (of, variant) = (format_ident!("{of}"), format_ident!("{variant}"));
                quote!(#krate::ir::layer::#of::#variant)
            }
            Literal::Option(None) => quote!(::core::option::Option::None),
            Literal::Option(Some(value)) => {
                let value = self.literal(value);
                quote!(::core::option::Option::Some(#value))
            }
        }
    }

    fn shape(&self, shape: Shape) -> TokenStream {
        let (krate, dims) = (self.krate, shape.dims());
        quote!(#krate::ir::Shape::new([#(#dims),*]))
    }

    fn degree(&self, degree: Option<Degree>) -> TokenStream {
        let krate = self.krate;
        let Some(degree) = degree else {
            return quote!(::core::option::Option::None);
        };
        let (numerator, denominator) = (degree.numerator(), degree.denominator());
        match denominator {
            1 => quote!(::core::option::Option::Some(#krate::ir::Degree::integer(#numerator))),
            _ => quote!(#krate::ir::Degree::rational(#numerator as i64, #denominator as i64)),
        }
    }

    fn operand(&self, operand: Operand) -> TokenStream {
        let krate = self.krate;
        match operand {
            Operand::Input(i) => quote!(#krate::ir::Operand::Input(#i)),
            Operand::Node(i) => quote!(#krate::ir::Operand::Node(#i)),
        }
    }
}
