//! Labels: the paths of weights, and the structs that hold them.
//!
//! A label opens a frame; what is inside becomes a struct. Blocks, bodies and combinations without a label are
//! transparent: what is inside belongs to the frame around them.

use std::collections::HashMap;

use proc_macro2::{Ident, TokenStream};
use syn::Attribute;

use super::scope::text;
use super::{Current, Lowerer};
use crate::ast::Step;
use crate::diagnostic::{Diagnostic, Place};

/// What a struct of weights holds.
pub(crate) enum Members {
    /// A field for each label.
    Fields(Vec<Field>),
    /// An unlabelled `repeat`, which is all that there is: a list.
    List { element: Box<Members>, count: usize },
}

/// A field of a struct of weights.
pub(crate) struct Field {
    pub label: Ident,
    pub docs: Vec<Attribute>,
    pub of: FieldType,
}

pub(crate) enum FieldType {
    /// A layer of this name, as it is written.
    Layer { name: &'static str, text: String },
    /// A layer of another place, by its path.
    Custom { path: TokenStream, text: String },
    /// What is behind a label, which may be a call of this block.
    Scope {
        members: Members,
        block: Option<Ident>,
    },
}

impl Members {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Fields(fields) => fields.is_empty(),
            Self::List { element, .. } => element.is_empty(),
        }
    }
}

/// A scope of labels.
#[derive(Default)]
struct Frame {
    path: String,
    /// Where each label stands.
    labels: HashMap<String, Place>,
    fields: Vec<Field>,
    lists: Vec<(Members, usize, Place)>,
    /// How many calls of blocks led here.
    calls: usize,
}

/// The frames around the current step, innermost last.
#[derive(Default)]
pub(super) struct Frames {
    root: Frame,
    inner: Vec<Frame>,
}

impl Frames {
    fn top(&mut self) -> &mut Frame {
        self.inner.last_mut().unwrap_or(&mut self.root)
    }

    /// The path of the innermost frame.
    pub(super) fn path(&self) -> &str {
        &self.inner.last().unwrap_or(&self.root).path
    }

    /// The path of something of this name in the innermost frame.
    pub(super) fn join(&self, name: &str) -> String {
        match self.path() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }
}

impl<'a> Lowerer<'a, '_> {
    /// Declares the label of a step in the current frame.
    pub(super) fn declare_label(&mut self, label: &Ident) {
        let (name, place) = (text(label), Place::from(label));
        let Some(first) = self.frames.top().labels.insert(name.clone(), place) else {
            return;
        };
        let path = self.frames.join(&name);
        // A block that is called twice brings the same token twice: the second call is to blame.
        let calls = self.frames.top().calls;
        let again = self
            .calls
            .get(calls)
            .filter(|_| first.same(place))
            .map(|entry| (entry.name.clone(), entry.text.clone()));
        let diagnostic = match again {
            Some((block, call)) => Diagnostic::new(
                &block,
                format!("two calls of `{block}` stand in one place without labels of their own"),
            )
            .note(format!(
                "its label `{name}` would have the path `{path}` in both"
            ))
            .help(format!("give each its own label, as in `first: {call}`")),
            None => Diagnostic::new(label, format!("the label `{label}` is used twice"))
                .note(format!("both would have the path `{path}`"))
                .help("give each its own label"),
        };
        self.report(diagnostic);
    }

    /// Lowers a step, which may be a call of a block, in a frame of its own where it has a label.
    pub(super) fn labelled(
        &mut self,
        step: &Step,
        block: Option<&Ident>,
        lower: impl FnOnce(&mut Self) -> Current,
    ) -> Current {
        let Some(label) = &step.label else {
            return lower(self);
        };
        self.declare_label(label);
        self.enter(&text(label));
        let current = lower(self);
        let (members, block) = (self.leave(), block.cloned());
        self.add(
            label,
            step.docs.clone(),
            FieldType::Scope { members, block },
        );
        current
    }

    pub(super) fn enter(&mut self, name: &str) {
        let frame = Frame {
            path: self.frames.join(name),
            calls: self.calls.len(),
            ..Frame::default()
        };
        self.frames.inner.push(frame);
    }

    /// Leaves the innermost frame.
    pub(super) fn leave(&mut self) -> Members {
        let mut frame = self.frames.inner.pop().unwrap_or_default();
        if frame.fields.is_empty()
            && frame.lists.len() == 1
            && let Some((element, count, _)) = frame.lists.pop()
        {
            return Members::List {
                element: Box::new(element),
                count,
            };
        }
        self.close(frame)
    }

    pub(super) fn leave_root(&mut self) -> Members {
        let frame = std::mem::take(&mut self.frames.root);
        self.close(frame)
    }

    /// The fields of a frame. Lists have no place beside them, nor at the root.
    fn close(&mut self, frame: Frame) -> Members {
        for (element, _, place) in frame.lists {
            let prefix = if frame.path.is_empty() {
                "0".to_owned()
            } else {
                format!("{}.0", frame.path)
            };
            let path = match &element {
                Members::Fields(fields) => fields.first().map_or_else(
                    || prefix.clone(),
                    |field| format!("{prefix}.{}", field.label),
                ),
                Members::List { .. } => format!("{prefix}.0"),
            };
            self.report(
                Diagnostic::new(place, "this `repeat` needs a label")
                    .note(format!("its weights would have paths such as `{path}`, beside names that are no numbers"))
                    .help("write a label in front: `layers: repeat …`"),
            );
        }
        Members::Fields(frame.fields)
    }

    /// Adds a field to the current frame, unless there is nothing in it.
    pub(super) fn add(&mut self, label: &Ident, docs: Vec<Attribute>, of: FieldType) {
        if matches!(&of, FieldType::Scope { members, .. } if members.is_empty()) {
            return;
        }
        let fields = &mut self.frames.top().fields;
        if fields.iter().all(|field| field.label != *label) {
            fields.push(Field {
                label: label.clone(),
                docs,
                of,
            });
        }
    }

    /// Adds the weights of an unlabelled `repeat` to the current frame.
    pub(super) fn add_list(&mut self, element: Members, count: usize, place: Place) {
        if !element.is_empty() {
            self.frames.top().lists.push((element, count, place));
        }
    }
}
