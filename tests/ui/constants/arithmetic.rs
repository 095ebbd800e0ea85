use xdnn::network;

const WIDTH: usize = 8;

network! {
    struct Net(x: [16]) -> [WIDTH - 8] {
        fc1: Linear(WIDTH - 9) -> Relu;
        fc2: Linear(WIDTH / (WIDTH - 8));
        fc3: Linear(WIDTH * 9223372036854775807);
        Reshape(0 * WIDTH, 4);
    }
}

fn main() {}
