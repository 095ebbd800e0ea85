//! The struct of the weights, one more for each label with labels inside, and `impl Parameters` for each.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;

use super::Context;
use super::generics::Generics;
use crate::ast::Network;
use crate::lower::{Field, FieldType, Form, Lowered, Members};

/// All structs of the network, with their impls.
pub(super) fn structs(context: &Context, lowered: &Lowered) -> TokenStream {
    let name = &context.network.name;
    // The struct of named inputs has this name.
    let taken = HashSet::from([name.to_string(), format!("{name}Inputs")]);
    let mut structs = Structs {
        context,
        taken,
        items: TokenStream::new(),
    };
    let attributes = &context.network.attributes;
    let summary = summary(context.network, lowered);
    let documented = attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("doc"));
    let separator = documented.then(|| quote!(#[doc = ""]));
    // A chain may be there for networks alone.
    let unused = context
        .network
        .chain
        .is_some()
        .then(|| quote!(#[allow(dead_code)]));
    let head = quote!(#(#attributes)* #separator #[doc = #summary] #unused);
    let fields: &[Field] = match &lowered.members {
        Members::Fields(fields) if !context.network.is_block() => fields,
        _ => &[],
    };
    structs.emit(name, &head, fields, Some(&context.generics));
    structs.items
}

/// "`image: [1, 28, 28]` → `[10]`, degree 1, 7,850 weights."
fn summary(network: &Network, lowered: &Lowered) -> String {
    if network.is_block() {
        let nodes = lowered.spec.nodes().iter();
        let layers: Vec<_> = nodes.map(|node| format!("`{}`", node.operation)).collect();
        return format!(" A block for networks: {}.", layers.join(" → "));
    }
    let spec = &lowered.spec;
    let source = lowered.source.as_ref();
    let shapes: Vec<_> = match source {
        Some(source) => source.inputs.iter().map(Form::to_string).collect(),
        None => spec.inputs().iter().map(|i| i.shape.to_string()).collect(),
    };
    let inputs = spec.inputs().iter().zip(shapes);
    let inputs: Vec<_> = inputs
        .map(|(input, shape)| format!("`{}: {shape}`", input.name))
        .collect();
    let homogeneity = match spec.degree() {
        Some(degree) => format!("homogeneous of degree {degree}"),
        None => "not homogeneous".to_owned(),
    };
    let (output, weights) = match source.filter(|source| source.is_open()) {
        Some(source) => {
            let output = source.output.as_ref();
            let output = output.map_or_else(|| "…".to_owned(), Form::to_string);
            (output, String::new())
        }
        None => {
            let weights = grouped(spec.parameters());
            (
                spec.output_shape().to_string(),
                format!(", {weights} weights"),
            )
        }
    };
    format!(
        " {} → `{output}`, {homogeneity}{weights}.",
        inputs.join(", ")
    )
}

/// A number with commas between its thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

struct Structs<'c, 'n> {
    context: &'c Context<'n>,
    taken: HashSet<String>,
    items: TokenStream,
}

impl Structs<'_, '_> {
    /// Adds the struct of this name, and those of its fields behind it.
    fn emit(
        &mut self,
        name: &Ident,
        head: &TokenStream,
        fields: &[Field],
        generics: Option<&Generics>,
    ) {
        let Context {
            krate,
            network,
            cfg,
            ..
        } = self.context;
        let declared = generics.map(|generics| &generics.declared);
        let bound = generics.map(|generics| &generics.bound);
        let given = generics.map(|generics| &generics.given);
        let visibility = &network.visibility;
        let (mut inner, mut allowed) = (Vec::new(), None);
        let (mut declarations, mut parameters) = (Vec::new(), Vec::new());
        for field in fields {
            let (label, docs) = (&field.label, &field.docs);
            let doc = (docs.is_empty()).then(|| {
                let text = describe(field);
                quote!(#[doc = #text])
            });
            let (of, lengths) = match &field.of {
                FieldType::Layer { name, .. } => {
                    let layer = format_ident!("{name}");
                    (quote!(#krate::layers::#layer), Vec::new())
                }
                FieldType::Custom { path, .. } => {
                    // A path to what is in scope, too, is as the user wrote it.
                    allowed = Some(quote!(#[allow(unused_qualifications)]));
                    (quote!(<#path as #krate::Definition>::Weights), Vec::new())
                }
                FieldType::Scope(members) => {
                    let element = self.fresh(name, label);
                    let types = (of(members, &element), lengths(members));
                    inner.push((element, field, leaf(members)));
                    types
                }
            };
            declarations.push(quote!(#(#docs)* #doc #visibility #label: #of));
            parameters.push(quote!(#label #([#lengths])*));
        }
        self.items.extend(quote! {
            #head
            #allowed
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #visibility struct #name #declared { #(#declarations),* }

            #(#cfg)*
            #krate::__private::parameters! { #bound #name #given { #(#parameters),* } }
        });
        for (element, field, fields) in inner {
            let doc = format!(
                " What is behind the label `{}` of [`{name}`].",
                field.label.unraw()
            );
            self.emit(&element, &quote!(#(#cfg)* #[doc = #doc]), fields, None);
        }
    }

    /// A name for the struct behind a label: `Net` and `layer1` make `NetLayer1`.
    fn fresh(&mut self, parent: &Ident, label: &Ident) -> Ident {
        let camel: String = label
            .unraw()
            .to_string()
            .split('_')
            .flat_map(|word| {
                let mut letters = word.chars();
                letters
                    .next()
                    .into_iter()
                    .flat_map(char::to_uppercase)
                    .chain(letters)
                    .collect::<Vec<_>>()
            })
            .collect();
        let base = format!("{}{camel}", parent.unraw());
        let mut name = base.clone();
        let mut n = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{base}{n}");
            n += 1;
        }
        Ident::new(&name, label.span())
    }
}

/// The type of a field whose innermost struct is `element`.
fn of(members: &Members, element: &Ident) -> TokenStream {
    match members {
        Members::Fields(_) => quote!(#element),
        Members::List { element: inner, .. } => {
            let inner = of(inner, element);
            quote!(::std::vec::Vec<#inner>)
        }
    }
}

/// The lengths of lists of lists, outermost first.
fn lengths(members: &Members) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut members = members;
    while let Members::List { element, count } = members {
        lengths.push(*count);
        members = element;
    }
    lengths
}

/// The fields of the innermost struct.
fn leaf(members: &Members) -> &[Field] {
    match members {
        Members::Fields(fields) => fields,
        Members::List { element, .. } => leaf(element),
    }
}

fn describe(field: &Field) -> String {
    match &field.of {
        FieldType::Layer { text, .. } | FieldType::Custom { text, .. } => format!(" `{text}`"),
        FieldType::Scope(Members::Fields(_)) => {
            format!(" The weights of `{}`.", field.label.unraw())
        }
        FieldType::Scope(Members::List { count, .. }) => {
            format!(" The weights of `{}`, {count} times.", field.label.unraw())
        }
    }
}
