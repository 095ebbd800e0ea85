//! What holds for every text: nothing panics, expansions are Rust, and accepted networks keep the rules.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::prelude::*;
use xdnn_ir::{Degree, NetworkSpec, Operand};

const WORDS: &str = "pub struct Net fn type let const usize block repeat residual skip sum product concat max min \
    Conv2d Linear Relu MaxPool2d Flatten Reshape Upsample PRelu Scale Dropout LeakyRelu Softmax Dense Frobnicate \
    x y stage n WIDTH crate::SIDE Config::N ::a::B Self::C width kernel stride padding groups bias mode bilinear true false \
    0 1 2 3 4 16 0.5 1e999 -1 99999999999999999999 \"same\" 'c' 'lifetime r#type \
    -> => = == : :: ; , . + - * / % ! ? # # [doc] # ! & | < >";

const NETWORKS: [&str; 4] = [
    "pub struct Net(x: [3, 16, 16]) -> [10] {
        const W: usize = 2 * 4;
        block unit(width, stride = 1) { conv: Conv2d(width, kernel = (3, 3), stride = stride, padding = 1) -> Relu; }
        stem: unit(W) -> MaxPool2d(3, stride = 2, ceil_mode = true);
        body: repeat 3 - 1 { residual { unit(W) } -> LeakyRelu(0.1); }
        down: residual { unit(2 * W, stride = 2) } skip { project: Conv2d(2 * W, kernel = 1, stride = 2) };
        GlobalAvgPool -> Flatten -> Dropout(0.5);
        head: Linear(10);
    }",
    "struct Two(a: [4, 6], b: [24]) -> [3] {
        let f = a -> Flatten -> fa: Linear(8) -> Relu;
        let g = b -> fb: Linear(8) -> act: PRelu(8);
        max(f, g) -> product(l: Linear(4), m: Linear(4) -> Abs) -> sum { n: Linear(3); o: Linear(3) -> Relu; };
    }",
    "struct Lists(x: [1, 4, 4]) -> [1, 8, 8] {
        s: { repeat 2 { repeat 2 { conv: Conv2d(4, kernel = 3, padding = 1); } } }
        Upsample(2, mode = nearest) -> c: Conv2d(1, kernel = 1, groups = 1) -> concat(x -> Upsample(2), Relu) -> d: Conv2d(1, kernel = 1);
    }",
    "#[xdnn(input = [1, 12, 12], crate = xdnn)] pub(crate) struct Chain {
        /// A convolution.
        #[layer(4, kernel = (3, 2), stride = 1)] conv1: Conv2d,
        relu1: Relu, pool1: MaxPool2d<{ 1 + 1 }>, slope: LeakyRelu<0.1>, flatten: Flatten, head: Linear<10>,
    }",
];

/// A network whose sizes only the compiler knows.
const OPEN: &str = "pub struct Open<const N: usize, const M: usize = { 2 + 1 }>(x: [N, SIDE, 8]) -> [M] {
    const W: usize = 2 * crate::WIDTH - N;
    block unit(width, stride = ::config::STRIDE) { conv: Conv2d(width, kernel = (3, N), stride = stride) -> Relu; }
    stem: unit(W) -> MaxPool2d(3, stride = 2, ceil_mode = true);
    body: repeat 2 { residual { unit(W, stride = 1) } skip { s: Conv2d(W, kernel = 1) } }
    Reshape(W / 2, -N % 3, 4) -> Flatten -> concat(a: Linear(M), b: Linear(M)) -> head: Linear(M);
}";

/// Whatever the tokens are, the answer is a network that keeps the rules, or a list of mistakes.
fn judge(tokens: TokenStream) -> Result<(), TestCaseError> {
    match xdnn_syntax::check(tokens.clone()) {
        Ok(spec) => verify(&spec)?,
        Err(errors) => {
            let headlines = errors.as_slice().iter().map(|error| error.to_string());
            prop_assert!(
                !errors.as_slice().is_empty() && headlines.clone().all(|text| !text.is_empty())
            );
        }
    }
    let expansion = xdnn_syntax::expand(tokens);
    prop_assert!(
        syn::parse2::<syn::File>(expansion.clone()).is_ok(),
        "{expansion}"
    );
    Ok(())
}

