//! Expansions rely on nothing around them and cause no warnings, whatever the crate forbids.
//!
//! xdnn has another name here, there is no prelude, and every lint that a careful crate turns on is an error.
#![deny(warnings, missing_docs, missing_debug_implementations)]
#![deny(
    unreachable_pub,
    unused_qualifications,
    single_use_lifetimes,
    let_underscore_drop
)]
#![deny(
    rust_2018_idioms,
    nonstandard_style,
    future_incompatible,
    keyword_idents,
    unused
)]
#![deny(
    clippy::all,
    clippy::pedantic,
    clippy::cargo,
    clippy::unwrap_used,
    clippy::expect_used
)]
#![deny(clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cargo_common_metadata, clippy::multiple_crate_versions)]
#![no_implicit_prelude]

pub mod act;
pub mod chain;
pub mod custom;
pub mod plain;
pub mod taken;

use ::neural::{Network, Seed};

/// The number of weights of a network that only this function knows.
#[must_use]
pub fn inside_of_a_function() -> usize {
    ::neural::network! {
        struct Local(x: [4]) -> [2] {
            block unit(width) { inner: Linear(width) -> Relu; }
            body: repeat 2 { unit(8); }
            head: Linear(2);
        }
    }
    {
        ::neural::network! { struct Local(x: [1, 4, 4], y: [2]) -> [18] { concat(x -> Flatten, y) -> Abs; } }
        let inner = Local::init(Seed(1));
        ::std::debug_assert_eq!(::std::format!("{inner:?}"), "Local");
    }
    let local = Local::init(Seed(1));
    ::std::debug_assert_eq!(local.body.len(), 2);
    Local::SPEC.parameters()
}

#[cfg(test)]
mod tests {
    use ::std::{assert_eq, format};

    use ::neural::{Device, Network, Seed, XNetwork};

    use super::{plain, taken};

    fn degree<N: XNetwork>() -> ::std::string::String {
        format!("{}", N::DEGREE)
    }

    #[test]
    fn a_function_may_declare_networks() {
        assert_eq!(super::inside_of_a_function(), 4 * 8 + 8 * 8 + 8 * 2);
    }

    #[test]
    fn networks_work_where_names_are_taken() {
        assert_eq!(degree::<taken::Result>(), "2");
        assert_eq!(degree::<plain::Second>(), "1");
        let network = taken::Vec::init(Seed(1));
        let model = ::neural::Network::compile(&network, Device::Cpu).unwrap();
        let x = ::neural::ndarray::Array2::<f32>::ones((1, 4));
        let y = ::neural::ndarray::Array2::<f32>::ones((1, 3));
        let output = model
            .forward(taken::VecInputs {
                x: x.view(),
                y: y.view(),
            })
            .unwrap();
        assert_eq!(output.shape(), [1, 2]);
    }
}
