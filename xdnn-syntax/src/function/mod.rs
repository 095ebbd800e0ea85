//! `#[xdnn] fn`: scalar functions whose degree is proved from their bodies.
//!
//! The proof ([`body`]) finds the degree `p`. By it `f(x) = f(1)·x^p` for `x > 0` and `f(x) = f(−1)·|x|^p` for `x < 0`,
//! so that the values at 1 and −1, which the same body gives ([`program`]), are the whole function.

mod body;
mod methods;
mod program;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, ItemFn, Pat, ReturnType, Signature, Type};
use xdnn_ir::{Degree, Function};

use crate::diagnostic::{Collector, Diagnostic, Place};
use body::{Kind, Reader};
use program::{Dual, Step};

/// How many tokens a body may have: what is nested deeper than that fits on no stack.
const MAX_TOKENS: usize = 1_000;

/// Reads a function. Mistakes go to `errors`.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Collector) -> Option<ItemFn> {
    if is_too_long(&tokens) {
        errors.push(Diagnostic::new(
            Place::of(tokens),
            format!("this function has more than {MAX_TOKENS} tokens"),
        ));
        return None;
    }
    syn::parse2(tokens)
        .map_err(|error| errors.push(error.into()))
        .ok()
}

/// Proves a function. Mistakes go to `errors`.
pub(crate) fn prove(item: &ItemFn, errors: &mut Collector) -> Option<Function> {
    let mut sound = true;
    for error in signature(&item.sig) {
        errors.push(error);
        sound = false;
    }
    let argument = argument(&item.sig).filter(|_| sound)?;
    let (steps, kind) = read(argument, item, errors)?;
    let at = |x| program::at(&steps, x);
    finish(item, kind, at(1.0), at(-1.0), at(0.0))
        .map_err(|error| errors.push(error))
        .ok()
}

/// The steps of the body, and what is known of the last one.
fn read(argument: &Ident, item: &ItemFn, errors: &mut Collector) -> Option<(Vec<Step>, Kind)> {
    let mut reader = Reader::new(argument, errors);
    let result = reader.block(&item.block)?;
    let mut steps = reader.steps;
    // The last step that was read need not be that of the result.
    steps.push(Step::Select(result.step, result.step, result.step));
    Some((steps, result.kind))
}

/// Whether reading the item could go too deep.
fn is_too_long(tokens: &TokenStream) -> bool {
    let mut open = vec![tokens.clone()];
    let mut count = 0;
    while let Some(tokens) = open.pop() {
        for token in tokens {
            count += 1;
            if count > MAX_TOKENS {
                return true;
            }
            if let TokenTree::Group(group) = token {
                open.push(group.stream());
            }
        }
    }
    false
}

/// What is wrong with the head of a function.
fn signature(signature: &Signature) -> Vec<Diagnostic> {
    let form = format!(
        "the form is `fn {}(x: f32) -> f32 {{ … }}`",
        signature.ident
    );
    let mut errors = Vec::new();
    let mut refuse = |at: Place, headline: &str| {
        errors.push(Diagnostic::new(at, headline).help(form.clone()));
    };
    if let Some(word) = &signature.asyncness {
        refuse(Place::of(word), "a function of `#[xdnn]` cannot be `async`");
    }
    if signature.safety.to_token_stream().to_string() == "unsafe" {
        refuse(
            Place::of(&signature.safety),
            "a function of `#[xdnn]` cannot be `unsafe`",
        );
    }
    if let Some(abi) = &signature.abi {
        refuse(
            Place::of(abi),
            "a function of `#[xdnn]` has Rust's calling convention",
        );
    }
    if !signature.generics.params.is_empty() {
        refuse(
            Place::of(&signature.generics),
            "a function of `#[xdnn]` cannot be generic",
        );
    }
    match signature.inputs.iter().collect::<Vec<_>>().as_slice() {
        [FnArg::Typed(typed)] => {
            if !is_f32(&typed.ty) {
                refuse(
                    Place::of(&typed.ty),
                    "the argument of a function of `#[xdnn]` is an `f32`",
                );
            }
            if argument(signature).is_none() {
                refuse(
                    Place::of(&typed.pat),
                    "the argument of a function of `#[xdnn]` has a plain name",
                );
            }
        }
        [] => refuse(
            Place::from(&signature.ident),
            "a function of `#[xdnn]` has one argument",
        ),
        _ => refuse(
            Place::of(&signature.inputs),
            "a function of `#[xdnn]` has one argument, the element that it maps",
        ),
    }
    match &signature.output {
        ReturnType::Type(_, of) if is_f32(of) => {}
        ReturnType::Type(_, of) => {
            refuse(Place::of(of), "a function of `#[xdnn]` returns an `f32`")
        }
        ReturnType::Default => refuse(
            Place::from(&signature.ident),
            "a function of `#[xdnn]` returns an `f32`",
        ),
    }
    errors
}

