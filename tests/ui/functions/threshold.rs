use xdnn::xdnn;

#[xdnn]
fn hardshrink(x: f32) -> f32 {
    if x.abs() > 0.5 { x } else { 0.0 }
}

fn main() {}
