use xdnn::xdnn;

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
}

#[xdnn(input = [784])]
struct Other {
    b: Elsewhere,
}

fn main() {}
