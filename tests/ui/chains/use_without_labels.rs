use xdnn::{network, xdnn};

#[xdnn]
struct Features {
    #[layer(16, kernel = 5)]
    conv: Conv2d,
    flatten: Flatten,
}

network! {
    struct Net(image: [1, 28, 28]) -> [10] {
        let a = image -> Features;
        let b = image -> Features;
        sum(a, b) -> head: Linear(10);
    }
}

fn main() {}
