//! What a network becomes, a line for each statement.

use xdnn_syntax::expand;

fn lines(source: &str) -> String {
    let tokens = source.parse().unwrap_or_default();
    expand(tokens)
        .to_string()
        .replace("; ", ";\n")
        .replace("{ ", "{\n")
}

#[test]
fn sizes_that_the_macro_knows_are_literals() {
    insta::assert_snapshot!(lines(
        "struct Net(x: [4]) -> [2] { const N: usize = 2; fc: Linear(N) -> Relu; }"
    ));
}

#[test]
fn sizes_that_only_the_compiler_knows_are_filled_in_by_const_evaluation() {
    insta::assert_snapshot!(lines(
        "struct Net<const N: usize = 2>(x: [crate::WIDTH]) -> [N] {
            block unit(width) { fc: Linear(width + 1) -> Relu; }
            hidden: unit(2 * N);
            head: Linear(N);
        }"
    ));
}
