//! `#[xdnn(layer, degree = 1)] struct Blur { … }`: a layer that the crate at hand defines.

use std::cell::OnceCell;

use proc_macro2::{Ident, Literal, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Field, Fields, ItemStruct, LitInt, LitStr, Token};
use xdnn_ir::{Degree, Parameter, ParameterKind, Scalar, Scalars, Signature};

use super::hidden;
use crate::declaration::Declaration;
use crate::diagnostic::{Collector, Diagnostic, Place};
use crate::function::intern;

/// What a network knows of a layer of another place.
pub(crate) struct Definition {
    pub name: &'static str,
    pub degree: Degree,
    pub fields: Vec<Parameters>,
    /// The names of its weights.
    pub weights: Vec<&'static str>,
    signature: OnceCell<Signature>,
}

/// A field, as a parameter.
#[derive(Clone, Copy)]
pub(crate) struct Parameters {
    pub name: &'static str,
    pub kind: ParameterKind,
    pub default: Option<Scalar>,
}

impl Definition {
    fn new(
        name: &Ident,
        degree: Degree,
        fields: Vec<Parameters>,
        weights: Vec<&'static str>,
    ) -> Self {
        Self {
            name: intern(&name.unraw().to_string()),
            degree,
            fields,
            weights,
            signature: OnceCell::new(),
        }
    }

    /// The name and the parameters. They are kept for as long as the process lives, which expands one crate.
    pub(crate) fn signature(&self) -> &Signature {
        self.signature.get_or_init(|| {
            let parameters: Vec<_> = self
                .fields
                .iter()
                .map(|field| Parameter {
                    name: field.name,
                    kind: field.kind,
                    optional: field.default.is_some(),
                })
                .collect();
            Signature {
                name: self.name,
                parameters: Box::leak(parameters.into()),
            }
        })
    }

