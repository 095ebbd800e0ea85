//! `#[regular]` networks: why they have no `attribute`, said where it is called.

use proc_macro2::TokenStream;
use quote::quote;
use xdnn_ir::message::Message;
use xdnn_ir::{NetworkSpec, Node};

use super::{Context, local};

/// Why a `#[regular]` network has no proved degree above 0; `None` for any other network.
pub(super) fn reason(context: &Context, spec: &NetworkSpec) -> Option<Message> {
    if !context.network.regular {
        return None;
    }
    let name = &*spec.name;
    Some(match (spec.first_inhomogeneous(), spec.degree()) {
        (Some((node, fault)), _) => {
            let cause = fault.message(node.operation.name());
            let headline = format!("`{name}` is not homogeneous, so it has no `attribute`");
            Message::new(headline)
                .note(format!("the first step that breaks homogeneity is {}: {}", place(node), cause.reason()))
                .help("call `integrated_gradients`, which any network has, or make the network homogeneous and remove `#[regular]`")
        }
        (None, Some(degree)) if degree.is_positive() => Message::new(format!(
            "`{name}` is `#[regular]`, so it has no `attribute`"
        ))
        .note(format!(
            "its layers are homogeneous of degree {degree}, which `#[regular]` leaves unproved"
        ))
        .help("remove `#[regular]`"),
        _ => Message::new(format!(
            "`{name}` is of degree 0, which leaves nothing to attribute"
        ))
        .note("by Euler's theorem the attributions x * dF/dx add up to degree * F(x)")
        .help("call `integrated_gradients`, which any network has"),
    })
}

/// ``the layer `conv1: Conv2d(64, kernel = 11, bias = true)` ``.
fn place(node: &Node) -> String {
    match (&*node.path, &node.operation) {
        ("", operation) => format!("`{operation}`"),
        (path, operation) if node.weights.is_empty() => format!("`{operation}` in `{path}`"),
        (path, operation) => format!("`{path}: {operation}`"),
    }
}

/// An implementation of `XNetwork` under a condition that never holds, and whose failure says why.
pub(super) fn unproved(context: &Context, reason: &Message) -> TokenStream {
    let Context {
        krate,
        network,
        generics,
        cfg,
    } = context;
    let (bound, given) = (&generics.bound, &generics.given);
    let (ident, headline) = (&network.name, escaped(&reason.headline));
    let notes = reason.note.iter().map(|note| escaped(note));
    let helps = reason
        .help
        .iter()
        .map(|help| escaped(&format!("help: {help}")));
    let (proved, homogeneity) = (local("__Proved"), local("__Homogeneity"));
    quote! {
        #(#cfg)*
        const _: () = {
            // Not known under `#![no_implicit_prelude]`, where a `#[regular]` network does not compile: rust-lang/rust#106518.
            #[diagnostic::on_unimplemented(message = #headline, label = "this network is `#[regular]`", #(note = #notes,)* #(note = #helps),*)]
            trait #proved {}

            // The compiler explains a bound on the network itself in the words of `XNetwork`.
            #[allow(dead_code)]
            enum #homogeneity {}

            // A bound without a lifetime would be checked here, and not where the trait is needed.
            #[automatically_derived]
            #[allow(private_bounds)]
            impl #bound #krate::XNetwork for #ident #given where for<'a> #homogeneity: #proved {}
        };
    }
}

/// The text in an attribute where braces stand for parameters.
fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}
