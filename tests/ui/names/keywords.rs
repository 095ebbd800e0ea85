use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fn: Linear(8) -> Relu;
        let type = Relu;
        match -> fc: Linear(4);
    }
}

fn main() {}
