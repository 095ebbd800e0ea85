use xdnn::prelude::*;

network! {
    #[regular]
    struct Mixed(x: [4]) -> [4] {
        block unit() {
            residual { product(a: Linear(4, bias = false), b: Linear(4, bias = false)); }
        }
        first: Linear(4, bias = false);
        second: unit();
    }
}

fn attributes<N: XNetwork>() {}

fn main() {
    attributes::<Mixed>();
}
