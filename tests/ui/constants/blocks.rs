use xdnn::network;

const NOTHING: usize = 0;
const WIDTH: usize = 6;

network! {
    struct Folded(x: [6], y: [6]) -> [2] {
        block fold(c) { Reshape(2, c) -> Flatten; }
        sum(x -> fold(3), y -> fold(NOTHING)) -> fc: Linear(2);
    }
}

network! {
    struct Skipped(image: [2, 8, 8]) -> [6, 4, 4] {
        block halve(width) {
            residual { conv: Conv2d(width, kernel = 3, padding = 1, stride = 2) }
            skip { s: Conv2d(4, kernel = 1) }
        }
        halve(WIDTH);
    }
}

fn main() {}
