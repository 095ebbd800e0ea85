use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc1: Linear(8) + Relu;
        3 -> Relu;
        Relu::new() -> [Relu];
        ;
        fc2: Linear(4;4) -> head: Linear(,);
    }
}

fn main() {}
