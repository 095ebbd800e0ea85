//! Expressions: arithmetic on integers and names, and the few other things that an argument may be.
//!
//! Rust's own expressions are far too many, and would read the body of `repeat n { … }` as a struct literal.

use proc_macro2::{Delimiter, Ident};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Lit, Token, token};

use super::{Parser, Result, group};
use crate::ast::{Expr, ExprKind, Operator};
use crate::diagnostic::{Diagnostic, Place};

impl Parser<'_> {
    pub(super) fn expr(&mut self, input: ParseStream) -> Result<Expr> {
        self.nested(input, |parser| parser.binary(input, 0))
    }

    /// Reads operators that bind tighter than `precedence`.
    fn binary(&mut self, input: ParseStream, precedence: u8) -> Result<Expr> {
        let mut left = self.unary(input)?;
        let mut length = 0;
        while let Some(operator) = peek_operator(input).filter(|o| o.precedence() > precedence) {
            length += 1;
            if length > super::MAX_DEPTH {
                return Err(Diagnostic::new(input.span(), "this expression is too long"));
            }
            skip_punct(input)?;
            let right = self.nested(input, |parser| parser.binary(input, operator.precedence()))?;
            left = Expr {
                place: left.place.to(right.place),
                kind: ExprKind::Binary(Box::new(left), operator, Box::new(right)),
            };
        }
        Ok(left)
    }

    fn unary(&mut self, input: ParseStream) -> Result<Expr> {
        if !input.peek(Token![-]) || input.peek(Token![->]) {
            return self.primary(input);
        }
        let minus = Place::from(input.span());
        skip_punct(input)?;
        let value = self.nested(input, |parser| parser.unary(input))?;
        Ok(Expr {
            place: minus.to(value.place),
            kind: ExprKind::Negative(Box::new(value)),
        })
    }

    fn primary(&mut self, input: ParseStream) -> Result<Expr> {
        if input.peek(token::Group) {
            return self.captured(input);
        }
        if input.peek(Lit) {
            return literal(&input.parse()?);
        }
        if input.peek(token::Paren) {
            let (content, paren) = group::parentheses(input)?;
            let (mut list, trailing) = self.list(&content)?;
            let single = list.len() == 1 && !trailing;
            let kind = match list.pop() {
                Some(only) if single => ExprKind::Parenthesized(Box::new(only)),
                last => ExprKind::Tuple(list.into_iter().chain(last).collect()),
            };
            return Ok(Expr {
                place: paren.join().into(),
                kind,
            });
        }
        if input.peek(token::Bracket) {
            let (content, bracket) = group::brackets(input)?;
            let (list, _) = self.list(&content)?;
            return Ok(Expr {
                place: bracket.join().into(),
                kind: ExprKind::List(list),
            });
        }
        if input.peek(Token![::]) || input.peek(Ident::peek_any) && input.peek2(Token![::]) {
            return path(input);
        }
        if input.peek(Ident::peek_any) {
            let name = Ident::parse_any(input)?;
            return Ok(Expr {
                place: name.span().into(),
                kind: ExprKind::Name(name),
            });
        }
        Err(Diagnostic::new(
            input.span(),
            "expected a number, a name or `(`",
        ))
    }

    /// An expression that a `macro_rules!` captured: it binds as if in parentheses.
    fn captured(&mut self, input: ParseStream) -> Result<Expr> {
        let tokens = input.step(|cursor| match cursor.group(Delimiter::None) {
            Some((inside, _, rest)) => Ok((inside.token_stream(), rest)),
            None => Err(cursor.error("expected an expression")),
        })?;
        let place = Place::of(&tokens);
        let mut read = Err(Diagnostic::new(place, "expected an expression"));
        let inner = |input: ParseStream| {
            read = self.or_drain(input, Self::expr);
            Ok(())
        };
        inner.parse2(tokens)?;
        Ok(Expr {
            place,
            kind: ExprKind::Parenthesized(Box::new(read?)),
        })
    }

    /// Expressions between commas, up to the end, and whether a comma stood there.
    pub(super) fn list(&mut self, input: ParseStream) -> Result<(Vec<Expr>, bool)> {
        let (mut list, mut trailing) = (Vec::new(), false);
        while !input.is_empty() {
            list.push(self.or_drain(input, Self::expr)?);
            trailing = self.or_drain(input, |_, input| super::comma(input))?;
        }
        Ok((list, trailing))
    }
}

fn peek_operator(input: ParseStream) -> Option<Operator> {
    if input.peek(Token![->]) {
        None
    } else if input.peek(Token![+]) {
        Some(Operator::Add)
    } else if input.peek(Token![-]) {
        Some(Operator::Sub)
    } else if input.peek(Token![*]) {
        Some(Operator::Mul)
    } else if input.peek(Token![/]) {
        Some(Operator::Div)
    } else if input.peek(Token![%]) {
        Some(Operator::Rem)
    } else {
        None
    }
}

/// A constant of the user's crate.
fn path(input: ParseStream) -> Result<Expr> {
    let path = input.call(syn::Path::parse_mod_style)?;
    let place = Place::of(&path);
    if path.segments.iter().any(|segment| segment.ident == "Self") {
        return Err(Diagnostic::new(place, "`Self` has no constants here")
            .note("`Self` would be the network, whose sizes are being declared")
            .help("name the type that has the constant, as in `Config::WIDTH`"));
    }
    Ok(Expr {
        place,
        kind: ExprKind::Path(path),
    })
}

fn skip_punct(input: ParseStream) -> Result<()> {
    input.parse::<proc_macro2::Punct>()?;
    Ok(())
}

fn literal(literal: &Lit) -> Result<Expr> {
    let place = Place::from(literal.span());
    let kind = match literal {
        Lit::Int(int) if int.suffix() == "f32" || int.suffix() == "f64" => {
            ExprKind::Float(int.base10_digits().parse().unwrap_or(f64::NAN))
        }
        Lit::Int(int) if !int.suffix().is_empty() && int.suffix() != "usize" => {
            return Err(
                Diagnostic::new(place, format!("an integer of type `{}`", int.suffix())).help(
                    format!("sizes are `usize`: write `{}`", int.base10_digits()),
                ),
            );
        }
        Lit::Int(int) => match int.base10_parse() {
            Ok(value) => ExprKind::Int(value),
            Err(_) => {
                return Err(Diagnostic::new(
                    place,
                    format!("`{int}` is too large for a size"),
                ));
            }
        },
        Lit::Float(float) => match float.base10_parse::<f64>() {
            Ok(value) if value.is_finite() => ExprKind::Float(value),
            _ => {
                return Err(Diagnostic::new(
                    place,
                    format!("`{float}` is too large for a number"),
                ));
            }
        },
        Lit::Bool(bool) => ExprKind::Bool(bool.value),
        Lit::Str(text) => ExprKind::Text(text.value()),
        _ => return Err(Diagnostic::new(place, "expected a number, a name or `(`")),
    };
    Ok(Expr { place, kind })
}
