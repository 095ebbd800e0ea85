//! The struct of the weights, one more for each label with labels inside, and `impl Parameters` for each.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;

use super::{Context, local};
use crate::lower::{Field, FieldType, Lowered, Members};

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
    let summary = summary(lowered);
    let documented = attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("doc"));
    let separator = documented.then(|| quote!(#[doc = ""]));
    let head = quote!(#(#attributes)* #separator #[doc = #summary]);
    let fields: &[Field] = match &lowered.members {
        Members::Fields(fields) => fields,
        Members::List { .. } => &[],
    };
    structs.emit(name, &head, fields);
    structs.items
}

/// "`image: [1, 28, 28]` → `[10]`, degree 1, 7,850 weights."
fn summary(lowered: &Lowered) -> String {
    let spec = &lowered.spec;
    let inputs: Vec<_> = spec
        .inputs()
        .iter()
        .map(|input| format!("`{}: {}`", input.name, input.shape))
        .collect();
    let (output, weights) = (spec.output_shape(), grouped(spec.parameters()));
    let homogeneity = match spec.degree() {
        Some(degree) => format!("homogeneous of degree {degree}"),
        None => "not homogeneous".to_owned(),
    };
    format!(
        " {} → `{output}`, {homogeneity}, {weights} weights.",
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
    fn emit(&mut self, name: &Ident, head: &TokenStream, fields: &[Field]) {
        let Context {
            krate,
            network,
            cfg,
        } = self.context;
        let visibility = &network.visibility;
        let mut inner = Vec::new();
        let (mut declarations, mut reads) = (Vec::new(), Vec::new());
        let reader = local("reader");
        for field in fields {
            let (label, docs) = (&field.label, &field.docs);
            let doc = (docs.is_empty()).then(|| {
                let text = describe(field);
                quote!(#[doc = #text])
            });
            let (of, read) = match &field.of {
                FieldType::Layer { name, .. } => {
                    let layer = format_ident!("{name}");
                    (
                        quote!(#krate::layers::#layer),
                        quote!(#krate::Parameters::read(#reader)?),
                    )
                }
                FieldType::Scope(members) => {
                    let element = self.fresh(name, label);
                    let types = (self.of(members, &element), self.read(members, &reader));
                    inner.push((element, field, leaf(members)));
                    types
                }
            };
            declarations.push(quote!(#(#docs)* #doc #visibility #label: #of));
            reads.push(quote!(#label: #read));
        }
        let labels: Vec<_> = fields.iter().map(|field| &field.label).collect();
        let visitor = local("visitor");
        let parameters = if fields.is_empty() {
            [local("_reader"), local("_visitor")]
        } else {
            [reader, visitor]
        };
        let [reader, visitor] = &parameters;
        self.items.extend(quote! {
            #head
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #visibility struct #name { #(#declarations),* }

            #(#cfg)*
            #[automatically_derived]
            impl #krate::Parameters for #name {
                fn read(#reader: &mut #krate::WeightReader) -> #krate::Result<Self> {
                    ::core::result::Result::Ok(Self { #(#reads),* })
                }

                fn visit<'a>(&'a self, #visitor: &mut dyn ::core::ops::FnMut(#krate::__private::WeightView<'a>)) {
                    #(#krate::Parameters::visit(&self.#labels, #visitor);)*
                }

                fn visit_mut<'a>(&'a mut self, #visitor: &mut dyn ::core::ops::FnMut(#krate::__private::WeightViewMut<'a>)) {
                    #(#krate::Parameters::visit_mut(&mut self.#labels, #visitor);)*
                }
            }
        });
        for (element, field, fields) in inner {
            let doc = format!(
                " What is behind the label `{}` of [`{name}`].",
                field.label.unraw()
            );
            self.emit(&element, &quote!(#(#cfg)* #[doc = #doc]), fields);
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

    /// The type of a field whose innermost struct is `element`.
    fn of(&self, members: &Members, element: &Ident) -> TokenStream {
        match members {
            Members::Fields(_) => quote!(#element),
            Members::List { element: inner, .. } => {
                let inner = self.of(inner, element);
                quote!(::std::vec::Vec<#inner>)
            }
        }
    }

    /// How a field is read.
    fn read(&self, members: &Members, reader: &Ident) -> TokenStream {
        let krate = &self.context.krate;
        match members {
            Members::Fields(_) => quote!(#krate::Parameters::read(#reader)?),
            Members::List { element, count } => match &**element {
                Members::Fields(_) => quote!(#reader.list(#count)?),
                inner => {
                    let inner = self.read(inner, reader);
                    let list = local("list");
                    quote!({
                        let mut #list = ::std::vec::Vec::new();
                        for _ in 0..#count {
                            #list.push(#inner);
                        }
                        #list
                    })
                }
            },
        }
    }
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
        FieldType::Layer { text, .. } => format!(" `{text}`"),
        FieldType::Scope(Members::Fields(_)) => {
            format!(" The weights of `{}`.", field.label.unraw())
        }
        FieldType::Scope(Members::List { count, .. }) => {
            format!(" The weights of `{}`, {count} times.", field.label.unraw())
        }
    }
}
