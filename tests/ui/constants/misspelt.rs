use xdnn::network;

const WIDHT: usize = 7;

network! {
    struct Net<const CLASSES: usize>(x: [16]) -> [CLASSES] {
        const WIDTH: usize = 8;
        fc1: Linear(WIDHT) -> Relu;
        fc2: Linear(CLASES);
    }
}

fn main() {}
