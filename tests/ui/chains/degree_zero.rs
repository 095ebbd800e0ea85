use xdnn::xdnn;

#[xdnn]
fn sign(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else { -1.0 }
}

#[xdnn(input = [784])]
struct Net {
    fc: Linear<10>,
    act: sign,
}

fn main() {}
