//! The front end of the language.
