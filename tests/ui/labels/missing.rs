use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        Linear(8) -> PRelu -> Scale(8) -> Linear(4);
    }
}

fn main() {}