    /// `layer Blur 1 1 ["gain"] ["radius" int] ["slope" float 4602678819172646912] ["wrap" bool 1]`.
    pub(crate) fn written(&self, name: &impl ToTokens) -> TokenStream {
        let (n, d) = (
            Literal::i32_unsuffixed(self.degree.numerator()),
            Literal::i32_unsuffixed(self.degree.denominator()),
        );
        let weights = &self.weights;
        let fields = self.fields.iter().map(|field| {
            let name = field.name;
            let kind = format_ident!("{}", kind_name(field.kind));
            let default = field.default.map(|default| {
                Literal::u64_unsuffixed(match default {
                    Scalar::Int(value) => value as u64,
                    Scalar::Float(value) => value.to_bits(),
                    Scalar::Bool(value) => u64::from(value),
                })
            });
            quote!([#name #kind #default])
        });
        quote!(layer #name #n #d [#(#weights)*] #(#fields)*)
    }

    /// Reads what follows `layer`.
    pub(crate) fn read(tokens: TokenStream) -> Option<Self> {
        let field = |input: ParseStream| {
            let content;
            syn::bracketed!(content in input);
            let name = intern(&content.parse::<LitStr>()?.value());
            let kind: Ident = content.parse()?;
            let bits = match content.is_empty() {
                true => None,
                false => Some(content.parse::<LitInt>()?.base10_parse::<u64>()?),
            };
            let (kind, default) = match kind.to_string().as_str() {
                "int" => (
                    ParameterKind::Int,
                    bits.map(|bits| Scalar::Int(bits as usize)),
                ),
                "float" => (
                    ParameterKind::Float,
                    bits.map(|bits| Scalar::Float(f64::from_bits(bits))),
                ),
                _ => (
                    ParameterKind::Bool,
                    bits.map(|bits| Scalar::Bool(bits != 0)),
                ),
            };
            Ok(Parameters {
                name,
                kind,
                default,
            })
        };
        let read = |input: ParseStream| {
            let name: Ident = input.parse()?;
            let [n, d] = [input.parse::<LitInt>()?, input.parse::<LitInt>()?];
            let degree = Degree::rational(n.base10_parse()?, d.base10_parse()?);
            let degree = degree.ok_or_else(|| input.error("no degree"))?;
            let content;
            syn::bracketed!(content in input);
            let mut weights = Vec::new();
            while !content.is_empty() {
                weights.push(intern(&content.parse::<LitStr>()?.value()));
            }
            let mut fields = Vec::new();
            while !input.is_empty() {
                fields.push(field(input)?);
            }
            Ok(Self::new(&name, degree, fields, weights))
        };
        read.parse2(tokens).ok()
    }
}

fn kind_name(kind: ParameterKind) -> &'static str {
    match kind {
        ParameterKind::Int => "int",
        ParameterKind::Float => "float",
        _ => "bool",
    }
}

/// Whether the arguments of `#[xdnn(…)]` declare a layer.
pub(super) fn is_layer(arguments: &TokenStream) -> bool {
    let first = arguments.clone().into_iter().next();
    matches!(first, Some(TokenTree::Ident(word)) if word == "layer")
}

/// Whether the attribute is `#[xdnn(layer, …)]`.
pub(super) fn is_declared(attribute: &syn::Attribute) -> bool {
    let list = attribute.meta.require_list();
    list.is_ok_and(|list| is_layer(&list.tokens))
}

/// Expands `#[xdnn(layer, …)]` in front of a struct.
pub(super) fn expand(
    arguments: TokenStream,
    mut item: ItemStruct,
    errors: &mut Collector,
) -> TokenStream {
    let options = Options::read(arguments, errors);
    let fields = fields(&mut item, errors);
    let own = errors.is_empty().then_some(options).flatten();
    let Some((options, degree)) =
        own.and_then(|options| options.degree.map(|degree| (options, degree)))
    else {
        let hidden = hidden(&item.ident, &item.vis, &item.attrs, &Declaration::Refused);
        let derives = derives(&item);
        return quote!(#derives #[allow(dead_code)] #item #hidden);
    };
    let weights = options
        .weights
        .iter()
        .map(|name| intern(&name.unraw().to_string()))
        .collect();
    let definition = Definition::new(&item.ident, degree, fields, weights);
    let items = items(&item, &options, &definition);
    let declaration = Declaration::Layer(std::rc::Rc::new(definition));
    let hidden = hidden(&item.ident, &item.vis, &item.attrs, &declaration);
    quote!(#items #hidden)
}

/// `layer, degree = 1/2, weights = [gain], crate = path`
struct Options {
    degree: Option<Degree>,
    weights: Vec<Ident>,
    krate: TokenStream,
}

impl Options {
    fn read(arguments: TokenStream, errors: &mut Collector) -> Option<Self> {
        let place = Place::of(&arguments);
        let read = |input: ParseStream| {
            let mut options = Self {
                degree: None,
                weights: Vec::new(),
                krate: quote!(::xdnn),
            };
            let _layer: Ident = input.parse()?;
            while !input.is_empty() {
                let _: Token![,] = input.parse()?;
                if input.is_empty() {
                    break;
                }
                if input.peek(Token![crate]) {
                    let _: Token![crate] = input.parse()?;
                    let _: Token![=] = input.parse()?;
                    options.krate = input.call(syn::Path::parse_mod_style)?.into_token_stream();
                    continue;
                }
                let key: Ident = input.parse()?;
                let _: Token![=] = input.parse()?;
                match key.to_string().as_str() {
                    "degree" => options.degree = Some(read_degree(input)?),
                    "weights" => {
                        let content;
                        syn::bracketed!(content in input);
                        options.weights =
                            Punctuated::<Ident, Token![,]>::parse_terminated(&content)?
                                .into_iter()
                                .collect();
                    }
                    other => {
                        let text = format!(
                            "`{other}` is no option of a layer: there are `degree`, `weights` and `crate`"
                        );
                        return Err(syn::Error::new(key.span(), text));
                    }
                }
            }
            Ok(options)
        };
        let options = match read.parse2(arguments) {
            Ok(options) => options,
            Err(error) => {
                let error: Diagnostic = error.into();
                errors.push(error.help("write `#[xdnn(layer, degree = 1, weights = [weight])]`"));
                return None;
            }
        };
        if options.degree.is_none() {
            errors.push(
                Diagnostic::new(place, "a layer must declare its degree")
                    .note("it is the p in f(a*x) = a^p * f(x) for all a > 0, and is verified when a network is compiled")
                    .help("write `#[xdnn(layer, degree = 1)]`"),
            );
        }
        if let Some(fifth) = options.weights.get(4) {
            errors.push(Diagnostic::new(fifth, "a layer has at most 4 weights"));
        }
        Some(options)
    }
}

/// `1`, `0` or `1/2`
fn read_degree(input: ParseStream) -> syn::Result<Degree> {
    let first = input.parse::<TokenTree>()?;
    let integer = |token: &TokenTree| token.to_string().parse::<i64>().ok();
    let numerator = integer(&first);
    let denominator = match input.peek(Token![/]) {
        true => {
            let _: Token![/] = input.parse()?;
            integer(&input.parse()?)
        }
        false => Some(1),
    };
    let degree = numerator.zip(denominator);
    let degree = degree.and_then(|(n, d)| Degree::rational(n, d).filter(|_| d > 0));
    degree.ok_or_else(|| {
        let text =
            "the degree must be an integer that is not negative, or a fraction such as `1/2`";
        syn::Error::new(first.span(), text)
    })
}

/// The parameters, and the struct without what says so.
fn fields(item: &mut ItemStruct, errors: &mut Collector) -> Vec<Parameters> {
    if let Some(first) = item.generics.params.first() {
        errors.push(
            Diagnostic::new(Place::of(first), "a layer cannot have parameters")
                .help("make it a field: its value is an argument of the layer"),
        );
    }
    let list = match &mut item.fields {
        Fields::Named(fields) => &mut fields.named,
        Fields::Unit => return Vec::new(),
        Fields::Unnamed(fields) => {
            errors.push(
                Diagnostic::new(Place::of(&*fields), "the arguments of a layer need names")
                    .help(format!("write `struct {} {{ radius: usize }}`", item.ident)),
            );
            return Vec::new();
        }
    };
    if let Some(surplus) = list.iter().nth(Scalars::MAX) {
        let text = format!("a layer has at most {} arguments", Scalars::MAX);
        errors.push(Diagnostic::new(Place::of(surplus), text));
    }
    list.iter_mut()
        .filter_map(|field| self::field(field, errors))
        .collect()
}

fn field(field: &mut Field, errors: &mut Collector) -> Option<Parameters> {
    let name = field.ident.as_ref()?;
    let kind = match field.ty.to_token_stream().to_string().as_str() {
        "usize" => ParameterKind::Int,
        "f64" => ParameterKind::Float,
        "bool" => ParameterKind::Bool,
        _ => {
            errors.push(
                Diagnostic::new(
                    Place::of(&field.ty),
                    "an argument of a layer cannot have this type",
                )
                .help("the types of arguments are `usize`, `f64` and `bool`"),
            );
            return None;
        }
    };
    let mut default = None;
    let attributes = std::mem::take(&mut field.attrs);
    for attribute in attributes {
        if !attribute.path().is_ident("default") {
            field.attrs.push(attribute);
            continue;
        }
        let value = attribute.meta.require_name_value().map(|meta| &meta.value);
        default = value.ok().and_then(|value| scalar(kind, value));
        if default.is_none() {
            let kind = kind_text(kind);
            errors.push(
                Diagnostic::new(
                    Place::of(&attribute),
                    format!("the default of `{name}` must be {kind}"),
                )
                .help("write `#[default = …]` with the value"),
            );
        }
    }
    Some(Parameters {
        name: intern(&name.unraw().to_string()),
        kind,
        default,
    })
}

fn kind_text(kind: ParameterKind) -> &'static str {
    match kind {
        ParameterKind::Int => "an integer",
        ParameterKind::Float => "a number",
        _ => "`true` or `false`",
    }
}

fn scalar(kind: ParameterKind, value: &syn::Expr) -> Option<Scalar> {
    let tokens: TokenStream = value.to_token_stream().into_iter().collect();
    let (negative, literal) = match value {
        syn::Expr::Unary(syn::ExprUnary {
            op: syn::UnOp::Neg(_),
            expr,
            ..
        }) => (true, syn::parse2::<syn::Lit>(expr.to_token_stream()).ok()?),
        _ => (false, syn::parse2::<syn::Lit>(tokens).ok()?),
    };
    let sign = if negative { -1.0 } else { 1.0 };
    match (kind, literal) {
        (ParameterKind::Int, syn::Lit::Int(value)) if !negative => {
            value.base10_parse().ok().map(Scalar::Int)
        }
        (ParameterKind::Float, syn::Lit::Float(value)) => value
            .base10_parse::<f64>()
            .ok()
            .map(|value| Scalar::Float(sign * value)),
        (ParameterKind::Float, syn::Lit::Int(value)) => value
            .base10_parse::<f64>()
            .ok()
            .map(|value| Scalar::Float(sign * value)),
        (ParameterKind::Bool, syn::Lit::Bool(value)) if !negative => {
            Some(Scalar::Bool(value.value))
        }
        _ => None,
    }
}

/// The struct, its weights, and what networks call.
fn items(item: &ItemStruct, options: &Options, definition: &Definition) -> TokenStream {
    let (name, visibility, krate) = (&item.ident, &item.vis, &options.krate);
    let cfg: Vec<_> = item
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .collect();
    let derives = derives(item);
    let idents: Vec<_> = item
        .fields
        .iter()
        .filter_map(|field| field.ident.as_ref())
        .collect();
    let types: Vec<_> = item.fields.iter().map(|field| &field.ty).collect();
    let variants = definition.fields.iter().map(|field| match field.kind {
        ParameterKind::Int => quote!(Int),
        ParameterKind::Float => quote!(Float),
        _ => quote!(Bool),
    });
    let (weights, ruled, declared) = if options.weights.is_empty() {
        (quote!(()), quote!(#krate::ir::layer::Weights::NONE), None)
    } else {
        let weights = format_ident!("{name}Weights");
        let doc = format!(" The weights of [`{name}`].");
        let tensors = options.weights.iter().map(|weight| {
            let doc = format!(" `{weight}` of [`{name}`].");
            quote!(#[doc = #doc] pub #weight: #krate::Weight<#krate::ndarray::IxDyn>)
        });
        let labels = &options.weights;
        let declared = quote! {
            #(#cfg)*
            #[doc = #doc]
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #visibility struct #weights { #(#tensors),* }

            #(#cfg)*
            #krate::__private::parameters! { #weights { #(#labels),* } }
        };
        (
            quote!(#weights),
            quote!(layer.weights(input)),
            Some(declared),
        )
    };
    quote! {
        #derives
        #item

        #declared

        #(#cfg)*
        #[automatically_derived]
        impl #name {
            /// What the rules say of an input.
            #[doc(hidden)]
            pub const fn __xdnn_ruled(#(#idents: #types,)* input: #krate::ir::Shape) -> #krate::ir::Ruled {
                let layer = Self { #(#idents),* };
                #krate::ir::Ruled {
                    output: layer.output(input),
                    weights: #ruled,
                }
            }
        }

        #(#cfg)*
        #[automatically_derived]
        impl #krate::Definition for #name {
            type Weights = #weights;

            fn of(arguments: &[#krate::ir::Scalar]) -> ::core::option::Option<Self> {
                match *arguments {
                    [#(#krate::ir::Scalar::#variants(#idents)),*] => ::core::option::Option::Some(Self { #(#idents),* }),
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}

/// What a layer must derive, and the user has not derived.
fn derives(item: &ItemStruct) -> TokenStream {
    let mut derived = String::new();
    for attribute in &item.attrs {
        if attribute.path().is_ident("derive") {
            derived += &attribute.meta.to_token_stream().to_string();
        }
    }
    let wanted = [
        ("Clone", quote!(::core::clone::Clone)),
        ("Copy", quote!(::core::marker::Copy)),
        ("Debug", quote!(::core::fmt::Debug)),
    ];
    let missing = wanted
        .into_iter()
        .filter(|(name, _)| !derived.contains(name))
        .map(|(_, path)| path);
    quote!(#[derive(#(#missing),*)])
}
