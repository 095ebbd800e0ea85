//! What is wrong with a network, where, why, and what to write instead.

use std::collections::HashSet;
use std::fmt;

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;
use xdnn_ir::message::Message;

/// Where something stands in the source: from the start of its first token to the end of its last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    start: Span,
    end: Span,
}

impl Place {
    pub(crate) fn between(start: Span, end: Span) -> Self {
        Self { start, end }
    }

    pub(crate) fn to(self, end: Self) -> Self {
        Self::between(self.start, end.end)
    }

    /// The place of some tokens; that of the macro call where there are none.
    pub(crate) fn of(tokens: impl ToTokens) -> Self {
        let mut spans = tokens
            .into_token_stream()
            .into_iter()
            .map(|token| token.span());
        let start = spans.next().unwrap_or_else(Span::call_site);
        Self::between(start, spans.last().unwrap_or(start))
    }

    /// The place of the last token alone.
    pub(crate) fn last_token(self) -> Self {
        Self::between(self.end, self.end)
    }

    /// The tokens, so that the compiler takes them to stand here. The first must be a word or a punctuation mark.
    pub(crate) fn around(self, tokens: TokenStream) -> TokenStream {
        let mut tokens: Vec<_> = tokens.into_iter().collect();
        let last = tokens.len().saturating_sub(1);
        for (i, token) in tokens.iter_mut().enumerate() {
            match token {
                TokenTree::Group(group) => group.set_span(self.end),
                token if i == last => token.set_span(self.end),
                token => token.set_span(self.start),
            }
        }
        tokens.into_iter().collect()
    }

    pub(crate) fn same(self, other: Self) -> bool {
        self.key() == other.key()
    }

    /// Spans cannot be compared on stable Rust, but their debugging text holds their position.
    pub(crate) fn key(self) -> String {
        format!("{:?}-{:?}", self.start, self.end)
    }
}

impl From<Span> for Place {
    fn from(span: Span) -> Self {
        Self::between(span, span)
    }
}

impl From<&Ident> for Place {
    fn from(ident: &Ident) -> Self {
        ident.span().into()
    }
}

/// One mistake: a headline, notes that say why it is one, and helps that say what to write instead.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    place: Place,
    headline: String,
    notes: Vec<String>,
    helps: Vec<String>,
}

impl Diagnostic {
    pub(crate) fn new(place: impl Into<Place>, headline: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            headline: headline.into(),
            notes: Vec::new(),
            helps: Vec::new(),
        }
    }

    pub(crate) fn from_message(place: impl Into<Place>, message: Message) -> Self {
        Self {
            place: place.into(),
            headline: message.headline,
            notes: message.note.into_iter().collect(),
            helps: message.help.into_iter().collect(),
        }
    }

    /// The same mistake, but another place is to blame.
    #[must_use]
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.helps.push(help.into());
        self
    }

    /// What is wrong.
    pub fn headline(&self) -> &str {
        &self.headline
    }

    /// Why it is wrong.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What to write instead.
    pub fn helps(&self) -> &[String] {
        &self.helps
    }

    /// The line where the mistake starts, from 1, and the column, from 0.
    pub fn position(&self) -> (usize, usize) {
        let start = self.place.start.start();
        (start.line, start.column)
    }

    /// The same mistake in two instances of a block differs in its numbers alone.
    fn key(&self) -> (String, String) {
        let words = self.headline.chars().filter(|c| c.is_alphabetic());
        (self.place.key(), words.collect())
    }

    /// `::core::compile_error! { "…" }` at the place of the mistake.
    pub(crate) fn to_compile_error(&self) -> TokenStream {
        let (start, end) = (self.place.start, self.place.end);
        let punct = |char, spacing| {
            let mut punct = Punct::new(char, spacing);
            punct.set_span(start);
            TokenTree::Punct(punct)
        };
        let mut text = proc_macro2::Literal::string(&self.to_string());
        text.set_span(end);
        let mut group = Group::new(Delimiter::Brace, TokenTree::Literal(text).into());
        group.set_span(end);
        TokenStream::from_iter([
            punct(':', Spacing::Joint),
            punct(':', Spacing::Alone),
            TokenTree::Ident(Ident::new("core", start)),
            punct(':', Spacing::Joint),
            punct(':', Spacing::Alone),
            TokenTree::Ident(Ident::new("compile_error", start)),
            punct('!', Spacing::Alone),
            TokenTree::Group(group),
        ])
    }
}

/// The headline, then one line for each note and help, in rustc's form.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline)?;
        let notes = self.notes.iter().map(|text| ("note", text));
        let helps = self.helps.iter().map(|text| ("help", text));
        for (i, (kind, text)) in notes.chain(helps).enumerate() {
            write!(
                f,
                "{}  = {kind}: {text}",
                if i == 0 { "\n\n" } else { "\n" }
            )?;
        }
        Ok(())
    }
}

impl From<syn::Error> for Diagnostic {
    fn from(error: syn::Error) -> Self {
        Self::new(error.span(), error.to_string())
    }
}

/// Everything that is wrong with a network, in the order of its source. Never empty.
#[derive(Clone, Debug)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The mistakes.
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl Diagnostics {
    /// The text does not even consist of Rust's tokens.
    pub(crate) fn from_lexer(error: &proc_macro2::LexError) -> Self {
        Self(vec![Diagnostic::new(error.span(), error.to_string())])
    }

    pub(crate) fn unreadable() -> Self {
        Self(vec![Diagnostic::new(
            Span::call_site(),
            "this is no network",
        )])
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.0 {
            let (line, column) = diagnostic.position();
            writeln!(f, "{line}:{column}: {diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Collects mistakes, so that all of them come in one compile. It must be consumed by [`Collector::finish`].
#[derive(Debug, Default)]
pub(crate) struct Collector {
    diagnostics: Vec<Diagnostic>,
    seen: HashSet<(String, String)>,
    finished: bool,
}

impl Collector {
    /// Adds a mistake, unless the same one is there already.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.seen.insert(diagnostic.key()) {
            self.diagnostics.push(diagnostic);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// All that was collected, in the order of the source.
    pub(crate) fn finish(mut self) -> Result<(), Diagnostics> {
        self.finished = true;
        let mut diagnostics = std::mem::take(&mut self.diagnostics);
        diagnostics.sort_by_key(Diagnostic::position);
        if diagnostics.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics(diagnostics))
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        debug_assert!(
            self.finished || std::thread::panicking(),
            "a collector of mistakes was dropped unread"
        );
    }
}
