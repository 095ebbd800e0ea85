use xdnn::network;

const WIDTH: usize = 6;

network! {
    struct Net(x: [WIDTH]) -> [4] {
        sum(a: Linear(WIDTH) -> product(Relu, Abs), b: Linear(WIDTH));
        head: Linear(4) -> Sigmoid;
    }
}

fn main() {}
