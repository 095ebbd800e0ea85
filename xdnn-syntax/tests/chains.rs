//! Structs of layers, as text: as blocks of networks, and as networks.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing helper is a failing test"
)]

use xdnn_ir::NetworkSpec;
use xdnn_syntax::{attribute, check_str};

const STEM: &str = "
    #[xdnn] fn shrink(x: f32) -> f32 { if x > 0.0 { x } else { 0.1 * x } }
    #[xdnn]
    struct Stem {
        /// The kernel.
        #[layer(4, kernel = 3)]
        conv1: Conv2d,
        act: shrink,
        pool1: MaxPool2d<{ 1 + 1 }>,
    }
    #[xdnn] pub(crate) struct Features { stem: Stem, flatten: Flatten }
";

fn check(network: &str) -> Result<NetworkSpec, Vec<String>> {
    check_str(&format!("{STEM} {network}")).map_err(|errors| {
        errors
            .as_slice()
            .iter()
            .map(|e| format!("{} ({})", e.headline(), e.notes().join("; ")))
            .collect()
    })
}

#[test]
fn a_struct_is_a_block() {
    let spec = check(
        "struct Net(image: [1, 12, 12]) -> [10] {
            stem: Stem;
            again: { f: Features }
            head: Linear(10);
        }",
    )
    .unwrap_or_else(|errors| panic!("{errors:?}"));
    let text: Vec<_> = spec
        .nodes()
        .iter()
        .map(|node| format!("{} {}", node.path, node.operation))
        .collect();
    assert_eq!(
        text,
        [
            "stem.conv1 Conv2d(4, kernel = 3)",
            "stem.act shrink",
            "stem.pool1 MaxPool2d(2)",
            "again.f.stem.conv1 Conv2d(4, kernel = 3)",
            "again.f.stem.act shrink",
            "again.f.stem.pool1 MaxPool2d(2)",
            "again.f.flatten Flatten",
            "head Linear(10)",
        ]
    );
    let names: Vec<_> = spec.weights().iter().map(|weight| &*weight.name).collect();
    assert_eq!(
        names,
        [
            "stem.conv1.weight",
            "again.f.stem.conv1.weight",
            "head.weight"
        ]
    );
}

#[test]
fn the_last_struct_is_the_network() {
    let spec = check("#[xdnn(input = [1, 12, 12])] struct Net { stem: Stem, flatten: Flatten }");
    let spec = spec.unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(spec.output_shape().to_string(), "[100]");
    let errors = check("#[xdnn] struct Net { stem: Stem }").unwrap_err();
    assert_eq!(errors, ["`Net` has no `input`, so it is no network ()"]);
}

#[test]
fn sizes_of_layers_do_not_travel() {
    let errors = check(
        "#[xdnn(input = [crate::SIDE])] struct Measured { fc: Linear<3> }
        #[xdnn(input = [4])] struct Local { fc: Linear<WIDTH> }
        struct Net(x: [4]) -> [3] { measured: Measured; local: Local; }",
    );
    let note =
        "its sizes are constants or parameters, which only the compiler knows where it is declared";
    assert_eq!(
        errors.unwrap_err(),
        [format!("`Local` cannot be a block ({note})")]
    );
}

#[test]
fn the_use_is_to_blame_for_what_does_not_fit() {
    let errors =
        check("struct Net(x: [12]) -> [10] { stem: Stem; head: Linear(10); }").unwrap_err();
    assert_eq!(
        errors,
        ["`Conv2d` reads [channels, height, width], but gets [12] (in `Stem`)"]
    );
    let errors = check("struct Net(x: [1, 4, 4]) -> [4, 1, 1] { stem: Stem(3); }").unwrap_err();
    assert_eq!(errors, ["`Stem` takes no arguments ()"]);
}

fn expanded(arguments: &str, item: &str) -> String {
    attribute(arguments.parse().unwrap(), item.parse().unwrap()).to_string()
}

#[test]
fn a_struct_with_an_input_is_a_network() {
    let text = expanded(
        "input = [1, 28, 28], crate = renamed",
        "pub struct LeNet { #[layer(16, kernel = 5)] conv1: Conv2d, relu1: Relu, pool1: MaxPool2d<2>, flatten: Flatten, #[layer(10)] head: Linear }",
    );
    assert!(!text.contains("compile_error"), "{text}");
    for part in [
        "pub struct LeNet { # [doc = \" `Conv2d(16, kernel = 5)`\"] pub conv1",
        "impl renamed :: XNetwork for LeNet",
        "macro_rules ! __xdnn_LeNet_",
        "{ block LeNet { conv1 : Conv2d",
        "as LeNet",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_struct_without_an_input_is_a_block_alone() {
    let text = expanded("", "struct Unit { #[layer(16)] fc: Linear, relu: Relu }");
    assert!(
        !text.contains("compile_error") && !text.contains("XNetwork for Unit"),
        "{text}"
    );
    assert!(text.contains("{ block Unit { fc : Linear"), "{text}");
}

#[test]
fn what_other_places_declare_is_asked_for() {
    let text = expanded(
        "",
        "struct Unit { act: crate::act::shrink, other: Other, again: Other }",
    );
    assert!(
        text.contains("crate :: act :: shrink ! { [Other]"),
        "{text}"
    );
}

#[test]
fn mistakes_are_told() {
    for (arguments, item, headline) in [
        ("", "struct S(Conv2d);", "`S` has no fields with names"),
        ("", "struct S { a: &'static Conv2d }", "this is no layer"),
        ("", "struct S { a: Relu<'static> }", "this is no layer"),
        (
            "",
            "struct S { #[layer(2)] a: Linear<2> }",
            "the arguments of this layer are given twice",
        ),
        (
            "",
            "struct S { #[layer] a: Linear }",
            "`#[layer]` has no arguments in parentheses",
        ),
        (
            "",
            "struct S { #[serde(skip)] a: Relu }",
            "only `#[layer(…)]` and doc comments can stand in front of a layer",
        ),
        ("", "struct S { a: Rleu }", "unknown layer `Rleu`"),
        (
            "",
            "struct S { a: Sigmoid }",
            "`Sigmoid` is not nonnegatively homogeneous",
        ),
        (
            "",
            "struct S { a: Linear }",
            "`Linear` needs `out_features`",
        ),
        ("", "struct S {}", "this body is empty"),
        (
            "input = [2, 2]",
            "struct S { #[layer(2, kernel = 3)] a: Conv2d }",
            "`Conv2d` reads [channels, height, width], but gets [2, 2]",
        ),
        (
            "shape = [2]",
            "struct S { a: Relu }",
            "unknown argument `shape` of `#[xdnn]`",
        ),
    ] {
        let text = expanded(arguments, item);
        assert!(
            text.contains("compile_error") && text.contains(headline),
            "{item}: {text}"
        );
    }
}
