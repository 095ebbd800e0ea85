use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc: Linear(64) -> conv: Conv2d(8, kernel = 3);
        Flatten -> head: Linear(4);
    }
}

fn main() {}
