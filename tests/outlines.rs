//! Const evaluation makes of each network what the macro has understood.
#![deny(warnings, clippy::all, clippy::pedantic)]

use xdnn::Network;

/// Declares networks, and tests that const evaluation makes of each what the macro has understood.
macro_rules! understood {
    ($($test:ident: { $(#[$attribute:meta])? struct $name:ident $($network:tt)* })*) => {$(
        xdnn::network! { $(#[$attribute])? struct $name $($network)* }

        #[test]
        fn $test() {
            let text = stringify!($(#[$attribute])? struct $name $($network)*);
            let spec = xdnn_syntax::check_str(text).unwrap();
            assert_eq!(*$name::SPEC, spec);
        }
    )*};
}

understood! {
    paths_and_weights_are_read: {
        struct Paths(image: [2, 8, 8], sound: [3]) -> [4] {
            block unit(width) { conv: Conv2d(width, kernel = 3, padding = 1) -> act: PRelu(width); }
            let straight = image -> stem: unit(4);
            let around = straight -> body: repeat 2 { residual { unit(4); gain: Scale } };
            let pooled = concat(straight, around) -> GlobalAvgPool -> Flatten -> r#type: Linear(4);
            sum(pooled, s: { straight -> Flatten -> fc: Linear(4) }, sound -> other: Linear(4));
        }
    }
    degrees_are_read: {
        struct Degrees(x: [2, 3]) -> [2] {
            let root = x -> Relu -> Sqrt -> narrow: Linear(2);
            let none = x -> norm: RmsNorm -> Softmax -> biased: Linear(2, bias = true);
            let high = x -> Power(3) -> wide: Linear(2);
            let low = quotient(none, high);
            product(product(root, low), product(high, high)) -> Flatten -> head: Linear(2);
        }
    }
    missing_degrees_are_read: {
        #[regular] struct Missing(x: [3]) -> [2] { fc: Linear(5) -> Gelu -> head: Linear(2); }
    }
    a_network_of_one_node_is_read: {
        struct One(x: [1, 4, 4]) -> [16] { Flatten; }
    }
}
