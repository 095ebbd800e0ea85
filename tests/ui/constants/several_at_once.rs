use xdnn::network;

const WIDTH: usize = 6;

network! {
    struct Net(left: [4, 9, 9], right: [9]) -> [3] {
        let a = left -> conv: Conv2d(7, kernel = 3, groups = WIDTH) -> Flatten;
        let b = right -> gain: Scale(WIDTH) -> Reshape(3, WIDTH / 2, 1) -> MaxPool2d(WIDTH, padding = 4) -> Flatten;
        concat(a, b) -> head: Linear(3);
    }
}

fn main() {}
