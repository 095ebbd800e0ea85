use xdnn::xdnn;

#[xdnn(input = [784])]
struct Tuple(Linear<128>, Relu);

#[xdnn]
struct Unit;

#[xdnn]
struct Empty {}

fn main() {}
