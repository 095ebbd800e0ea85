use xdnn::prelude::*;

network! {
    #[regular]
    struct Homogeneous(x: [4]) -> [4] {
        fc: Linear(4, bias = false) -> Relu;
    }
}

fn attributes<N: XNetwork>(_: &N) {}

fn main() {
    attributes(&Homogeneous::init(Seed(1)));
}
