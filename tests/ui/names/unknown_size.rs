use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        const WIDTH: usize = 8;
        fc1: Linear(WIDHT) -> Relu -> fc2: Linear(classes);
    }
}

fn main() {}
