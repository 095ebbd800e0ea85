//! Networks of the language's own words: two bytes are a word, brackets are closed.
#![no_main]

use std::sync::LazyLock;

use xdnn_ir::{Layer, ParameterKind};

/// Beside the names of layers and of their parameters.
const WORDS: &str = "-> -> -> ; ; ; : = = , , ( ( ( { { { [ ) ) ) } } } ] + - * / % . # ? \
    const block let usize residual skip repeat sum product concat max min difference quotient matmul \
    x y image n width unit stage conv fc head A WIDTH \
    0 1 1 2 2 3 4 5 8 16 0.5 -1 1e9 99999999999999999999 18446744073709551615 true false \"same\" r#type crate super \
    Softmax Sigmoid BatchNorm2d Dense Convolution relu";

static VOCABULARY: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut words: Vec<_> = WORDS.split_whitespace().collect();
    for signature in Layer::SIGNATURES {
        words.push(signature.name);
        for parameter in signature.parameters {
            words.push(parameter.name);
            if let ParameterKind::Word(choices) = parameter.kind {
                words.extend(choices);
            }
        }
    }
    words
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((head, body)) = bytes.split_first() else { return };
    let inputs = ["x: [3, 8, 8]", "x: [16]", "x: [4], image: [3, 8, 8]", "x: [A, 4]"];
    let head = inputs[usize::from(*head) % inputs.len()];
    let mut text = format!("pub struct Net({head}) -> [4] {{ ");
    let mut open = vec!["}"];
    for bytes in body.chunks_exact(2) {
        let word = VOCABULARY[usize::from(u16::from_le_bytes([bytes[0], bytes[1]])) % VOCABULARY.len()];
        match word {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" if open.len() > 1 && open.last() == Some(&word) => drop(open.pop()),
            ")" | "]" | "}" => continue,
            _ => {}
        }
        text.push_str(word);
        text.push(' ');
    }
    text.extend(open.into_iter().rev());
    xdnn_fuzz::judge(&text);
});
