//! The networks of the literature, as X-DNNs: every bias removed, and with it what hinders an exact attribution.
//!
//! Hesse, Schaub-Meyer and Roth, "Fast Axiomatic Attribution for Neural Networks" (NeurIPS 2021), train the convolutional
//! classifiers among them to about the accuracy of the originals. The transformers, the recurrent network and the U-Net say
//! step by step what keeps them homogeneous; they have their sizes as parameters, and those of the literature as defaults.

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

network! {
    /// X-ViT: the vision transformer (Dosovitskiy et al. 2021) in a homogeneous form. With the defaults it is ViT-S/16:
    /// 12 blocks of 6 heads over 196 tokens of 384 features.
    ///
    /// `SIDE` is a multiple of `PATCH`, and `WIDTH` one of 6. Every step has degree 1:
    ///
    /// - **Patches** are cut out and embedded by one strided convolution (equation 1 of the paper), a linear map.
    /// - **Positions** cannot be added as learned vectors, constants of degree 0 beside patches of degree 1. A depthwise
    ///   convolution takes their place (Chu et al. 2021): linear, and the zeros around the image tell it where it is.
    /// - **Attention** is the softmax of normalised queries and keys (Henry et al. 2020). They have degree 0, so do the
    ///   weights, and the values, which nothing normalises, carry degree 1 through.
    /// - **Norms** in front of a branch, `x + f(LN(x))` (equations 2 and 3), would add degree 0 to degree 1. What they are
    ///   for is done by the norms inside of the attention and by Fixup's initialisation.
    /// - **The head** reads the mean of the tokens. A class token is a constant again, and the paper finds the mean as good
    ///   (appendix D.3). The last norm (equation 4) would make the logits blind to the contrast, and their attributions void.
    ///
    /// ```
    /// use xdnn::ndarray::Array4;
    /// use xdnn::prelude::*;
    /// use xdnn::zoo::XVit;
    ///
    /// // 10 classes; 16 patches of 4 × 4 pixels, 24 features each.
    /// type Small = XVit<16, 4, 24, 10>;
    ///
    /// assert_eq!(Small::DEGREE, Degree::ONE);
    /// let model = Small::init(Seed(7)).compile(Device::best())?;
    /// let image = Array4::from_shape_fn((1, 3, 16, 16), |(_, c, y, x)| ((c + 3 * y * x) as f32).sin());
    /// let attribution = model.attribute(&image, Target::Predicted)?;
    /// assert!(attribution.completeness_gap() < 1e-4);
    /// # Ok::<(), xdnn::Error>(())
    /// ```
    pub struct XVit<
        const SIDE: usize = 224,
        const PATCH: usize = 16,
        const WIDTH: usize = 384,
        const CLASSES: usize = 1000,
    >(image: [3, SIDE, SIDE]) -> [CLASSES] {
        const TOKENS: usize = (SIDE / PATCH) * (SIDE / PATCH);
        patches: Conv2d(WIDTH, kernel = PATCH, stride = PATCH);
        residual { position: Conv2d(WIDTH, kernel = 3, padding = 1, groups = WIDTH); }
        Reshape(WIDTH, TOKENS) -> Permute(2, 1);
        blocks: repeat 12 {
            residual { attention: MultiheadAttention(6, kind = normalized_softmax); }
            residual { fc1: Linear(4 * WIDTH) -> Relu -> fc2: Linear(WIDTH); }
        }
        Permute(2, 1) -> GlobalAvgPool -> Flatten -> head: Linear(CLASSES);
    }
}

