use xdnn::xdnn;

#[xdnn]
fn elbow(x: f32) -> f32 {
    if x > 0.0 { x * x } else { -x }
}

fn main() {}
