use xdnn::{network, xdnn};

#[xdnn]
struct Stem {
    #[layer(16, kernel = 5)]
    conv: Conv2d,
    pool: MaxPool2d<2>,
}

#[xdnn]
struct Features {
    stem: Stem,
    flatten: Flatten,
}

network! {
    struct Net(image: [1, 28, 28], sound: [100]) -> [10] {
        let a = image -> MaxPool2d(7) -> first: Features;
        let b = sound -> second: Stem -> Flatten;
        concat(a, b) -> head: Linear(10);
    }
}

const SIDE: usize = 4;

network! {
    struct Open(image: [1, SIDE, SIDE]) -> [16] {
        features: Features;
    }
}

fn main() {}
