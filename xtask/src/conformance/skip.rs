//! Why a test is not run.

use std::fmt;

use xdnn_ir::Fault;
use xdnn_ir::message::{aliases, refusals};

/// Tests are grouped by the reason; the detail tells one from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    pub reason: String,
    pub detail: String,
}

impl Skip {
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            detail: String::new(),
        }
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// A rule of the language refuses what the test asks for.
    pub fn rule(name: &str, fault: Fault) -> Self {
        Self::new(format!(
            "a rule refuses it: {}",
            fault.message(name).headline
        ))
    }

    /// Nothing in the language stands for this operator.
    pub fn operator(name: &str) -> Self {
        let reason = if refusals::find(name).is_some() {
            "not homogeneous: the language refuses the operator"
        } else if aliases::later(name).is_some() {
            "homogeneous, but no layer of the language yet"
        } else {
            "no layer of the language computes the operator"
        };
        Self::new(reason).detail(name)
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.detail.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.detail)
        }
    }
}
