//! From tokens to the [`ast`](crate::ast).
//!
//! A mistake costs the statement it stands in and nothing more: reading goes on behind the next `;`.

mod chain;
mod expr;
mod flow;
mod group;
mod item;
mod network;

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};
use syn::{Token, token};

use crate::ast::{Body, Network};
use crate::diagnostic::{Collector, Diagnostic, Place};

type Result<T> = std::result::Result<T, Diagnostic>;

/// How deep bodies and expressions may nest: enough for any network, and little enough for any stack.
const MAX_DEPTH: usize = 64;

/// Whether `#[xdnn…]` stands next, as in front of a struct of layers.
pub(crate) fn is_attributed(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    let (Some(TokenTree::Punct(hash)), Some(TokenTree::Group(attribute))) =
        (tokens.next(), tokens.next())
    else {
        return false;
    };
    let first = attribute.stream().into_iter().next();
    hash.as_char() == '#' && matches!(first, Some(TokenTree::Ident(word)) if word == "xdnn")
}

/// Reads a network or a struct of layers; `None` where not even its head can be read. What is wrong goes to `errors`.
pub(crate) fn network(tokens: TokenStream, errors: &mut Collector) -> Option<Network> {
    let is_chain = is_attributed(&tokens);
    if is_too_deep(tokens.clone()) || is_chain && is_too_deep_for_syn(&tokens) {
        errors.push(too_deep(tokens));
        return None;
    }
    let mut network = None;
    let read = |input: ParseStream| {
        let mut parser = Parser {
            errors: &mut *errors,
            depth: 0,
            incomplete: false,
        };
        let parsed = match is_chain {
            true => parser.chain(input),
            false => parser.network(input),
        };
        match parsed {
            Ok(read) => network = Some(read),
            Err(error) => parser.errors.push(error),
        }
        drain(input);
        Ok(())
    };
    if let Err(error) = read.parse2(tokens) {
        // A part of a group was left unread by an error, which has been reported.
        if errors.is_empty() {
            errors.push(error.into());
        }
    }
    network
}

/// Reads `{ … }`, the body of a block. What is wrong goes to `errors`.
pub(crate) fn body(tokens: TokenStream, errors: &mut Collector) -> Option<Body> {
    let mut body = None;
    let read = |input: ParseStream| {
        let mut parser = Parser {
            errors: &mut *errors,
            depth: 0,
            incomplete: false,
        };
        match parser.body(input) {
            Ok(read) => body = Some(read),
            Err(error) => parser.errors.push(error),
        }
        drain(input);
        Ok(())
    };
    if let Err(error) = read.parse2(tokens)
        && errors.is_empty()
    {
        errors.push(error.into());
    }
    body
}

/// What to say of tokens that are [too deep](is_too_deep_for_syn).
pub(crate) fn too_deep(tokens: TokenStream) -> Diagnostic {
    let headline = format!("this is nested more than {MAX_DEPTH} levels deep");
    Diagnostic::new(Place::of(tokens), headline)
}

/// Whether `syn` could need more stack for a struct than there is: it goes down for each `<`, `&` and `-`.
pub(crate) fn is_too_deep_for_syn(tokens: &TokenStream) -> bool {
    const MAX_LENGTH: usize = 16 * MAX_DEPTH;
    if is_too_deep(tokens.clone()) {
        return true;
    }
    let mut open = vec![tokens.clone()];
    while let Some(tokens) = open.pop() {
        let (mut length, mut depth) = (0, 0_usize);
        for token in tokens {
            length += 1;
            match token {
                TokenTree::Group(group) => open.push(group.stream()),
                TokenTree::Punct(punct) => match punct.as_char() {
                    ',' | ';' => length = 0,
                    '<' => depth += 1,
                    '>' => depth = depth.saturating_sub(1),
                    _ => {}
                },
                TokenTree::Ident(_) | TokenTree::Literal(_) => {}
            }
            if length > MAX_LENGTH || depth > MAX_DEPTH {
                return true;
            }
        }
    }
    false
}

fn is_too_deep(tokens: TokenStream) -> bool {
    let mut open = vec![(tokens, 0)];
    while let Some((tokens, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return true;
        }
        open.extend(tokens.into_iter().filter_map(|token| match token {
            TokenTree::Group(group) => Some((group.stream(), depth + 1)),
            _ => None,
        }));
    }
    false
}

/// What the readers share.
struct Parser<'e> {
    errors: &'e mut Collector,
    depth: usize,
    incomplete: bool,
}

impl Parser<'_> {
    /// Reads one level deeper, or refuses to.
    fn nested<T>(
        &mut self,
        input: ParseStream,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        if self.depth >= 4 * MAX_DEPTH {
            return Err(Diagnostic::new(input.span(), "this is nested too deeply"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Reads from the inside of a group; where that fails, skips the rest of the group, about which `syn` would complain.
    fn or_drain<T>(
        &mut self,
        input: ParseStream,
        read: impl FnOnce(&mut Self, ParseStream) -> Result<T>,
    ) -> Result<T> {
        read(self, input).inspect_err(|_| drain(input))
    }

    fn report(&mut self, error: Diagnostic) {
        self.incomplete = true;
        self.errors.push(error);
    }
}

/// Skips everything that is left.
fn drain(input: ParseStream) {
    while input.parse::<TokenTree>().is_ok() {}
}

/// Skips to behind the next `;`, or behind the next body that is the end of its statement.
fn recover(input: ParseStream) {
    while !input.is_empty() && !input.peek(Token![;]) {
        let is_body = peek_body(input);
        if input.parse::<TokenTree>().is_err() {
            return;
        }
        if is_body
            && !input.peek(Token![->])
            && !input.peek(Token![;])
            && !item::peek_keyword(input, "skip")
        {
            return;
        }
    }
    drop(input.parse::<Option<Token![;]>>());
}

/// Reads the comma between two parts of a list: `true` if it stood there, `false` at the end.
fn comma(input: ParseStream) -> Result<bool> {
    if input.is_empty() {
        return Ok(false);
    }
    if input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
        return Ok(true);
    }
    Err(Diagnostic::new(
        input.span(),
        "expected `,` or the end of the list",
    ))
}

/// Whether an identifier-like word stands next, keyword or not.
fn peek_word(input: ParseStream) -> bool {
    use syn::ext::IdentExt as _;
    input.peek(proc_macro2::Ident::peek_any)
}

/// Whether a body stands next.
fn peek_body(input: ParseStream) -> bool {
    input.peek(token::Brace)
}
