//! Times the front end alone: `expand FILE NETWORK RUNS` prints the median milliseconds of an expansion.

use std::time::Instant;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

fn main() {
    let [file, network, runs] = std::env::args().skip(1).collect::<Vec<_>>().try_into().unwrap();
    let source: TokenStream = std::fs::read_to_string(file).unwrap().parse().unwrap();
    let declaration = declaration(source, &network).expect("a declaration of that name");
    let mut times: Vec<_> = (0..runs.parse().unwrap())
        .map(|_| {
            let tokens = declaration.clone();
            let start = Instant::now();
            let expansion = xdnn_syntax::expand(tokens);
            let time = start.elapsed().as_secs_f64() * 1e3;
            assert!(!expansion.is_empty());
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{}", times[times.len() / 2]);
}

/// What stands in the braces of the `network!` that declares a network.
fn declaration(source: TokenStream, network: &str) -> Option<TokenStream> {
    source.into_iter().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            let names = |token: TokenTree| matches!(token, TokenTree::Ident(name) if name == network);
            group.stream().into_iter().any(names).then(|| group.stream())
        }
        _ => None,
    })
}
