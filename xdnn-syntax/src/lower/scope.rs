//! What names stand for.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::ext::IdentExt as _;

use super::Current;
use super::size::Size;
use crate::ast::Block;

/// The names of a body, inside of those of the bodies around it.
#[derive(Clone, Default)]
pub(super) struct Scope<'s, 'a> {
    outer: Option<&'s Scope<'s, 'a>>,
    /// The body of a block: the values around it are not visible.
    closed: bool,
    /// Constants and parameters; `None` for those that a mistake hides.
    pub sizes: HashMap<String, Option<Size>>,
    pub blocks: HashMap<String, &'a Block>,
    pub values: HashMap<String, Current>,
}

/// A name without the `r#` that lets a keyword be one.
pub(super) fn text(name: &Ident) -> String {
    name.unraw().to_string()
}

impl<'a> Scope<'_, 'a> {
    /// A scope inside of this one.
    pub(super) fn child(&self) -> Scope<'_, 'a> {
        Scope {
            outer: Some(self),
            ..Scope::default()
        }
    }

    /// The scope of a block that is declared in this one.
    pub(super) fn closed_child(&self) -> Scope<'_, 'a> {
        Scope {
            closed: true,
            ..self.child()
        }
    }

    fn outwards(&self) -> impl Iterator<Item = &Scope<'_, 'a>> {
        std::iter::successors(Some(self), |scope| scope.outer)
    }

    /// `None` for a name that is not declared, `Some(None)` for one whose size a mistake hides.
    pub(super) fn size(&self, name: &str) -> Option<Option<Size>> {
        self.outwards()
            .find_map(|scope| scope.sizes.get(name).cloned())
    }

    pub(super) fn value(&self, name: &str) -> Option<Current> {
        for scope in self.outwards() {
            if let Some(value) = scope.values.get(name) {
                return Some(*value);
            }
            if scope.closed {
                return None;
            }
        }
        None
    }

    /// The block of that name, and the scope that declares it.
    pub(super) fn block(&self, name: &str) -> Option<(&'a Block, &Scope<'_, 'a>)> {
        self.outwards()
            .find_map(|scope| Some((*scope.blocks.get(name)?, scope)))
    }
}
