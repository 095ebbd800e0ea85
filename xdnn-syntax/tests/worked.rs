//! The networks that every version of the language must accept, with their sizes.

use xdnn_ir::{Degree, NetworkSpec};
use xdnn_syntax::check_str;

#[allow(clippy::panic)]
fn accepted(source: &str) -> NetworkSpec {
    check_str(source).unwrap_or_else(|errors| panic!("{errors}"))
}

const X_ALEXNET: &str = r"
/// X-AlexNet (Krizhevsky, one-tower torchvision form). 61,090,496 weights.
pub struct XAlexNet(image: [3, 224, 224]) -> [1000] {
    conv1: Conv2d(64, kernel = 11, stride = 4, padding = 2) -> Relu -> MaxPool2d(3, stride = 2);
    conv2: Conv2d(192, kernel = 5, padding = 2) -> Relu -> MaxPool2d(3, stride = 2);
    conv3: Conv2d(384, kernel = 3, padding = 1) -> Relu;
    conv4: Conv2d(256, kernel = 3, padding = 1) -> Relu;
    conv5: Conv2d(256, kernel = 3, padding = 1) -> Relu -> MaxPool2d(3, stride = 2);
    AdaptiveAvgPool2d(6, 6) -> Flatten;
    Dropout(0.5) -> fc6: Linear(4096) -> Relu;
    Dropout(0.5) -> fc7: Linear(4096) -> Relu;
    fc8: Linear(1000);
}
";

#[test]
fn x_alexnet() {
    let spec = accepted(X_ALEXNET);
    assert_eq!(spec.parameters(), 61_090_496);
    assert_eq!(spec.degree(), Some(Degree::ONE));
    insta::assert_snapshot!(spec);
}

const X_VGG16: &str = r"
/// X-VGG16. 138,344,128 weights.
pub struct XVgg16(image: [3, 224, 224]) -> [1000] {
    block stage(n, width) {
        repeat n { conv: Conv2d(width, kernel = 3, padding = 1) -> Relu; }
        MaxPool2d(2);
    }
    s1: stage(2, 64);
    s2: stage(2, 128);
    s3: stage(3, 256);
    s4: stage(3, 512);
    s5: stage(3, 512);
    AdaptiveAvgPool2d(7, 7) -> Flatten;
    fc1: Linear(4096) -> Relu -> Dropout(0.5);
    fc2: Linear(4096) -> Relu -> Dropout(0.5);
    head: Linear(1000);
}
";

#[test]
fn x_vgg16() {
    let spec = accepted(X_VGG16);
    assert_eq!(spec.parameters(), 138_344_128);
    assert_eq!(spec.degree(), Some(Degree::ONE));
    insta::assert_snapshot!(spec);
}

const X_RESNET50: &str = r"
/// X-ResNet-50: Fixup's residual network with every bias removed. 25,502,912 weights.
pub struct XResNet50(image: [3, 224, 224]) -> [1000] {
    block bottleneck(width, stride = 1) {
        conv1: Conv2d(width, kernel = 1) -> Relu;
        conv2: Conv2d(width, kernel = 3, stride = stride, padding = 1) -> Relu;
        conv3: Conv2d(4 * width, kernel = 1);
    }
    block stage(n, width, stride = 2) {
        down: residual { bottleneck(width, stride = stride) }
              skip { downsample: Conv2d(4 * width, kernel = 1, stride = stride) } -> Relu;
        rest: repeat n - 1 { residual { bottleneck(width) } -> Relu; }
    }
    conv1: Conv2d(64, kernel = 7, stride = 2, padding = 3) -> Relu -> MaxPool2d(3, stride = 2, padding = 1);
    layer1: stage(3, 64, stride = 1);
    layer2: stage(4, 128);
    layer3: stage(6, 256);
    layer4: stage(3, 512);
    GlobalAvgPool -> Flatten;
    fc: Linear(1000);
}
";

#[test]
fn x_resnet50() {
    let spec = accepted(X_RESNET50);
    assert_eq!(spec.parameters(), 25_502_912);
    assert_eq!(spec.degree(), Some(Degree::ONE));
    insta::assert_snapshot!(spec);
}

const GATED: &str = r"
/// f = head(relu(A x) · |B x|): degree 2, attributed exactly by x · grad / 2.
pub struct Gated(x: [64]) -> [10] {
    product(a: Linear(32) -> Relu, b: Linear(32) -> Abs);
    head: Linear(10);
}
";

#[test]
fn gated() {
    let spec = accepted(GATED);
    assert_eq!(spec.degree(), Some(Degree::integer(2)));
    insta::assert_snapshot!(spec);
}

const FUSION: &str = r"
pub struct Fusion(image: [3, 64, 64], audio: [1, 128, 100]) -> [5] {
    let v = image -> conv_v: Conv2d(32, kernel = 3) -> Relu -> GlobalAvgPool -> Flatten;
    let a = audio -> conv_a: Conv2d(16, kernel = 5) -> Relu -> GlobalAvgPool -> Flatten;
    concat(v, a) -> head: Linear(5);
}
";

#[test]
fn fusion() {
    let spec = accepted(FUSION);
    assert_eq!(spec.degree(), Some(Degree::ONE));
    insta::assert_snapshot!(spec);
}

const SUPER_RES: &str = r"
/// Contrast-equivariant ×2 super-resolution: scaling the input scales the output.
pub struct SuperRes(low: [1, 32, 32]) -> [1, 64, 64] {
    const WIDTH: usize = 64;
    let base = low -> Upsample(2);
    let detail = low
        -> conv1: Conv2d(WIDTH, kernel = 5, padding = 2) -> Relu
        -> body: repeat 4 {
            residual { conv1: Conv2d(WIDTH, kernel = 3, padding = 1) -> Relu -> conv2: Conv2d(WIDTH, kernel = 3, padding = 1) }
        }
        -> up: Conv2d(4, kernel = 3, padding = 1) -> PixelShuffle(2);
    sum(base, detail);
}
";

#[test]
fn super_res() {
    let spec = accepted(SUPER_RES);
    assert_eq!(spec.degree(), Some(Degree::ONE));
    insta::assert_snapshot!(spec);
}
