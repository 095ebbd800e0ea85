//! What `#[xdnn]` declares elsewhere: functions, and chains that serve as blocks.
//!
//! A declaration leaves a hidden macro of its name behind. A network that meets an unknown name calls that macro, which
//! answers with the declaration as tokens: `{ function shrink 1 1 … }`, `{ block Stem { … } … }` with what the block
//! uses itself, `{ regular Stem { … } … }`, `{ layer Blur … }`, `{ local Net }`, or `{ refused shrink }`.

use std::collections::HashMap;
use std::rc::Rc;

use proc_macro2::{Delimiter, Group, Literal, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _, quote};
use xdnn_ir::{Degree, Function};

use crate::ast::{Block, Network};
use crate::attribute::Definition;
use crate::check::names;
use crate::diagnostic::Collector;
use crate::lower::{Lowered, Source};
use crate::parse;

/// A declaration, as a network sees it.
#[derive(Clone)]
pub(crate) enum Declaration {
    Function(Function),
    Block(Rc<Chain>),
    Layer(Rc<Definition>),
    /// A network whose layers have sizes that only its own place knows.
    Local,
    /// Nothing is known of it, because of mistakes that have been reported.
    Refused,
}

/// A block, with the declarations that it uses itself.
pub(crate) struct Chain {
    pub block: Block,
    /// Its body as tokens.
    body: TokenStream,
    /// Whether its layers have biases.
    pub regular: bool,
    pub declarations: Declarations,
}

/// Declarations by the path that a network writes.
#[derive(Clone, Default)]
pub(crate) struct Declarations(HashMap<String, Declaration>);

impl Declarations {
    pub(crate) fn get(&self, path: &str) -> Option<&Declaration> {
        self.0.get(path)
    }

    pub(crate) fn insert(&mut self, path: String, declaration: Declaration) {
        self.0.insert(path, declaration);
    }
}

impl Declaration {
    /// What a struct of layers declares, for which `declarations` are known.
    pub(crate) fn of_chain(
        network: Network,
        lowered: &Lowered,
        declarations: &Declarations,
    ) -> Self {
        let mut open = lowered.source.iter().flat_map(Source::sizes_of_layers);
        let is_local = open.next().is_some();
        match (network.chain, network.body) {
            _ if is_local => Self::Local,
            (Some(chain), Some(body)) => Self::Block(Rc::new(Chain {
                block: Block {
                    name: network.name,
                    parameters: Vec::new(),
                    body,
                },
                body: chain.body,
                regular: network.regular,
                declarations: declarations.clone(),
            })),
            _ => Self::Refused,
        }
    }

    /// The declaration of this name as tokens.
    pub(crate) fn written(&self, name: &impl ToTokens) -> TokenStream {
        match self {
            Self::Function(function) => written_function(function),
            Self::Block(chain) => {
                let word = match chain.regular {
                    true => quote!(regular),
                    false => quote!(block),
                };
                let body = &chain.body;
                let used = names::foreign_of(&chain.block).into_iter().map(|path| {
                    let declaration = chain.declarations.get(&key(&path));
                    let declaration = declaration.unwrap_or(&Self::Refused);
                    declaration.written(&path.into_iter().last())
                });
                quote!(#word #name #body #({ #used })*)
            }
            Self::Layer(definition) => definition.written(name),
            Self::Local => quote!(local #name),
            Self::Refused => quote!(refused #name),
        }
    }

    /// Reads a declaration.
    pub(crate) fn read(tokens: TokenStream) -> Self {
        let mut tokens = tokens.into_iter();
        let read = match word(&mut tokens).as_deref() {
            Some("function") => read_function(&mut tokens).map(Self::Function),
            Some("block") => read_block(&mut tokens, false),
            Some("regular") => read_block(&mut tokens, true),
            Some("layer") => Definition::read(tokens.collect())
                .map(|definition| Self::Layer(Rc::new(definition))),
            Some("local") => Some(Self::Local),
            _ => None,
        };
        read.unwrap_or(Self::Refused)
    }
}

/// `function shrink 1 1 …`: the degree, and the bits of the three values.
fn written_function(function: &Function) -> TokenStream {
    let name: TokenStream = function.name.parse().unwrap_or_default();
    let (numerator, denominator) = (
        function.degree.numerator().unsigned_abs(),
        function.degree.denominator().unsigned_abs(),
    );
    let mut tokens = quote!(function #name);
    let values = [function.positive, function.negative, function.at_zero].map(f64::to_bits);
    let numbers = [u64::from(numerator), u64::from(denominator)]
        .into_iter()
        .chain(values);
    tokens.append_all(numbers.map(Literal::u64_unsuffixed));
    tokens
}

/// The insides of a list of braces.
pub(crate) fn groups(tokens: impl Iterator<Item = TokenTree>) -> Vec<TokenStream> {
    let inside = |token| match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    };
    tokens.filter_map(inside).collect()
}

type Tokens = proc_macro2::token_stream::IntoIter;

fn word(tokens: &mut Tokens) -> Option<String> {
    match tokens.next()? {
        TokenTree::Ident(word) => Some(word.to_string()),
        _ => None,
    }
}

fn number(tokens: &mut Tokens) -> Option<u64> {
    match tokens.next()? {
        TokenTree::Literal(literal) => literal.to_string().parse().ok(),
        _ => None,
    }
}

fn read_function(tokens: &mut Tokens) -> Option<Function> {
    let name = word(tokens)?;
    let (numerator, denominator) = (number(tokens)?, number(tokens)?);
    let degree = Degree::rational(
        i64::try_from(numerator).ok()?,
        i64::try_from(denominator).ok()?,
    )?;
    let mut value = || number(tokens).map(f64::from_bits);
    Some(Function {
        name: crate::function::intern(&name),
        degree,
        positive: value()?,
        negative: value()?,
        at_zero: value()?,
    })
}

fn read_block(tokens: &mut Tokens, regular: bool) -> Option<Declaration> {
    let TokenTree::Ident(name) = tokens.next()? else {
        return None;
    };
    let TokenTree::Group(body) = tokens.next()? else {
        return None;
    };
    let tokens_of_body: TokenStream =
        TokenTree::Group(Group::new(Delimiter::Brace, body.stream())).into();
    let mut errors = Collector::default();
    let body = parse::body(tokens_of_body.clone(), &mut errors);
    errors.finish().ok()?;
    let block = Block {
        name,
        parameters: Vec::new(),
        body: body?,
    };
    let used = groups(tokens);
    let declarations = Declarations::of(names::foreign_of(&block), used);
    Some(Declaration::Block(Rc::new(Chain {
        block,
        body: tokens_of_body,
        regular,
        declarations,
    })))
}

impl Declarations {
    /// Declarations in the order in which a network mentions them first.
    pub(crate) fn of(paths: Vec<TokenStream>, declared: Vec<TokenStream>) -> Self {
        let mut declarations = Self::default();
        for (path, tokens) in paths.iter().zip(declared) {
            declarations.insert(key(path), Declaration::read(tokens));
        }
        declarations
    }
}

/// A path as text, without spaces.
pub(crate) fn key(path: &TokenStream) -> String {
    path.to_string().split_whitespace().collect()
}
