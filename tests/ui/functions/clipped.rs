use xdnn::xdnn;

#[xdnn]
fn relu6(x: f32) -> f32 {
    x.max(0.0).min(6.0)
}

#[xdnn]
fn hardtanh(x: f32) -> f32 {
    x.clamp(-1.0, 1.0)
}

fn main() {}
