//! `#[xdnn] struct`: a chain of layers, each of them a field.
//!
//! Its fields become the statements of a body: `#[layer(16, kernel = 5)] conv1: Conv2d, pool1: MaxPool2d<2>` is
//! `conv1: Conv2d(16, kernel = 5); pool1: MaxPool2d(2);`.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Expr, Field, FieldsNamed, GenericArgument, MacroDelimiter, Meta, Path,
    PathArguments, Token, Type, Visibility, token,
};

use super::{Parser, Result, comma, drain, group};
use crate::ast::{Body, Chain, Dims, Input, Item, Kind, Network};
use crate::diagnostic::{Diagnostic, Place};
use crate::suggest;

const FORM: &str = "the forms of a layer are `relu1: Relu`, `pool1: MaxPool2d<2>` and `#[layer(16, kernel = 5)] conv1: Conv2d`";

/// What `#[xdnn(…)]` says.
#[derive(Default)]
struct Head {
    /// The path to the facade.
    krate: Option<TokenStream>,
    has_input: bool,
    /// `None` where it could not be read.
    shape: Option<Dims>,
}

impl Parser<'_> {
    /// `#[xdnn(input = [1, 28, 28])] pub struct Net { … }`
    pub(super) fn chain(&mut self, input: ParseStream) -> Result<Network> {
        input.parse::<Token![#]>()?;
        let (attribute, _) = group::brackets(input)?;
        attribute.call(Ident::parse_any)?;
        let mut head = Head::default();
        if !attribute.is_empty() {
            let (arguments, _) = group::parentheses(&attribute)?;
            self.head_of_chain(&arguments, &mut head);
        }
        let Head {
            krate,
            has_input,
            shape,
        } = head;
        let attributes = input.call(Attribute::parse_outer)?;
        let (regular, attributes) = self.regular(attributes);
        let visibility: Visibility = input.parse()?;
        input.parse::<Token![struct]>()?;
        let name = self.name(input, "a network")?;
        let given = Ident::new("input", name.span());
        let mut network = Network {
            attributes,
            regular,
            visibility,
            name,
            generics: Vec::new(),
            inputs: vec![Input { name: given, shape }],
            output: None,
            body: None,
            chain: None,
            unreadable: Vec::new(),
            incomplete: false,
        };
        if input.peek(Token![<]) {
            if has_input {
                self.generics(input, &mut network)?;
            } else {
                let parameters = input.parse::<syn::Generics>()?;
                let error = Diagnostic::new(
                    Place::of(parameters),
                    format!("`{}` has no input, so it cannot be generic", network.name),
                );
                self.report(
                    error
                        .note("it is a block for networks, and goes into them with the sizes that stand in it")
                        .help("write the sizes as numbers, or a `block` with parameters inside of `network!`"),
                );
            }
        }
        let statements = self.fields(input, &mut network);
        drain(input);
        network.chain = Some(Chain {
            krate,
            has_input,
            body: statements,
        });
        network.incomplete = self.incomplete;
        Ok(network)
    }

    /// Reads `input = [1, 28, 28], crate = path`.
    fn head_of_chain(&mut self, input: ParseStream, head: &mut Head) {
        while !input.is_empty() {
            if let Err(error) = self.argument_of_chain(input, head) {
                self.report(error);
                // It is rather meant for a network than for a block.
                head.has_input = true;
                drain(input);
            }
        }
    }

    fn argument_of_chain(&mut self, input: ParseStream, head: &mut Head) -> Result<()> {
        const HELP: &str =
            "write `#[xdnn]` for a block, or `#[xdnn(input = [1, 28, 28])]` for a network";
        let key = input.call(Ident::parse_any).map_err(|error| {
            Diagnostic::new(error.span(), "expected the name of an argument").help(HELP)
        })?;
        if key != "crate" && key != "input" {
            let error = Diagnostic::new(&key, format!("unknown argument `{key}` of `#[xdnn]`"));
            let meant = suggest::closest(&key.to_string(), ["input", "crate"]);
            return Err(match meant {
                Some(meant) => error.help(format!("did you mean `{meant}`?")),
                None => error.help(HELP),
            });
        }
        if input.parse::<Option<Token![=]>>()?.is_none() {
            return Err(Diagnostic::new(&key, format!("`{key}` has no value")).help(HELP));
        }
        let again = if key == "crate" {
            let path = input.call(Path::parse_mod_style)?;
            head.krate.replace(path.into_token_stream()).is_some()
        } else {
            head.has_input = true;
            head.shape.replace(self.dims(input)?).is_some()
        };
        if again {
            let headline = format!("`{key}` of `#[xdnn]` is given twice");
            return Err(Diagnostic::new(&key, headline));
        }
        comma(input)?;
        Ok(())
    }

    /// Reads the fields into the body. The result are the statements that they stand for, `{ fc: Linear(10); … }`.
    fn fields(&mut self, input: ParseStream, network: &mut Network) -> TokenStream {
        let name = &network.name;
        if !input.peek(token::Brace) {
            let place = input.cursor().token_tree().map_or_else(
                || name.into(),
                |(token, _)| Place::of(TokenStream::from(token)),
            );
            self.report(
                Diagnostic::new(place, format!("`{name}` has no fields with names"))
                    .note("each field is a layer, and its name that of the layer's weights")
                    .help(format!(
                        "write `struct {name} {{ fc1: Linear<16>, relu1: Relu }}`"
                    )),
            );
            return TokenStream::new();
        }
        let fields: FieldsNamed = match input.parse() {
            Ok(fields) => fields,
            Err(error) => {
                self.report(error.into());
                return TokenStream::new();
            }
        };
        let (mut statements, mut items) = (TokenStream::new(), Vec::new());
        for field in &fields.named {
            let item = statement(field).and_then(|statement| {
                statements.extend(statement.clone());
                let mut item = None;
                let read = |input: ParseStream| {
                    item = Some(self.item(input));
                    drain(input);
                    Ok(())
                };
                read.parse2(statement)?;
                item.unwrap_or(Ok(Item::Unreadable(None))).map(of_field)
            });
            items.push(item.unwrap_or_else(|error| {
                self.report(error);
                Item::Unreadable(None)
            }));
        }
        let span = fields.brace_token.span.join();
        network.body = Some(Body {
            place: span.into(),
            items,
        });
        group_of(Delimiter::Brace, statements, span)
    }
}

