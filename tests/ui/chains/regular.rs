use xdnn::{network, xdnn};

#[xdnn]
#[regular]
struct Offset {
    fc: Linear<64>,
}

network! {
    struct Net(x: [784]) -> [10] {
        offset: Offset;
        head: Linear(10);
    }
}

#[xdnn(input = [784])]
#[regular]
struct Regular {
    offset: Offset,
    head: Linear<10>,
}

fn attribute(net: &xdnn::Model<Regular>, x: &xdnn::ndarray::Array2<f32>) {
    let _ = net.attribute(x, xdnn::Target::Predicted);
}

fn main() {}
