//! The networks of the golden files. `generate.py` states the same ones in PyTorch; a change here needs one there.

use xdnn::prelude::*;

network! {
    /// The piecewise linear activations between fully connected layers.
    pub struct Mlp(x: [1, 8, 8]) -> [10] {
        Flatten;
        fc1: Linear(32) -> Relu;
        fc2: Linear(24) -> LeakyRelu(0.1);
        fc3: Linear(16) -> act: PRelu(16);
        head: Linear(10);
    }
}

network! {
    /// X-AlexNet at 1/16 of its width. The map in front of the adaptive pool is 2 × 1.
    pub struct XAlexNet(image: [3, 95, 63]) -> [10] {
        conv1: Conv2d(4, kernel = 11, stride = 4, padding = 2) -> Relu -> MaxPool2d(3, stride = 2);
        conv2: Conv2d(12, kernel = 5, padding = 2) -> Relu -> MaxPool2d(3, stride = 2);
        conv3: Conv2d(24, kernel = 3, padding = 1) -> Relu;
        conv4: Conv2d(16, kernel = 3, padding = 1) -> Relu;
        conv5: Conv2d(16, kernel = 3, padding = 1) -> Relu -> MaxPool2d(3, stride = 2);
        AdaptiveAvgPool2d(6, 6) -> Flatten;
        Dropout(0.5) -> fc6: Linear(64) -> Relu;
        Dropout(0.5) -> fc7: Linear(64) -> Relu;
        fc8: Linear(10);
    }
}

network! {
    /// X-VGG16 at 1/16 to 1/32 of its width.
    pub struct XVgg(image: [3, 32, 32]) -> [10] {
        block stage(n, width) {
            repeat n { conv: Conv2d(width, kernel = 3, padding = 1) -> Relu; }
            MaxPool2d(2);
        }
        s1: stage(2, 4);
        s2: stage(2, 8);
        s3: stage(3, 8);
        s4: stage(3, 16);
        s5: stage(3, 16);
        AdaptiveAvgPool2d(2, 2) -> Flatten;
        fc1: Linear(32) -> Relu -> Dropout(0.5);
        fc2: Linear(32) -> Relu -> Dropout(0.5);
        head: Linear(10);
    }
}

network! {
    /// X-ResNet-50 with two bottlenecks in each stage, at 1/16 to 1/32 of its width.
    pub struct XResNet(image: [3, 32, 32]) -> [10] {
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
        conv1: Conv2d(4, kernel = 7, stride = 2, padding = 3) -> Relu -> MaxPool2d(3, stride = 2, padding = 1);
        layer1: stage(2, 4, stride = 1);
        layer2: stage(2, 8);
        layer3: stage(2, 8);
        layer4: stage(2, 16);
        GlobalAvgPool -> Flatten;
        fc: Linear(10);
    }
}

network! {
    /// One logit of a row of a table.
    pub struct Tabular(x: [12]) -> [1] {
        fc1: Linear(16) -> Relu;
        fc2: Linear(8) -> LeakyRelu(0.1);
        head: Linear(1);
    }
}

network! {
    /// f = head(relu(A x) · |B x|): degree 2.
    pub struct Gated(x: [16]) -> [5] {
        product(a: Linear(12) -> Relu, b: Linear(12) -> Abs);
        head: Linear(5);
    }
}

network! {
    /// Two maxima and minima of flows in a row.
    pub struct Lattice(x: [16]) -> [4] {
        max(a: Linear(12), b: Linear(12));
        min(c: Linear(8), d: Linear(8) -> Abs);
        head: Linear(4);
    }
}

network! {
    /// Two inputs.
    pub struct Fusion(image: [3, 16, 16], audio: [1, 20, 12]) -> [5] {
        let v = image -> conv_v: Conv2d(8, kernel = 3) -> Relu -> GlobalAvgPool -> Flatten;
        let a = audio -> conv_a: Conv2d(6, kernel = 5) -> Relu -> GlobalAvgPool -> Flatten;
        concat(v, a) -> head: Linear(5);
    }
}