/// Remembers that the layer is written as a field.
fn of_field(mut item: Item) -> Item {
    if let Item::Flow(flow) = &mut item {
        for step in &mut flow.steps {
            if let Kind::Call(call) = &mut step.kind {
                call.is_field = true;
            }
        }
    }
    item
}

fn group_of(delimiter: Delimiter, tokens: TokenStream, span: Span) -> TokenStream {
    let mut group = Group::new(delimiter, tokens);
    group.set_span(span);
    TokenTree::Group(group).into()
}

fn statement(field: &Field) -> Result<TokenStream> {
    if !matches!(field.vis, Visibility::Inherited) {
        let error = Diagnostic::new(
            Place::of(&field.vis),
            "a layer has no visibility of its own",
        );
        return Err(error
            .note("the weights of a network are as visible as the network")
            .help("remove it"));
    }
    let label = &field.ident;
    let (path, generic) = layer(&field.ty)?;
    let (mut docs, mut given) = (Vec::new(), None);
    for attribute in &field.attrs {
        if attribute.path().is_ident("doc") {
            docs.push(attribute);
        } else if attribute.path().is_ident("layer") {
            if given.replace(arguments(attribute)?).is_some() {
                return Err(twice(attribute));
            }
        } else {
            let error = Diagnostic::new(
                Place::of(attribute),
                "only `#[layer(…)]` and doc comments can stand in front of a layer",
            );
            return Err(error.help(FORM));
        }
    }
    if given.is_some() && generic.is_some() {
        return Err(twice(&field.ty));
    }
    let call = given.or(generic);
    Ok(quote!(#(#docs)* #label: #path #call;))
}

fn twice(place: &impl quote::ToTokens) -> Diagnostic {
    Diagnostic::new(
        Place::of(place),
        "the arguments of this layer are given twice",
    )
    .help("write all of them in one `#[layer(…)]`")
}

/// The parentheses of `#[layer(…)]`.
fn arguments(attribute: &Attribute) -> Result<TokenStream> {
    match &attribute.meta {
        Meta::List(list) if let MacroDelimiter::Paren(paren) = &list.delimiter => Ok(group_of(
            Delimiter::Parenthesis,
            list.tokens.clone(),
            paren.span.join(),
        )),
        other => Err(Diagnostic::new(
            Place::of(other),
            "`#[layer]` has no arguments in parentheses",
        )
        .help(FORM)),
    }
}

/// The path of a layer, and what stands in `<…>` as arguments in parentheses.
fn layer(of: &Type) -> Result<(TokenStream, Option<TokenStream>)> {
    let refused = || Diagnostic::new(Place::of(of), "this is no layer").help(FORM);
    let Type::Path(of) = of else {
        return Err(refused());
    };
    if of.qself.is_some() {
        return Err(refused());
    }
    let mut path = of.path.clone();
    let mut generic = None;
    for segment in &mut path.segments {
        if generic.is_some() {
            return Err(refused());
        }
        match std::mem::replace(&mut segment.arguments, PathArguments::None) {
            PathArguments::None => {}
            PathArguments::AngleBracketed(list) => {
                let values: Option<Vec<_>> = list.args.iter().map(value).collect();
                let values = values.ok_or_else(refused)?;
                generic = Some(group_of(
                    Delimiter::Parenthesis,
                    quote!(#(#values),*),
                    list.span(),
                ));
            }
            PathArguments::Parenthesized(_) => return Err(refused()),
        }
    }
    Ok((path.into_token_stream(), generic))
}

/// `2`, `{ 2 * WIDTH }` or `WIDTH` in `<…>`.
fn value(argument: &GenericArgument) -> Option<TokenStream> {
    match argument {
        GenericArgument::Const(Expr::Block(block)) => {
            let (statements, span) = (&block.block.stmts, block.block.brace_token.span.join());
            let tokens = quote!(#(#statements)*);
            Some(group_of(Delimiter::Parenthesis, tokens, span))
        }
        GenericArgument::Const(value) => Some(value.to_token_stream()),
        GenericArgument::Type(of) => Some(of.to_token_stream()),
        _ => None,
    }
}
