//! Neural networks that explain themselves.
#![forbid(unsafe_code)]

pub use xdnn_ir as ir;

/// Declares a network, and proves it homogeneous while it compiles.
#[macro_export]
macro_rules! network {
    ($($tokens:tt)*) => {
        $crate::__private::network_impl! { [$crate] $($tokens)* }
    };
}

/// What generated code needs. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use xdnn_macros::network_impl;
}
