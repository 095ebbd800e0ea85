//! The words of every refusal: what is wrong, why the mathematics forbids it, and what to write instead.
//!
//! - [`refusals`]: layers of other frameworks that are not homogeneous, with reason and remedy.
//! - [`aliases`]: other frameworks' names for what the language has, and layers that it does not have yet.
//! - [`fault`]: what a rule's [`Fault`](crate::Fault) says.

pub mod aliases;
pub mod fault;
pub mod refusals;

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
