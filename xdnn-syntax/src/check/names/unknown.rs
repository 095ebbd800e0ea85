//! What to say of names that nobody knows.

use xdnn_ir::Layer;
use xdnn_ir::message::{aliases, refusals};

use super::{Names, Others, Position, text};
use crate::ast::{Call, Step};
use crate::diagnostic::Diagnostic;
use crate::suggest;

impl Names<'_, '_> {
    /// What to say about the name of a step that is neither value nor block nor layer, and what was probably meant.
    pub(super) fn unknown(
        &self,
        step: &Step,
        call: &Call,
        name: &str,
        position: Position,
    ) -> (Diagnostic, Option<String>) {
        // A label names a layer.
        let first = position != Position::Later && step.label.is_none();
        if let Some(mistake) = self.mistake(step, call, name, first) {
            return mistake;
        }
        let what = what(call, name, first);
        let error = Diagnostic::new(&call.name, format!("unknown {what} `{name}`"));
        let help = match what {
            "layer" => "the layers are those of `xdnn::ir::layer`".to_owned(),
            "block" => format!("declare it: `block {name}(…) {{ … }}`"),
            _ => format!("declare it before it is used: `let {name} = …;`"),
        };
        let error = error.help(help);
        if what == "layer" && !call.arguments().is_empty() {
            let help =
                format!("if it is your own, with `#[xdnn]`, write its path: `self::{name}(…)`");
            return (error.help(help), None);
        }
        if position == Position::Alone && matches!(self.others, Others::Asked) {
            let help = format!("if it is a function, put it in braces here: `{{ {name} }}`");
            return (error.help(help), None);
        }
        (error, None)
    }

    /// What to say about an unknown name that the language can explain, and what was probably meant.
    pub(super) fn mistake(
        &self,
        step: &Step,
        call: &Call,
        name: &str,
        first: bool,
    ) -> Option<(Diagnostic, Option<String>)> {
        // Functions have such names, and are as good as layers.
        let like_a_function = name.starts_with(char::is_lowercase) && call.arguments().is_empty();
        let own = |error: Diagnostic| match like_a_function {
            true => error.help(format!(
                "a function of yours that has this name goes by its path: `self::{name}`"
            )),
            false => error,
        };
        if refusals::find(name).is_some() && self.regular {
            let error = Diagnostic::new(&call.name, format!("unknown layer `{name}`"))
                .note(format!(
                    "`#[regular]` allows what is not homogeneous, but the language has no `{name}`"
                ))
                .help("the layers are those of `xdnn::ir::layer`");
            return Some((error, None));
        }
        if let Some(message) = refusals::message(name) {
            let error = Diagnostic::from_message(&call.name, message);
            return Some((own(error), None));
        }
        if self.network.as_deref() == Some(name) {
            let error = Diagnostic::new(&call.name, format!("`{name}` contains itself"));
            let note = "what stands in a network is unrolled, so that this would never end";
            return Some((error.note(note), None));
        }
        let what = what(call, name, first);
        let error = Diagnostic::new(&call.name, format!("unknown {what} `{name}`"));
        if let Some(meant) = aliases::layer(name) {
            return Some((own(error.help(format!("did you mean `{meant}`?"))), None));
        }
        if let Some(combine) = aliases::combination(name) {
            let help = format!("name the flows to combine: `{}(a, b)`", combine.name());
            return Some((error.help(help), None));
        }
        if let Some(later) = aliases::later(name).filter(|_| !like_a_function) {
            let error = error.note(format!(
                "`{later}` is homogeneous, but not in this release of the language"
            ));
            let help = "the layers of this release are those of `xdnn::ir::layer`";
            return Some((error.help(help), None));
        }
        if ["residual", "repeat", "skip", "block"].contains(&name) {
            let note =
                format!("`{name}` is a word of the language, and a body in braces belongs to it");
            return Some((error.note(note), None));
        }
        if let Some(meant) = self.closest(name, !like_a_function) {
            let error = error.help(format!("did you mean `{meant}`?"));
            let like_a_struct = name.starts_with(char::is_uppercase) && call.arguments().is_empty();
            let error = match like_a_struct {
                true => error.help(format!(
                    "a struct of yours that has this name goes by its path: `self::{name}`"
                )),
                false => error,
            };
            return Some((error, Some(meant)));
        }
        if self
            .levels
            .iter()
            .any(|level| level.values.contains_key(name))
        {
            let error = error.note("a block sees its parameters and the value that flows into it, but no values around it");
            let help = "let the value flow in, or write the flow without a block";
            return Some((error.help(help), None));
        }
        if self.labels.contains(name) && step.label.as_ref().is_none_or(|label| text(label) != name)
        {
            let error = error.note(format!(
                "`{name}` is the label of a step: it names weights, not a value"
            ));
            let help = format!("give the value a name, and use that: `let y = {name}: …;`");
            return Some((error.help(help), None));
        }
        None
    }

    /// The visible value, block or layer whose name is close to this one.
    fn closest(&self, name: &str, with_layers: bool) -> Option<String> {
        let closed = self.levels.iter().rev().position(|level| level.closed);
        let visible = closed.map_or(self.levels.len(), |n| n + 1);
        let values = self
            .levels
            .iter()
            .rev()
            .take(visible)
            .flat_map(|level| level.values.keys());
        let blocks = self
            .levels
            .iter()
            .rev()
            .flat_map(|level| level.blocks.keys());
        let layers = Layer::SIGNATURES.iter().filter(|_| with_layers);
        let layers = layers.map(|signature| signature.name);
        let candidates = values.chain(blocks).map(String::as_str).chain(layers);
        suggest::closest(name, candidates.filter(|candidate| *candidate != name)).map(str::to_owned)
    }
}

/// What a step of this name would be.
fn what(call: &Call, name: &str, first: bool) -> &'static str {
    match (name.starts_with(char::is_uppercase), &call.arguments) {
        (true, _) => "layer",
        (false, Some(_)) => "block",
        (false, None) if first => "value",
        (false, None) => "layer",
    }
}
