use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc1: Linear(8) Relu;
        fc2 Linear(8) -> ;
        -> head: Linear(4);
    }
}

fn main() {}
