use xdnn::{network, xdnn};

/// The mistake of a block is told once, and networks go on without it.
#[xdnn]
struct Stem {
    fc: Linear<64>,
    act: Sigmoid,
}

network! {
    struct Net(x: [784]) -> [10] {
        stem: Stem;
        head: Linear(10, bias = true);
    }
}

fn main() {
    let _ = <Net as xdnn::Network>::OUTPUT;
}
