use xdnn::network;

mod config {
    pub const KERNEL: usize = 9;
    pub const WIDTH: usize = 16;
}

network! {
    struct Net(image: [1, 8, 8]) -> [16, 1, 1] {
        block unit(width, kernel = config::KERNEL) { conv: Conv2d(width, kernel = kernel) -> Relu; }
        block stage(width) { first: unit(2 * width); }
        stage(config::WIDTH / 2);
    }
}

fn main() {}
