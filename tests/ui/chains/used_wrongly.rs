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
        let a = image -> first: Stem(16) -> Flatten;
        let b = image -> MaxPool2d(7) -> second: Features;
        let c = sound -> third: Stem -> Flatten;
        concat(a, b, c) -> head: Linear(10);
    }
}

network! {
    struct Unlabelled(image: [1, 28, 28]) -> [10] {
        let a = image -> Features;
        let b = image -> Features;
        sum(a, b) -> head: Linear(10);
    }
}

fn main() {}
