//! What can be said about a network beyond its single steps.

pub(crate) mod names;
pub(crate) mod output;
pub(crate) mod usage;
