use hygiene::chain::{Biased, Stem};
use xdnn::network;

network! {
    struct Net(image: [1, 4, 4]) -> [10] {
        stem: Stem;
        features: hygiene::chain::Features;
        biased: self::Biased;
    }
}

const SIDE: usize = 2;

network! {
    struct Open(image: [1, SIDE, SIDE]) -> [4, 1, 1] {
        stem: Stem;
    }
}

fn main() {
    let _ = <Net as xdnn::Network>::OUTPUT;
}
