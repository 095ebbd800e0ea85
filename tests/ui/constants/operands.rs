use xdnn::network;

const WIDTH: usize = 6;

network! {
    struct Sum(image: [2, 8, 8]) -> [4, 6, 6] {
        sum(a: Conv2d(4, kernel = 3), b: Conv2d(WIDTH, kernel = 3), c: Conv2d(4, kernel = 3));
    }
}

network! {
    struct Concat(image: [2, 8, 8]) -> [10, 6, 6] {
        concat { a: Conv2d(4, kernel = 3); b: Conv2d(6, kernel = WIDTH); }
    }
}

network! {
    struct Residual(image: [2, 8, 8]) -> [6, 8, 8] {
        residual { conv: Conv2d(WIDTH, kernel = 3, padding = 1) }
    }
}

network! {
    struct Skip(image: [2, 8, 8]) -> [6, 4, 4] {
        residual { conv: Conv2d(WIDTH, kernel = 3, padding = 1, stride = 2) } skip { s: Conv2d(4, kernel = 1) }
    }
}

fn main() {}
