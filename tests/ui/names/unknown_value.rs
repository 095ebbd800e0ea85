use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        let hidden = fc1: Linear(4) -> Relu;
        sum(hiden, fc1);
    }
}

fn main() {}
