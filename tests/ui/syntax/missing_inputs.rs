use xdnn::network;

network! {
    struct Net {
        fc: Linear,
    }
}

fn main() {}
