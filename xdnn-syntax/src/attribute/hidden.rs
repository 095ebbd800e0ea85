//! The macro that an item leaves behind.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Visibility};

use crate::declaration::Declaration;

/// The macro that hands a declaration to whoever asks for it, under the name of the item.
///
/// It is called with the macros to go on with, each in brackets, and what to give to the last one. Without anything it
/// is nothing: whoever does that wants to know whether it exists.
pub(crate) fn hidden(
    name: &Ident,
    visibility: &Visibility,
    attributes: &[Attribute],
    declaration: &Declaration,
) -> TokenStream {
    let declaration = declaration.written(name);
    let unique = unique(name);
    let cfg: Vec<_> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .collect();
    let export = matches!(visibility, Visibility::Public(_)).then(|| quote!(#[macro_export]));
    quote! {
        #(#cfg)*
        #[doc(hidden)]
        #[allow(unused_macros, non_local_definitions)]
        #export
        macro_rules! #unique {
            () => {};
            ([$($next:tt)*] $($rest:tt)*) => {
                $($next)*! { $($rest)* { #declaration } }
            };
        }

        #(#cfg)*
        #[doc(hidden)]
        #[allow(unused_imports, unreachable_pub)]
        #visibility use #unique as #name;
    }
}

/// A name that no other item has: exported macros all live in one place.
fn unique(name: &Ident) -> Ident {
    let place = name.span();
    let mut hasher = DefaultHasher::new();
    (place.file(), place.start().line, place.start().column).hash(&mut hasher);
    // With the expansion that the name stands in, where it stands in one.
    format!("{place:?}").hash(&mut hasher);
    format_ident!(
        "__xdnn_{name}_{:016x}",
        hasher.finish(),
        span = Span::call_site()
    )
}