network! {
    /// Super-resolution on a nearest neighbour base; the target is one pixel of the output.
    pub struct SuperRes(low: [1, 8, 8]) -> [1, 16, 16] {
        const WIDTH: usize = 6;
        let base = low -> Upsample(2);
        let detail = low
            -> conv1: Conv2d(WIDTH, kernel = 5, padding = 2) -> Relu
            -> body: repeat 4 {
                residual { conv1: Conv2d(WIDTH, kernel = 3, padding = 1) -> Relu -> conv2: Conv2d(WIDTH, kernel = 3, padding = 1) }
            }
            -> up: Conv2d(4, kernel = 3, padding = 1) -> PixelShuffle(2);
        sum(base, detail);
    }
}

network! {
    /// Super-resolution on a bilinear base; the target is one pixel of the output.
    pub struct SuperResBilinear(low: [1, 8, 8]) -> [1, 16, 16] {
        const WIDTH: usize = 6;
        let base = low -> Upsample(2, mode = bilinear);
        let detail = low
            -> conv1: Conv2d(WIDTH, kernel = 5, padding = 2) -> Relu
            -> body: repeat 4 {
                residual { conv1: Conv2d(WIDTH, kernel = 3, padding = 1) -> Relu -> conv2: Conv2d(WIDTH, kernel = 3, padding = 1) }
            }
            -> up: Conv2d(4, kernel = 3, padding = 1) -> PixelShuffle(2);
        sum(base, detail);
    }
}

network! {
    /// Uneven padding, groups, dilation, and every way in which a pooling window can leave its map.
    pub struct Pools(image: [4, 21, 18]) -> [6] {
        let map = image -> ZeroPad2d((1, 2, 0, 3))
            -> conv1: Conv2d(8, kernel = (3, 5), stride = (1, 2), padding = (1, 2), groups = 2) -> Abs
            -> gain: Scale(1)
            -> AvgPool2d(3, stride = 2, padding = 1, ceil_mode = true, count_include_pad = false)
            -> conv2: Conv2d(12, kernel = 3, padding = 2, dilation = 2, groups = 4) -> act: PRelu(12)
            -> gains: Scale(12)
            -> MaxPool2d(3, stride = 2, padding = 1, dilation = 2, ceil_mode = true);
        let peak = map -> GlobalMaxPool -> Flatten;
        let mean = map -> AvgPool2d(3, stride = 2, padding = 1, ceil_mode = true) -> AdaptiveAvgPool2d(3, 3) -> Flatten;
        concat(peak, mean) -> head: Linear(6);
    }
}

network! {
    /// The same in one dimension.
    pub struct Sequence(signal: [3, 37]) -> [5] {
        conv1: Conv1d(8, kernel = 5, stride = 2, padding = 2) -> LeakyRelu(0.2);
        MaxPool1d(4, stride = 2, padding = 1, ceil_mode = true);
        conv2: Conv1d(12, kernel = 3, padding = 2, dilation = 2, groups = 4) -> Relu;
        AvgPool1d(4, stride = 3, padding = 1, ceil_mode = true, count_include_pad = false);
        Reshape(4, 12) -> conv3: Conv1d(5, kernel = 3) -> MaxPool1d(2) -> Flatten;
        head: Linear(5);
    }
}

network! {
    /// Layers of volumes.
    pub struct Volumes(volume: [4, 4, 6, 5]) -> [5] {
        ZeroPad3d((1, 0, 2, 1, 0, 1));
        conv1: Conv3d(6, kernel = (2, 3, 3), stride = (1, 2, 1), padding = (1, 0, 1), groups = 2) -> Relu;
        MaxPool3d((2, 3, 3), stride = 2, padding = 1, ceil_mode = true);
        up: ConvTranspose3d(4, kernel = (3, 2, 3), stride = (2, 1, 2), padding = (1, 0, 1), output_padding = (1, 0, 1)) -> Abs;
        concat {
            AvgPool3d(2, stride = (2, 1, 2), padding = (0, 1, 1), count_include_pad = false)
                -> AdaptiveAvgPool3d(2, 2, 3) -> Flatten;
            MinPool3d((2, 3, 2), stride = (2, 1, 3), padding = (1, 1, 0), dilation = (1, 1, 2))
                -> AdaptiveMaxPool3d(2, 3, 2) -> Flatten;
        }
        head: Linear(5);
    }
}

