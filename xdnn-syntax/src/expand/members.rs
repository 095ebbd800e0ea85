//! The struct of the weights, those of blocks and of labels with labels inside, and `impl Parameters` for each.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Attribute;
use syn::ext::IdentExt as _;

use super::Context;
use super::generics::Generics;
use crate::ast::Network;
use crate::diagnostic::Place;
use crate::lower::{Field, FieldType, Form, Lowered, Members};

/// All structs of the network, with their impls.
pub(super) fn structs(context: &Context, lowered: &Lowered) -> TokenStream {
    let Context {
        network,
        generics,
        cfg,
        ..
    } = context;
    let name = &network.name;
    let mut structs = Structs {
        network: name,
        // The struct of named inputs has this name.
        taken: HashSet::from([name.to_string(), format!("{name}Inputs")]),
        list: Vec::new(),
        blocks: HashMap::new(),
    };
    let fields: &[Field] = match &lowered.members {
        Members::Fields(fields) if !network.is_block() => fields,
        _ => &[],
    };
    structs.add(name.clone(), summary(network, lowered), fields);
    let attributes = &network.attributes;
    let mut docs = attributes.iter().map(Attribute::path);
    let separator = (docs.any(|path| path.is_ident("doc"))).then(|| quote!(#[doc = ""]));
    // A chain may be there for networks alone.
    let unused = network.chain.as_ref().map(|_| quote!(#[allow(dead_code)]));
    let items = structs.list.iter().enumerate().map(|(i, of)| match i {
        0 => {
            let head = quote!(#(#attributes)* #separator #unused);
            structs.item(context, of, &head, Some(generics))
        }
        _ => structs.item(context, of, &quote!(#(#cfg)*), None),
    });
    items.collect()
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

/// A struct of weights.
struct Struct<'c> {
    name: Ident,
    doc: String,
    fields: Vec<StructField<'c>>,
}

struct StructField<'c> {
    field: &'c Field,
    doc: String,
    /// The struct that it holds.
    inner: Option<usize>,
}

/// The structs of a network: one for itself, one for each block and each set of labels in it, and one for each other label
/// with labels inside.
struct Structs<'c> {
    network: &'c Ident,
    taken: HashSet<String>,
    list: Vec<Struct<'c>>,
    /// Those of each block, by its place: calls with different values may have different labels inside.
    blocks: HashMap<String, Vec<usize>>,
}

impl<'c> Structs<'c> {
    /// Adds a struct and those of its fields.
    fn add(&mut self, name: Ident, doc: String, fields: &'c [Field]) -> usize {
        let position = self.list.len();
        self.list.push(Struct {
            name,
            doc,
            fields: Vec::new(),
        });
        for field in fields {
            let inner = match &field.of {
                FieldType::Layer { .. } | FieldType::Custom { .. } => None,
                FieldType::Scope { members, block } => Some(match block {
                    Some(block) => self.of_block(block, field, leaf(members)),
                    None => self.of_label(position, field, leaf(members)),
                }),
            };
            let doc = describe(field);
            let fields = &mut self.list[position].fields;
            fields.push(StructField { field, doc, inner });
        }
        position
    }

    /// The struct behind a label: `Net` and `layer1` make `NetLayer1`.
    fn of_label(&mut self, parent: usize, field: &Field, fields: &'c [Field]) -> usize {
        let (parent, label) = (&self.list[parent].name, field.label.unraw());
        let doc = format!(" What is behind the label `{label}` of [`{parent}`].");
        let name = format!("{}{}", parent.unraw(), camel(&label.to_string()));
        let name = self.fresh(&name, &field.label);
        self.add(name, doc, fields)
    }

    /// The struct of a block, which its calls share: `Net` and `bottleneck` make `NetBottleneck`.
    fn of_block(&mut self, block: &Ident, field: &Field, fields: &'c [Field]) -> usize {
        let (key, block) = (Place::from(block).key(), block.unraw().to_string());
        let known = self.blocks.get(&key).into_iter().flatten().copied();
        if let Some(position) = known.into_iter().find(|known| self.holds(*known, fields)) {
            self.generalise(position, fields);
            return position;
        }
        let doc = format!(
            " The weights of the block `{block}` of [`{}`].",
            self.network
        );
        let name = format!("{}{}", self.network.unraw(), camel(&block));
        let name = self.fresh(&name, &field.label);
        let position = self.add(name, doc, fields);
        self.blocks.entry(key).or_default().push(position);
        position
    }

    /// Whether a struct has these fields, but for the arguments of layers and the lengths of lists.
    fn holds(&self, position: usize, fields: &[Field]) -> bool {
        let known = &self.list[position].fields;
        let same = |(known, field): (&StructField, &Field)| {
            let same_type = match (&known.field.of, &field.of) {
                (FieldType::Layer { name: a, .. }, FieldType::Layer { name: b, .. }) => a == b,
                (FieldType::Custom { path: a, .. }, FieldType::Custom { path: b, .. }) => {
                    a.to_string() == b.to_string()
                }
                (FieldType::Scope { members: a, .. }, FieldType::Scope { members: b, .. }) => {
                    let inner = known.inner.is_some_and(|inner| self.holds(inner, leaf(b)));
                    inner && depth(a) == depth(b)
                }
                _ => false,
            };
            known.field.label == field.label && same_type
        };
        known.len() == fields.len() && known.iter().zip(fields).all(same)
    }

    /// Takes out of the docs of a struct what is not true of these fields, too.
    fn generalise(&mut self, position: usize, fields: &'c [Field]) {
        for (i, field) in fields.iter().enumerate() {
            let known = &mut self.list[position].fields[i];
            if known.doc != describe(field) {
                known.doc = describe_any(field);
            }
            if let (Some(inner), FieldType::Scope { members, .. }) = (known.inner, &field.of) {
                self.generalise(inner, leaf(members));
            }
        }
    }

    /// A struct, and how its weights are read and visited.
    fn item(
        &self,
        context: &Context,
        of: &Struct,
        head: &TokenStream,
        generics: Option<&Generics>,
    ) -> TokenStream {
        let Context {
            krate,
            network,
            cfg,
            ..
        } = context;
        let declared = generics.map(|generics| &generics.declared);
        let bound = generics.map(|generics| &generics.bound);
        let given = generics.map(|generics| &generics.given);
        let (name, doc, visibility) = (&of.name, &of.doc, &network.visibility);
        let mut allowed = None;
        let declarations = of.fields.iter().map(|StructField { field, doc, inner }| {
            let (label, docs) = (&field.label, &field.docs);
            let doc = docs.is_empty().then(|| quote!(#[doc = #doc]));
            let of = match (&field.of, inner) {
                (FieldType::Scope { members, .. }, Some(inner)) => {
                    let element = &self.list[*inner].name;
                    (0..depth(members)).fold(quote!(#element), |of, _| quote!(::std::vec::Vec<#of>))
                }
                (FieldType::Custom { path, .. }, _) => {
                    // A path to what is in scope, too, is as the user wrote it.
                    allowed = Some(quote!(#[allow(unused_qualifications)]));
                    quote!(<#path as #krate::Definition>::Weights)
                }
                (FieldType::Layer { name, .. }, _) => {
                    let layer = format_ident!("{name}");
                    quote!(#krate::layers::#layer)
                }
                (FieldType::Scope { .. }, None) => quote!(()),
            };
            quote!(#(#docs)* #doc #visibility #label: #of)
        });
        let declarations: Vec<_> = declarations.collect();
        let labels = of.fields.iter().map(|field| &field.field.label);
        quote! {
            #head
            #[doc = #doc]
            #allowed
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #visibility struct #name #declared { #(#declarations),* }

            #(#cfg)*
            #krate::__private::parameters! { #bound #name #given { #(#labels),* } }
        }
    }

    /// A name like this one that no other struct has.
    fn fresh(&mut self, base: &str, label: &Ident) -> Ident {
        let mut name = base.to_owned();
        let mut n = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{base}{n}");
            n += 1;
        }
        Ident::new(&name, label.span())
    }
}

/// `layer_1` as part of the name of a type: `Layer1`.
fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect::<String>()
    });
    words.collect()
}

/// How many lists are around the innermost struct.
fn depth(members: &Members) -> usize {
    match members {
        Members::Fields(_) => 0,
        Members::List { element, .. } => 1 + depth(element),
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
        FieldType::Layer { text, .. } | FieldType::Custom { text, .. } => format!(" `{text}`"),
        FieldType::Scope {
            members: Members::List { count, .. },
            ..
        } => format!(" The weights of `{}`, {count} times.", field.label.unraw()),
        FieldType::Scope { .. } => describe_any(field),
    }
}

/// What holds whatever the arguments and the lengths are.
fn describe_any(field: &Field) -> String {
    match &field.of {
        FieldType::Layer { text, .. } | FieldType::Custom { text, .. } => {
            let (name, _) = text.split_once('(').unwrap_or((text, ""));
            format!(" `{name}`")
        }
        FieldType::Scope {
            members: Members::List { .. },
            ..
        } => format!(" The weights of each `{}`.", field.label.unraw()),
        FieldType::Scope { .. } => format!(" The weights of `{}`.", field.label.unraw()),
    }
}