/// Every node follows from its operands by the rules of `xdnn-ir`.
fn verify(spec: &NetworkSpec) -> Result<(), TestCaseError> {
    for (i, node) in spec.nodes().iter().enumerate() {
        let earlier = |operand: &Operand| match *operand {
            Operand::Input(n) => n < spec.inputs().len(),
            Operand::Node(n) => n < i,
        };
        prop_assert!(node.operands.iter().all(earlier), "{spec}");
        let shapes: Vec<_> = node
            .operands
            .iter()
            .map(|operand| spec.shape_of(*operand))
            .collect();
        let degrees: Vec<_> = node
            .operands
            .iter()
            .map(|operand| spec.degree_of(*operand))
            .collect();
        prop_assert_eq!(node.operation.output(&shapes), Ok(node.shape));
        prop_assert_eq!(node.operation.degree_if_known(&degrees), Ok(node.degree));
    }
    let names: HashSet<_> = spec.weights().iter().map(|weight| &weight.name).collect();
    prop_assert_eq!(names.len(), spec.weights().len(), "{}", spec);
    let mut owned = spec.nodes().iter().flat_map(|node| node.weights.clone());
    prop_assert!(
        (0..spec.weights().len()).all(|i| owned.next() == Some(i)) && owned.next().is_none()
    );
    prop_assert!(spec.degree().is_some_and(Degree::is_positive));
    Ok(())
}

/// A tree of tokens.
fn soup() -> impl Strategy<Value = String> {
    let words: Vec<_> = WORDS.split_whitespace().map(str::to_owned).collect();
    let word = prop::sample::select(words);
    word.prop_recursive(6, 96, 12, |inner| {
        let braces = prop::sample::select(vec![("(", ")"), ("[", "]"), ("{", "}")]);
        (braces, prop::collection::vec(inner, 0..12))
            .prop_map(|((open, close), parts)| format!("{open}{}{close}", parts.join(" ")))
    })
}

/// What to do with the token at a position.
#[derive(Clone, Debug)]
enum Edit {
    Remove,
    Double,
    Replace(String),
}

fn edit() -> impl Strategy<Value = (usize, Edit)> {
    let edits = prop_oneof![
        Just(Edit::Remove),
        Just(Edit::Double),
        soup().prop_map(Edit::Replace)
    ];
    (0..200_usize, edits)
}

/// Edits the token that `position` counts down to.
fn apply(tokens: TokenStream, position: &mut usize, edit: &Edit) -> TokenStream {
    let mut edited = Vec::new();
    for token in tokens {
        let hit = *position == 0;
        *position = position.wrapping_sub(1);
        match (&token, edit) {
            (_, Edit::Remove) if hit => {}
            (_, Edit::Double) if hit => edited.extend([token.clone(), token]),
            (_, Edit::Replace(text)) if hit => {
                edited.extend(text.parse().unwrap_or_else(|_| TokenStream::new()))
            }
            (TokenTree::Group(group), _) => {
                let inner = apply(group.stream(), position, edit);
                edited.push(Group::new(group.delimiter(), inner).into());
            }
            _ => edited.push(token),
        }
    }
    edited.into_iter().collect()
}

fn parse(source: &str) -> TokenStream {
    source.parse().unwrap_or_else(|_| TokenStream::new())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_tokens_are_judged(parts in prop::collection::vec(soup(), 0..40)) {
        judge(parse(&parts.join(" ")))?;
    }

    #[test]
    fn any_body_is_judged(parts in prop::collection::vec(soup(), 0..40)) {
        judge(parse(&format!("struct Net(x: [3, 8, 8]) -> [4] {{ {} }}", parts.join(" "))))?;
    }

    #[test]
    fn edited_networks_are_judged(which in 0..=NETWORKS.len(), edits in prop::collection::vec(edit(), 0..4)) {
        let mut tokens = parse(NETWORKS.get(which).unwrap_or(&OPEN));
        for (position, edit) in edits {
            tokens = apply(tokens, &mut position.clone(), &edit);
        }
        judge(tokens)?;
    }
}

