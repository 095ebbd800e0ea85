//! The insides of parentheses, brackets and braces.

use proc_macro2::extra::DelimSpan;
use syn::parse::ParseBuffer;

type Group<'s> = (ParseBuffer<'s>, DelimSpan);

pub(super) fn parentheses<'s>(input: &ParseBuffer<'s>) -> syn::Result<Group<'s>> {
    let content;
    let token = syn::parenthesized!(content in input);
    Ok((content, token.span))
}

pub(super) fn brackets<'s>(input: &ParseBuffer<'s>) -> syn::Result<Group<'s>> {
    let content;
    let token = syn::bracketed!(content in input);
    Ok((content, token.span))
}

pub(super) fn braces<'s>(input: &ParseBuffer<'s>) -> syn::Result<Group<'s>> {
    let content;
    let token = syn::braced!(content in input);
    Ok((content, token.span))
}
