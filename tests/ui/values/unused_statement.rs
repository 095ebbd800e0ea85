use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        a: Linear(4) -> Relu;
        x -> b: Linear(4);
    }
}

fn main() {}
