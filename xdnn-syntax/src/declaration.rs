//! What `#[xdnn]` declares elsewhere: functions, and chains that serve as blocks.
//!
//! A declaration leaves a hidden macro of its name behind. A network that meets an unknown name calls that macro, which
//! answers with the declaration as tokens: `{ function shrink 1 1 … }`, `{ block Stem { … } … }`, or
//! `{ refused shrink }` for one whose mistakes have been reported.

use std::collections::HashMap;

use proc_macro2::{Delimiter, Group, Ident, Literal, TokenStream, TokenTree};
use quote::{TokenStreamExt as _, quote};
use xdnn_ir::{Degree, Function};

use crate::ast::Block;
use crate::diagnostic::Collector;
use crate::parse;

/// A declaration, as a network sees it.
pub(crate) enum Declaration {
    Function(Function),
    Block(Box<Chain>),
    /// Nothing is known of it.
    Refused,
}

/// A block, with the declarations that it uses itself.
pub(crate) struct Chain {
    pub block: Block,
    pub declarations: Declarations,
}

/// Declarations by the path that a network writes.
#[derive(Default)]
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
    /// Reads a declaration.
    pub(crate) fn read(tokens: TokenStream) -> Self {
        let mut tokens = tokens.into_iter();
        let read = match word(&mut tokens).as_deref() {
            Some("function") => read_function(&mut tokens).map(Self::Function),
            Some("block") => read_block(&mut tokens).map(|chain| Self::Block(Box::new(chain))),
            _ => None,
        };
        read.unwrap_or(Self::Refused)
    }
}

/// `function shrink 1 1 …`: the degree, and the bits of the three values.
pub(crate) fn function(name: &Ident, function: &Function) -> TokenStream {
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

/// `refused shrink`
pub(crate) fn refused(name: &Ident) -> TokenStream {
    quote!(refused #name)
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

fn read_block(tokens: &mut Tokens) -> Option<Chain> {
    let TokenTree::Ident(name) = tokens.next()? else {
        return None;
    };
    let TokenTree::Group(body) = tokens.next()? else {
        return None;
    };
    let body = Group::new(Delimiter::Brace, body.stream());
    let mut errors = Collector::default();
    let body = parse::body(TokenTree::Group(body).into(), &mut errors);
    errors.finish().ok()?;
    let block = Block {
        name,
        parameters: Vec::new(),
        body: body?,
    };
    let used = groups(tokens);
    let declarations = Declarations::of(crate::check::names::foreign_of(&block), used);
    Some(Chain {
        block,
        declarations,
    })
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
