use xdnn::xdnn;

#[xdnn(input = [784])]
pub struct Net {
    #[layer]
    fc1: Linear,
    #[layer = 64]
    fc2: Linear,
    #[layer(32)]
    fc3: Linear<32>,
    #[layer(32)]
    #[layer(bias = false)]
    fc4: Linear,
    #[allow(dead_code)]
    relu4: Relu,
    #[layers(16)]
    fc5: Linear,
    pub head: Linear<10>,
}

fn main() {}