network! {
    /// X-Llama: a causal transformer for text after LLaMA (Touvron et al. 2023, section 2.2) in a homogeneous form. With the
    /// defaults it has the size of the first transformer (Vaswani et al. 2017): 6 blocks of 8 heads, 512 features.
    ///
    /// The input is the tokens' embedding vectors, the output the logits of each next word, `[words, tokens]`. `WIDTH` is a
    /// multiple of 16. Every step has degree 1:
    ///
    /// - **Attention**, as in [`XVit`], reads normalised queries and keys. They are rotated by their positions (Su et al. 2021,
    ///   equation 34), a linear map that no position vector needs to be added for.
    /// - **The feed-forward layer** is a SwiGLU (Shazeer 2020, equation 6) whose gate alone reads the normalised token. The
    ///   gate has degree 0, its factor degree 1, their product `0 + 1`. That is the place for an `RmsNorm` in a homogeneous
    ///   network: where its result decides, and not where it is added.
    /// - **The last norm** is left out. It divides the logits of a token by a positive number, which changes no decision, and
    ///   would make their degree 0.
    ///
    /// Attributions come for each feature of each token; their sum over the features is what the token contributes. In
    /// training every token has its target, the next word. One-hot vectors as tokens with a `Linear` in front of the blocks
    /// train the embedding, too.
    ///
    /// ```
    /// use xdnn::ndarray::{Array3, Axis, s};
    /// use xdnn::prelude::*;
    /// use xdnn::zoo::XLlama;
    ///
    /// // 5 tokens of 16 features, 7 words.
    /// let model = XLlama::<5, 16, 7>::init(Seed(7)).compile(Device::best())?;
    /// let tokens = Array3::from_shape_fn((1, 5, 16), |(_, token, i)| ((3 * token * i + i) as f32).cos());
    ///
    /// // Why word 4 follows the third token: for what that token and those before it hold.
    /// let attribution = model.attribute(&tokens, Target::Output(&[4, 2]))?;
    /// let of_tokens = attribution.values().sum_axis(Axis(2));
    /// assert!(attribution.completeness_gap() < 1e-4);
    /// assert!(of_tokens.slice(s![0, 3..]).iter().all(|a| a.abs() < 1e-6));
    /// # Ok::<(), xdnn::Error>(())
    /// ```
    pub struct XLlama<const TOKENS: usize = 256, const WIDTH: usize = 512, const WORDS: usize = 32_000>(
        tokens: [TOKENS, WIDTH]
    ) -> [WORDS, TOKENS] {
        const HIDDEN: usize = 8 * WIDTH / 3;
        blocks: repeat 6 {
            residual {
                attention: MultiheadAttention(8, kind = normalized_softmax, is_causal = true, rotary = true);
            }
            residual {
                product(up: Linear(HIDDEN), norm: RmsNorm -> gate: Linear(HIDDEN) -> Silu);
                down: Linear(WIDTH);
            }
        }
        head: Linear(WORDS) -> Permute(2, 1);
    }
}

network! {
    /// X-IRNN: a recurrent network of ReLUs whose state starts as a copy of itself (Le, Jaitly and Hinton 2015), without its
    /// biases. With the defaults it reads an image of 28 × 28 pixels one by one, as in the paper's section 4.2.
    ///
    /// `h_t = max(W·x_t + V·h_(t−1), 0)` from `h_0 = 0`. The state has degree 1 by induction: `h_0 = 0` has every degree, a
    /// sum of two values of degree 1 has degree 1, and so has what a ReLU makes of it. An LSTM or a GRU cannot be
    /// homogeneous: its gates are sigmoids of the state.
    ///
    /// The last state is read, so the attributions tell which steps the decision rests on.
    ///
    /// ```
    /// use xdnn::ndarray::Array3;
    /// use xdnn::prelude::*;
    /// use xdnn::zoo::XIrnn;
    ///
    /// // 20 steps of 3 features, 12 units, 4 classes.
    /// let model = XIrnn::<20, 3, 12, 4>::init(Seed(7)).compile(Device::best())?;
    /// let signal = Array3::from_shape_fn((1, 20, 3), |(_, step, i)| ((step * (i + 1)) as f32).sin());
    /// let attribution = model.attribute(&signal, Target::Predicted)?;
    /// assert_eq!(attribution.values().shape(), [1, 20, 3]);
    /// assert!(attribution.completeness_gap() < 1e-4);
    /// # Ok::<(), xdnn::Error>(())
    /// ```
    pub struct XIrnn<
        const STEPS: usize = 784,
        const FEATURES: usize = 1,
        const HIDDEN: usize = 100,
        const CLASSES: usize = 10,
    >(signal: [STEPS, FEATURES]) -> [CLASSES] {
        rnn: Rnn(HIDDEN, last = true);
        head: Linear(CLASSES);
    }
}