network! {
    /// What moves and selects the elements of images.
    pub struct Margins(image: [4, 9, 10]) -> [4] {
        ReflectionPad2d((1, 3, 2, 0));
        conv1: Conv2d(8, kernel = 3, groups = 2);
        ChannelShuffle(2) -> ReplicationPad2d((2, 0, 1, 1)) -> MinPool2d(2, stride = (1, 2), padding = 1);
        CircularPad2d((1, 1, 2, 0)) -> conv2: Conv2d(6, kernel = 3) -> LeakyRelu(0.3);
        Crop2d((2, 1, 1, 0)) -> MedianPool2d((3, 2), stride = 1) -> Neg;
        up: ConvTranspose2d(
            4, kernel = (4, 3), stride = (2, 3), padding = 1, output_padding = (0, 2), groups = 2, dilation = (1, 2)
        );
        AdaptiveMaxPool2d(7, 6) -> Upsample((2, 3), mode = bicubic, align_corners = true);
        Upsample((1, 2), mode = bicubic) -> PixelUnshuffle(2);
        conv3: Conv2d(5, kernel = 3, stride = (2, 5)) -> Relu;
        Permute(2, 3, 1) -> Flatten -> Identity;
        head: Linear(4);
    }
}

network! {
    /// The same of lines.
    pub struct Lines(signal: [3, 9]) -> [4] {
        up: ConvTranspose1d(6, kernel = 4, stride = 3, padding = 2, output_padding = 1, groups = 3) -> Relu;
        ReflectionPad1d((2, 1)) -> MedianPool1d(4, stride = 2);
        CircularPad1d((3, 0)) -> conv1: Conv1d(8, kernel = 3);
        ReplicationPad1d((0, 2)) -> MinPool1d(3, stride = 2, padding = 1);
        Crop1d((1, 0)) -> ZeroPad1d((1, 2));
        concat(AdaptiveAvgPool1d(4) -> Flatten, AdaptiveMaxPool1d(5) -> Flatten);
        head: Linear(4);
    }
}

network! {
    /// Norms, generalised means, the largest few, and the way back from a maximum pool.
    pub struct Powers(image: [3, 8, 6]) -> [4] {
        let wide = image -> conv1: Conv2d(6, kernel = 3, padding = 1) -> Relu;
        let narrow = wide -> MaxPool2d(2) -> conv2: Conv2d(6, kernel = 1);
        sum(wide, unpool(narrow, wide));
        LpPool2d(2, kernel = (2, 3), stride = (2, 1), ceil_mode = true);
        concat {
            gem: GeM(2.5, learned = true) -> Flatten;
            GeM -> Flatten;
            TopKPool(4) -> Flatten;
            Reshape(6, 16) -> LpPool1d(4, kernel = 5, stride = 3) -> Flatten;
        }
        head: Linear(4);
    }
}

network! {
    /// AlexNet with its biases, all but the last, at 1/16 of its width.
    #[regular]
    pub struct AlexNet(image: [3, 63, 63]) -> [10] {
        conv1: Conv2d(4, kernel = 11, stride = 4, padding = 2) -> Relu -> MaxPool2d(3, stride = 2);
        conv2: Conv2d(12, kernel = 5, padding = 2) -> Relu -> MaxPool2d(3, stride = 2);
        conv3: Conv2d(24, kernel = 3, padding = 1) -> Relu;
        conv4: Conv2d(16, kernel = 3, padding = 1) -> Relu;
        conv5: Conv2d(16, kernel = 3, padding = 1) -> Relu -> MaxPool2d(3, stride = 2);
        AdaptiveAvgPool2d(2, 2) -> Flatten;
        Dropout(0.5) -> fc6: Linear(32) -> Relu;
        Dropout(0.5) -> fc7: Linear(32) -> Relu;
        fc8: Linear(10, bias = false);
    }
}

