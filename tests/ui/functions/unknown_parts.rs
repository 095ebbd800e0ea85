use xdnn::xdnn;

const SLOPE: f32 = 0.1;

fn double(x: f32) -> f32 {
    2.0 * x
}

#[xdnn]
fn leaky(x: f32) -> f32 {
    if x > 0.0 { double(x) } else { SLOPE * x }
}

#[xdnn]
fn with_a_loop(x: f32) -> f32 {
    let mut y = x;
    for _ in 0..3 {
        y = y + x;
    }
    y
}

#[xdnn]
fn powers(x: f32) -> f32 {
    x.abs().powf(0.3)
}

fn main() {}
