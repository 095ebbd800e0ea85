use xdnn::{network, xdnn};

mod blocks {
    #[xdnn::xdnn]
    struct Private {
        relu: Relu,
    }

    #[xdnn::xdnn]
    pub struct Elsewhere {
        relu: Relu,
    }
}

#[xdnn(input = [784])]
struct Net {
    a: blocks::Private,
    b: Elsewhere,
}

fn main() {}
