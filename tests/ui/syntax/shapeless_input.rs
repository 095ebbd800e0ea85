use xdnn::network;

network! {
    struct Net(x, y: 16, z: [16]) -> [4] {
        concat(x, y, z) -> fc: Linear(4);
    }
}

fn main() {}
