use xdnn::xdnn;

#[xdnn]
struct Block {
    reference: &'static Relu,
    list: [Relu; 3],
    pair: (Relu, Relu),
    lifetime: Relu<'static>,
    associated: <Relu as Iterator>::Item,
    relu: Relu,
}

fn main() {}
