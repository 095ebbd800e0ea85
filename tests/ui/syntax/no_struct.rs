use xdnn::network;

network! {
    fn net(x: [16]) -> [4] {
        fc: Linear(4);
    }
}

fn main() {}
