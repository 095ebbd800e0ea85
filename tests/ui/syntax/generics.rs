use xdnn::network;

network! {
    struct Net<const CLASSES: usize>(x: [16]) -> [CLASSES] {
        fc: Linear(CLASSES);
    }
}

fn main() {}
