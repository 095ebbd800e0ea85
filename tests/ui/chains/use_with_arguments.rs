use xdnn::{network, xdnn};

#[xdnn]
struct Stem {
    #[layer(16, kernel = 5)]
    conv: Conv2d,
}

mod blocks {
    #[xdnn::xdnn]
    pub struct Body {
        relu: Relu,
    }
}

network! {
    struct Net(image: [1, 28, 28]) -> [16, 24, 24] {
        stem: Stem(16);
        body: blocks::Body(3);
    }
}

#[xdnn]
struct Features {
    stem: Stem<16>,
    body: blocks::Body<3>,
}

fn main() {}
