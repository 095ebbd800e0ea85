use xdnn::network;

mod act {
    pub fn plain(x: f32) -> f32 {
        x
    }
}

network! {
    struct Net(x: [4]) -> [2] {
        fc1: Linear(4) -> shrink;
        fc2: Linear(4) -> act::plain;
        fc3: Linear(4) -> Frobnicate;
        fc4: Linear(2) -> layers::Relu;
    }
}

fn main() {}
