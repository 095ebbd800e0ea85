use xdnn::network;

const HUGE: usize = 1 << 40;

network! {
    struct Net(x: [HUGE, HUGE]) -> [HUGE] {
        fc: Linear(HUGE);
    }
}

network! {
    struct Weights(x: [HUGE]) -> [4] {
        fc: Linear(HUGE) -> head: Linear(4);
    }
}

fn main() {}
