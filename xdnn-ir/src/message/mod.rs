//! The words of every refusal: what is wrong, why the mathematics forbids it, and what to write instead.
//!
//! - [`refusals`]: layers of other frameworks that are not homogeneous, with reason and remedy.
//! - [`aliases`]: other frameworks' names for what the language has, and layers that it does not have yet.
//! - [`fault`]: what a rule's [`Fault`](crate::Fault) says.

pub mod aliases;
pub mod fault;
pub mod output;
pub mod refusals;
mod residual;
pub(crate) mod text;

pub use text::Text;

/// A message in three parts: what is wrong, why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What is wrong.
    pub headline: String,
    /// Why it is wrong.
    pub note: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Message {
    /// A message without note and help.
    pub fn new(headline: impl Into<String>) -> Self {
        Self {
            headline: headline.into(),
            note: None,
            help: None,
        }
    }

    /// Why it is wrong, or what, where there is nothing more to say.
    pub fn reason(&self) -> &str {
        self.note.as_deref().unwrap_or(&self.headline)
    }

    /// The message with a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The message with a help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A [`Message`] that const evaluation can write.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// What is wrong.
    pub headline: Text,
    /// Why it is wrong.
    pub note: Option<Text>,
    /// What to write instead.
    pub help: Option<Text>,
}

impl Explanation {
    pub(crate) const fn new(headline: Text) -> Self {
        Self {
            headline,
            note: None,
            help: None,
        }
    }

    pub(crate) const fn note(mut self, note: Text) -> Self {
        self.note = Some(note);
        self
    }

    pub(crate) const fn help(mut self, help: Text) -> Self {
        self.help = Some(help);
        self
    }

    /// All of it as the compiler shows it. `chain` is a further note, or empty.
    pub(crate) const fn in_full(&self, chain: &str) -> Text {
        let mut full = self.headline;
        let mut separator = "\n\n";
        if let Some(note) = &self.note {
            full.append(&[separator, "  = note: ", note.as_str()]);
            separator = "\n";
        }
        if !chain.is_empty() {
            full.append(&[separator, "  = note: ", chain]);
            separator = "\n";
        }
        if let Some(help) = &self.help {
            full.append(&[separator, "  = help: ", help.as_str()]);
        }
        full
    }
}

impl From<Explanation> for Message {
    fn from(explanation: Explanation) -> Self {
        Self {
            headline: explanation.headline.into(),
            note: explanation.note.map(String::from),
            help: explanation.help.map(String::from),
        }
    }
}

/// Whether two names are the same but for case and underscores, as `LeakyReLU` and `leaky_relu` are.
pub fn same_name(a: &str, b: &str) -> bool {
    let letters = |name: &str| {
        let kept: Vec<_> = name
            .chars()
            .filter(|c| *c != '_')
            .map(|c| c.to_ascii_lowercase())
            .collect();
        kept
    };
    letters(a) == letters(b)
}
