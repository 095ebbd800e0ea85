use xdnn::xdnn;

#[xdnn]
fn polynomial(x: f32) -> f32 {
    let square = x * x;
    0.5 * (square + x)
}

fn main() {}