network! {
    /// Every function of a value of degree 0, each as a gate.
    pub struct Gates(x: [16]) -> [6] {
        let y = x -> value: Linear(8);
        let n = x -> gate: Linear(8) -> norm: LayerNorm;
        concat(
            product(y, n -> Sigmoid),
            product(y, n -> LogSigmoid),
            product(y, n -> Tanh),
            product(y, n -> Tanhshrink),
            product(y, n -> Gelu),
            product(y, n -> Gelu(approximate = tanh)),
            product(y, n -> Silu),
            product(y, n -> Mish),
            product(y, n -> Elu(0.8)),
            product(y, n -> Selu),
            product(y, n -> Celu(2)),
            product(y, n -> Softplus),
            product(y, n -> Softplus(2, threshold = 1)),
            product(y, n -> Softsign),
            product(y, n -> Hardtanh),
            product(y, n -> Relu6),
            product(y, n -> Hardsigmoid),
            product(y, n -> Hardswish),
            product(y, n -> Threshold(0.1, -0.3)),
            product(y, n -> Hardshrink),
            product(y, n -> Softshrink(0.7)),
            product(y, n -> Exp),
            product(y, n -> Softplus -> Log),
            product(y, n -> Sin),
            product(y, n -> Cos),
            product(y, n -> offset: Bias),
            product(y, n -> Softmax),
            product(y, n -> LogSoftmax(dim = 1)),
            product(y, n -> Softmin)
        );
        head: Linear(6);
    }
}

network! {
    /// Every norm, and the layers that act across channels.
    pub struct Norms(image: [3, 6, 5]) -> [5] {
        let map = image -> conv: Conv2d(8, kernel = 3, padding = 1);
        let unit = map -> L2Normalize;
        concat(
            product(map, unit),
            product(map, map -> L2Normalize(dim = 3)),
            product(map, map -> layer: LayerNorm(8, 6, 5)),
            product(map, map -> scaled: LayerNorm(bias = false)),
            product(map, map -> rms: RmsNorm(6, 5)),
            product(map, map -> group: GroupNorm(4) -> eps: RmsNorm(eps = 0.5)),
            product(map, unit -> LocalResponseNorm(3, alpha = 2)),
            product(map, unit -> Softmax(dim = 1)),
            product(map, map -> Sign),
            product(map -> Maxout(2), unit -> Glu(dim = 1)),
            map -> CRelu,
            map -> GroupSort(4),
            map -> frozen: FrozenScale(8)
        );
        mix: Conv2d(6, kernel = 1) -> Relu -> AdaptiveAvgPool2d(2, 2) -> Flatten;
        head: Linear(5);
    }
}

network! {
    /// Powers, and the combinations whose result has another degree than their operands: degree 2.
    pub struct Degrees(x: [12]) -> [4] {
        let a = x -> left: Linear(8);
        let b = x -> right: Linear(8);
        let squares = sum(a -> Square, b -> Square);
        concat(
            a -> SquaredRelu,
            a -> Relu -> Power(2),
            squares -> Power(1.0),
            squares -> Sqrt -> Square,
            difference(a -> Cube -> Power(2.0 / 3.0), product(a, b)),
            quotient(product(a, b, a), squares -> Sqrt) -> Abs,
            quotient(a -> Cube, squares -> Power(0.5)),
            matmul(a -> Reshape(4, 2), b -> Reshape(2, 4)) -> Flatten
        );
        head: Linear(4);
    }
}

network! {
    /// The three forms of attention: degree 3.
    pub struct Attention(tokens: [5, 8]) -> [4] {
        let x = tokens -> RotaryEmbedding(2, base = 100) -> embed: Linear(8);
        let a = x -> soft: MultiheadAttention(2, kind = normalized_softmax);
        let b = x -> rows: MultiheadAttention(4, kind = normalized_relu, is_causal = true);
        let c = x -> relu: MultiheadAttention(2, kind = relu);
        let d = x -> causal: MultiheadAttention(1, kind = normalized_softmax, is_causal = true, rotary = true);
        concat(product(a, b, x), product(a, d, d), c) -> Flatten -> head: Linear(4);
    }
}

network! {
    /// Two recurrences, the second of which returns its last state.
    pub struct Recurrent(signal: [7, 3]) -> [4] {
        first: Rnn(8);
        second: Rnn(6, last = true);
        head: Linear(4);
    }
}

/// The networks of the zoo whose sizes are parameters, at small ones.
pub type XVit = xdnn::zoo::XVit<12, 4, 12, 5>;
pub type XLlama = xdnn::zoo::XLlama<6, 16, 7>;
pub type XIrnn = xdnn::zoo::XIrnn<9, 3, 8, 4>;
pub type XUnet = xdnn::zoo::XUnet<1, 16, 2, 3>;