fn argument(signature: &Signature) -> Option<&Ident> {
    match signature.inputs.first()? {
        FnArg::Typed(typed) => match &*typed.pat {
            Pat::Ident(name)
                if name.mutability.is_none() && name.by_ref.is_none() && name.subpat.is_none() =>
            {
                Some(&name.ident)
            }
            _ => None,
        },
        FnArg::Receiver(_) => None,
    }
}

fn is_f32(of: &Type) -> bool {
    matches!(of, Type::Path(path) if path.qself.is_none() && path.path.is_ident("f32"))
}

/// The function of this degree and these values at 1, −1 and 0, where they are of use in a network.
fn finish(
    item: &ItemFn,
    kind: Kind,
    positive: Dual,
    negative: Dual,
    zero: Dual,
) -> Result<Function, Diagnostic> {
    let name = &item.sig.ident;
    let error = |headline: String| Diagnostic::new(name, headline);
    let nothing = || {
        error(format!("`{name}` is 0 everywhere"))
            .note("whatever flows through it has no part in the output")
    };
    let degree = match kind {
        Kind::Degree(degree) => degree,
        Kind::Zero => return Err(nothing()),
        Kind::Truth => return Err(error(format!("`{name}` returns a `bool`"))),
    };
    if degree.numerator() < 0 {
        return Err(error(format!(
            "`{name}` is homogeneous of degree {degree}, and has no value at 0"
        ))
        .note("zeros are common in networks: a ReLU makes them")
        .help("multiply by powers of the argument until the degree is 0 or more"));
    }
    for (x, found) in [("1.0", positive), ("-1.0", negative), ("0.0", zero)] {
        if (found.value as f32).is_finite() {
            continue;
        }
        let what = match found.value.is_nan() {
            true => "is not a number",
            false => "is not finite",
        };
        let error = error(format!("`{name}({x})` {what}"));
        return Err(match x {
            "0.0" => error
                .note("zeros are common in networks: a ReLU makes them")
                .help("say what it is there: `if x == 0.0 { 0.0 } else { … }`"),
            "-1.0" if (positive.value as f32).is_finite() => {
                error.note("values in networks have both signs").help(
                    "say what it is below 0: take roots and powers of `x.max(0.0)` or of `x.abs()`",
                )
            }
            _ => error.help("use smaller constants"),
        });
    }
    if [positive, negative, zero]
        .iter()
        .all(|found| found.value == 0.0)
    {
        return Err(nothing());
    }
    // The slopes on both sides of 0 are f(1) and -f(-1).
    let at_zero = if degree == Degree::ZERO {
        zero.value
    } else if degree != Degree::ONE {
        0.0
    } else if (zero.slope as f32).is_finite() {
        zero.slope
    } else {
        program::between(positive.value, -negative.value)
    };
    Ok(Function {
        name: intern(&name.to_string()),
        degree,
        positive: positive.value,
        negative: negative.value,
        at_zero,
    })
}

/// The name as a constant has it. Each is kept once, for as long as the process lives.
pub(crate) fn intern(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.into());
    names.insert(kept);
    kept
}
