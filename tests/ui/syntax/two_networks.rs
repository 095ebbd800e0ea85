use xdnn::network;

network! {
    struct A(x: [16]) -> [4] {
        fc: Linear(4);
    }

    struct B(x: [16]) -> [4] {
        fc: Linear(4);
    }
}

fn main() {}