network! {
    /// X-U-Net: the network for segmentation of Ronneberger, Fischer and Brox (2015, figure 1) without its biases, padded so
    /// that the output has the size of the image: the logits of each class at each pixel, `[classes, side, side]`.
    ///
    /// `SIDE` is a multiple of 16. Convolutions, ReLUs and maximum pools keep degree 1, and so do transposed convolutions. The
    /// skips are concatenations, which need operands of one degree: all of them have degree 1.
    ///
    /// In training every pixel has its target; `examples/segmentation.rs` shows it. The target of an attribution is one
    /// class at one pixel. Attributions are linear in the output, so those of an area are the sums of those of its pixels; a
    /// network with the same labels that goes on behind the head with `GlobalAvgPool -> Flatten` takes the same weights and
    /// attributes the mean over a class at once.
    ///
    /// ```
    /// use xdnn::ndarray::Array4;
    /// use xdnn::prelude::*;
    /// use xdnn::zoo::XUnet;
    ///
    /// // Grey images of 16 × 16 pixels, 4 channels in the first stage, 2 classes.
    /// let model = XUnet::<1, 16, 4, 2>::init(Seed(7)).compile(Device::best())?;
    /// let image = Array4::from_shape_fn((1, 1, 16, 16), |(_, _, y, x)| ((y * x) as f32).cos());
    ///
    /// // Why pixel (8, 5) is of class 1.
    /// let attribution = model.attribute(&image, Target::Output(&[1, 8, 5]))?;
    /// assert_eq!(attribution.values().shape(), image.shape());
    /// assert!(attribution.completeness_gap() < 1e-4);
    /// # Ok::<(), xdnn::Error>(())
    /// ```
    pub struct XUnet<
        const CHANNELS: usize = 1,
        const SIDE: usize = 256,
        const WIDTH: usize = 64,
        const CLASSES: usize = 2,
    >(image: [CHANNELS, SIDE, SIDE]) -> [CLASSES, SIDE, SIDE] {
        block stage(width) {
            conv1: Conv2d(width, kernel = 3, padding = 1) -> Relu;
            conv2: Conv2d(width, kernel = 3, padding = 1) -> Relu;
        }
        let map1 = image -> down1: stage(WIDTH);
        let map2 = map1 -> MaxPool2d(2) -> down2: stage(2 * WIDTH);
        let map3 = map2 -> MaxPool2d(2) -> down3: stage(4 * WIDTH);
        let map4 = map3 -> MaxPool2d(2) -> down4: stage(8 * WIDTH);
        map4 -> MaxPool2d(2) -> bottom: stage(16 * WIDTH);
        concat(map4, wide4: ConvTranspose2d(8 * WIDTH, kernel = 2, stride = 2)) -> up4: stage(8 * WIDTH);
        concat(map3, wide3: ConvTranspose2d(4 * WIDTH, kernel = 2, stride = 2)) -> up3: stage(4 * WIDTH);
        concat(map2, wide2: ConvTranspose2d(2 * WIDTH, kernel = 2, stride = 2)) -> up2: stage(2 * WIDTH);
        concat(map1, wide1: ConvTranspose2d(WIDTH, kernel = 2, stride = 2)) -> up1: stage(WIDTH);
        head: Conv2d(CLASSES, kernel = 1);
    }
}

#[cfg(test)]
mod tests {
    use super::{XAlexNet, XIrnn, XLlama, XResNet50, XUnet, XVgg16, XVit};
    use crate::Network;

    #[test]
    fn networks_have_the_sizes_of_the_literature() {
        assert_eq!(XAlexNet::SPEC.parameters(), 61_090_496);
        assert_eq!(XVgg16::SPEC.parameters(), 138_344_128);
        assert_eq!(XResNet50::SPEC.parameters(), 25_502_912);
        assert_eq!(<XVit>::SPEC.parameters(), 21_916_032);
        assert_eq!(<XLlama>::SPEC.parameters(), 35_258_368);
        assert_eq!(<XIrnn>::SPEC.parameters(), 11_100);
        assert_eq!(<XUnet>::SPEC.parameters(), 31_023_808);
    }
}