#[test]
fn the_networks_themselves_are_accepted() {
    for network in NETWORKS {
        let result = xdnn_syntax::check_str(network);
        assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}

#[test]
fn text_alone_does_not_tell_what_only_the_compiler_knows() {
    let errors = xdnn_syntax::check_str(OPEN).unwrap_err();
    assert_eq!(errors.as_slice().len(), 1);
    assert_eq!(
        errors.as_slice()[0].headline(),
        "only the compiler knows `N`"
    );
    assert_eq!(errors.as_slice()[0].position(), (1, 64));
    let expansion = xdnn_syntax::expand(parse(OPEN)).to_string();
    assert!(!expansion.contains("compile_error"), "{expansion}");
}

#[test]
fn calculations_stay_short() {
    let squares: String = (1..30)
        .map(|i| format!("const C{i}: usize = C{} * C{};", i - 1, i - 1))
        .collect();
    let source = format!(
        "struct Net(x: [4]) -> [4] {{ const C0: usize = crate::N; {squares} fc: Linear(C29); }}"
    );
    let errors = xdnn_syntax::check_str(&source).unwrap_err();
    let headlines: Vec<_> = errors.as_slice().iter().map(|e| e.headline()).collect();
    assert_eq!(headlines, ["this calculation is too long"]);
}

#[test]
fn depth_is_no_danger() {
    let nested = |depth: usize, open: &str, close: &str| {
        format!(
            "struct Net(x: [4]) -> [4] {{ {}Relu{} }}",
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    for (open, close) in [
        ("{ ", " }"),
        ("sum(", ")"),
        ("residual { ", " }"),
        ("repeat 1 { ", " }"),
    ] {
        assert!(judge(parse(&nested(30, open, close))).is_ok());
        assert!(judge(parse(&nested(1_000, open, close))).is_ok());
    }
    for (open, close) in [
        ("<A", ">"),
        ("<0, A", ">"),
        ("::A", ""),
        ("<&", ">"),
        ("<- ", "1>"),
    ] {
        for depth in [30, 10_000] {
            let (open, close) = (open.repeat(depth), close.repeat(depth));
            let field = format!("{{ a: A{open}{close} }}");
            let item = parse(&format!("struct S {field}"));
            drop(xdnn_syntax::attribute(TokenStream::new(), item));
            assert!(judge(parse(&format!("#[xdnn] struct S {field}"))).is_ok());
            let minus = "- ".repeat(depth);
            assert!(
                judge(parse(&format!(
                    "#[xdnn] struct S {{ a: A<{{ {minus}1 }}> }}"
                )))
                .is_ok()
            );
        }
    }
    let blocks: String = (1..60)
        .map(|i| {
            format!(
                "block b{i}() {{ {} b{}() {} }}",
                "{".repeat(50),
                i - 1,
                "}".repeat(50)
            )
        })
        .collect();
    assert!(
        judge(parse(&format!(
            "struct Net(x: [4]) -> [4] {{ block b0() {{ Relu; }} {blocks} b59(); }}"
        )))
        .is_ok()
    );
    let sum = "1 + ".repeat(100_000);
    assert!(
        judge(parse(&format!(
            "struct Net(x: [4]) -> [{sum}1] {{ Relu; }}"
        )))
        .is_ok()
    );
    let minus = "- ".repeat(100_000);
    assert!(
        judge(parse(&format!(
            "struct Net(x: [4]) -> [{minus}1] {{ Relu; }}"
        )))
        .is_ok()
    );
    let arrows = "Relu -> ".repeat(9_000);
    assert!(
        judge(parse(&format!(
            "struct Net(x: [4]) -> [4] {{ {arrows} Relu; }}"
        )))
        .is_ok()
    );
}

/// `macro_rules!` hands expressions over in groups without delimiters.
#[test]
fn captured_expressions_are_grouped() {
    let count: TokenStream = TokenTree::Group(Group::new(Delimiter::None, parse("1 + 2"))).into();
    let tokens =
        quote::quote!(struct Net(x: [4]) -> [9] { const N: usize = 3 * #count; fc: Linear(N); });
    assert!(xdnn_syntax::check(tokens).is_ok());
}
