//! The networks of the literature, as X-DNNs: every bias removed, and with it what hinders an exact attribution.
//!
//! Hesse, Schaub-Meyer and Roth, "Fast Axiomatic Attribution for Neural Networks" (NeurIPS 2021), train such networks to
//! about the accuracy of the originals.

network! {
    /// X-AlexNet: Krizhevsky's network in torchvision's one-tower form (Krizhevsky 2014) without its biases.
    ///
    /// 61,090,496 weights. The labels are positions: `conv1` to `conv5`, `fc6` to `fc8`.
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
}

network! {
    /// X-VGG16: configuration D of Simonyan and Zisserman (2015) without its biases.
    ///
    /// 138,344,128 weights.
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
}

network! {
    /// X-ResNet-50: the residual network of He et al. (2016) in Fixup's form (Zhang et al. 2019), which needs no
    /// normalisation, without its biases.
    ///
    /// 25,502,912 weights. The labels are torchvision's, but for the first block of a stage, which is `down`, and the
    /// others, which are `rest.0` and so on.
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
}

#[cfg(test)]
mod tests {
    use super::{XAlexNet, XResNet50, XVgg16};
    use crate::Network;

    #[test]
    fn networks_have_the_sizes_of_the_literature() {
        assert_eq!(XAlexNet::SPEC.parameters(), 61_090_496);
        assert_eq!(XVgg16::SPEC.parameters(), 138_344_128);
        assert_eq!(XResNet50::SPEC.parameters(), 25_502_912);
    }
}
