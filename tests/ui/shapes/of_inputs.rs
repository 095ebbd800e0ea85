use xdnn::network;

network! {
    struct Net(x: [0, 4], y: [], z: [1, 2, 3, 4, 5, 6], w: [-1], v: [3.5]) -> [4] {
        product(x, y) -> Flatten -> fc: Linear(4);
    }
}

fn main() {}
