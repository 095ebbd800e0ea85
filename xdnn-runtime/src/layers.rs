//! The layers that have weights, as the fields of a network.
//!
//! A layer holds nothing but its tensors: its arguments (stride, padding …) are in the network's
//! [`SPEC`](crate::Network::SPEC), and the network as a whole computes.

use ndarray::{Ix1, Ix2, Ix3, Ix4, Ix5, IxDyn};

use crate::Parameters;
use crate::weights::{Weight, WeightReader, WeightView, WeightViewMut};

/// Declares layers and how their tensors are read and visited, in the order of the fields. A tensor behind `;` need not
/// be there.
macro_rules! layers {
    ($(
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $rank:ty),*
            $(; $(#[$optional_doc:meta])* $optional:ident: $optional_rank:ty)?
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Weight<$rank>,)*
            $($(#[$optional_doc])* pub $optional: Option<Weight<$optional_rank>>,)?
        }

        impl Parameters for $name {
            fn read(reader: &mut WeightReader) -> Self {
                Self {
                    $($field: Parameters::read(reader),)*
                    $($optional: reader.optional(stringify!($optional)),)?
                }
            }

            fn visit<'a>(&'a self, visitor: &mut dyn FnMut(WeightView<'a>)) {
                $(self.$field.visit(visitor);)*
                $(self.$optional.iter().for_each(|weight| weight.visit(visitor));)?
            }

            fn visit_mut<'a>(&'a mut self, visitor: &mut dyn FnMut(WeightViewMut<'a>)) {
                $(self.$field.visit_mut(visitor);)*
                $(self.$optional.iter_mut().for_each(|weight| weight.visit_mut(visitor));)?
            }
        }
    )*};
}

layers! {
    /// A linear map of features: `Linear(out_features, bias = false)`.
    ///
    /// `y = W·x + b` over the last dimension, `y_o = Σ_i W_oi·x_i + b_o`.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, in)` or `(N, sequence, in)`; an image wants `Flatten` first |
    /// | output | `(N, out)` or `(N, sequence, out)` |
    /// | weight | `[out, in]` |
    /// | bias | `[out]`: on values of degree 0, and in `#[regular]` networks, where it is the default |
    /// | degree | that of the input: `W·(a·x) = a·(W·x)` |
    /// | PyTorch | `nn.Linear(in, out, bias=False)` |
    ///
    /// Source: Hesse, Schaub-Meyer and Roth, "Fast Axiomatic Attribution for Neural Networks", NeurIPS 2021,
    /// section 3: without its bias a linear layer is nonnegatively homogeneous.
    Linear {
        /// `W`, of shape `[out, in]`.
        weight: Ix2;
        /// `b`, of shape `[out]`.
        bias: Ix1
    }

    /// A learned factor, one for the whole value or one a channel: `Scale(num_parameters = 1)`.
    ///
    /// `y_c = w_c·x_c`.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, C, …)` |
    /// | output | that of the input |
    /// | weight | `[1]` or `[C]` |
    /// | degree | that of the input: `w·(a·x) = a·(w·x)` |
    ///
    /// Source: Zhang, Dauphin and Ma, "Fixup Initialization: Residual Learning Without Normalization", ICLR 2019,
    /// section 4: the multiplier of a residual branch. Its companions there, scalar biases, are not homogeneous.
    Scale {
        /// `w`, of shape `[1]` or `[C]`.
        weight: Ix1
    }

    /// A 1-d convolution:
    /// `Conv1d(out_channels, kernel, stride = 1, padding = 0, dilation = 1, groups = 1, bias = false)`.
    ///
    /// `y_ol = Σ_ik W_oik · x_i[stride·l + dilation·k − padding] + b_o`, zeros outside (a cross-correlation, as in PyTorch).
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, in, L)` |
    /// | output | `(N, out, L')`, `L' = ⌊(L + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1` |
    /// | weight | `[out, in / groups, kernel]` |
    /// | bias | `[out]`: on values of degree 0, and in `#[regular]` networks, where it is the default |
    /// | degree | that of the input: linear, and zero padding stays zero |
    /// | PyTorch | `nn.Conv1d(in, out, kernel, …, bias=False)` |
    ///
    /// Source: Hesse, Schaub-Meyer and Roth, NeurIPS 2021, section 3.
    Conv1d {
        /// `W`, of shape `[out, in / groups, kernel]`.
        weight: Ix3;
        /// `b`, of shape `[out]`.
        bias: Ix1
    }

    /// A 2-d convolution:
    /// `Conv2d(out_channels, kernel, stride = 1, padding = 0, dilation = 1, groups = 1, bias = false)`; pairs are
    /// `(height, width)`.
    ///
    /// `y_ohw = Σ_ikl W_oikl · x_i[stride·h + dilation·k − padding, stride·w + dilation·l − padding] + b_o`, zeros outside
    /// (a cross-correlation, as in PyTorch).
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, in, H, W)` |
    /// | output | `(N, out, H', W')`, `H' = ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1`, `W'` likewise |
    /// | weight | `[out, in / groups, kernel height, kernel width]` |
    /// | bias | `[out]`: on values of degree 0, and in `#[regular]` networks, where it is the default |
    /// | degree | that of the input: linear, and zero padding stays zero |
    /// | PyTorch | `nn.Conv2d(in, out, kernel, …, bias=False)` |
    ///
    /// Source: Hesse, Schaub-Meyer and Roth, NeurIPS 2021, section 3.
    Conv2d {
        /// `W`, of shape `[out, in / groups, kernel height, kernel width]`.
        weight: Ix4;
        /// `b`, of shape `[out]`.
        bias: Ix1
    }

    /// A 3-d convolution:
    /// `Conv3d(out_channels, kernel, stride = 1, padding = 0, dilation = 1, groups = 1, bias = false)`; triples are
    /// `(depth, height, width)`.
    ///
    /// `y_o = Σ_i W_oi ⋆ x_i`, zeros outside (a cross-correlation, as in PyTorch).
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, in, D, H, W)` |
    /// | output | `(N, out, D', H', W')`, `D' = ⌊(D + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1`, `H'` and `W'` likewise |
    /// | weight | `[out, in / groups, kernel depth, kernel height, kernel width]` |
    /// | bias | `[out]`: on values of degree 0, and in `#[regular]` networks, where it is the default |
    /// | degree | that of the input: linear, and zero padding stays zero |
    /// | PyTorch | `nn.Conv3d(in, out, kernel, …, bias=False)` |
    ///
    /// Source: Hesse, Schaub-Meyer and Roth, NeurIPS 2021, section 3.
    Conv3d {
        /// `W`, of shape `[out, in / groups, kernel depth, kernel height, kernel width]`.
        weight: Ix5;
        /// `b`, of shape `[out]`.
        bias: Ix1
    }

    /// A transposed 1-d convolution:
    /// `ConvTranspose1d(out_channels, kernel, stride = 1, padding = 0, output_padding = 0, groups = 1, dilation = 1, bias = false)`.
    ///
    /// `y_o = Σ_i W_io ⋆ᵀ x_i`: each element of the input adds the kernel times itself to the result, `stride` apart, of which
    /// `padding` is cut off on each side.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, in, L)` |
    /// | output | `(N, out, L')`, `L' = (L − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1` |
    /// | weight | `[in, out / groups, kernel]` |
    /// | bias | `[out]`: on values of degree 0, and in `#[regular]` networks, where it is the default |
    /// | degree | that of the input: linear |
    /// | PyTorch | `nn.ConvTranspose1d(in, out, kernel, …, bias=False)` |
    ///
    /// Source: Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional Networks", CVPR 2010, in the form of Dumoulin and
    /// Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.
    ConvTranspose1d {
        /// `W`, of shape `[in, out / groups, kernel]`.
        weight: Ix3;
        /// `b`, of shape `[out]`.
        bias: Ix1
    }

    /// A transposed 2-d convolution:
    /// `ConvTranspose2d(out_channels, kernel, stride = 1, padding = 0, output_padding = 0, groups = 1, dilation = 1, bias = false)`; pairs are `(height, width)`.
    ///
    /// `y_o = Σ_i W_io ⋆ᵀ x_i`: each pixel of the input adds the kernel times itself to the result, `stride` apart, of which
    /// `padding` is cut off on each side.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, in, H, W)` |
    /// | output | `(N, out, H', W')`, `H' = (H − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1`, `W'` likewise |
    /// | weight | `[in, out / groups, kernel height, kernel width]` |
    /// | bias | `[out]`: on values of degree 0, and in `#[regular]` networks, where it is the default |
    /// | degree | that of the input: linear |
    /// | PyTorch | `nn.ConvTranspose2d(in, out, kernel, …, bias=False)` |
    ///
    /// Source: Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional Networks", CVPR 2010, in the form of Dumoulin and
    /// Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.
    ConvTranspose2d {
        /// `W`, of shape `[in, out / groups, kernel height, kernel width]`.
        weight: Ix4;
        /// `b`, of shape `[out]`.
        bias: Ix1
    }

    /// A transposed 3-d convolution:
    /// `ConvTranspose3d(out_channels, kernel, stride = 1, padding = 0, output_padding = 0, groups = 1, dilation = 1, bias = false)`; triples are `(depth, height, width)`.
    ///
    /// `y_o = Σ_i W_io ⋆ᵀ x_i`: each voxel of the input adds the kernel times itself to the result, `stride` apart, of which
    /// `padding` is cut off on each side.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, in, D, H, W)` |
    /// | output | `(N, out, D', H', W')`, `D' = (D − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1`, `H'` and `W'` likewise |
    /// | weight | `[in, out / groups, kernel depth, kernel height, kernel width]` |
    /// | bias | `[out]`: on values of degree 0, and in `#[regular]` networks, where it is the default |
    /// | degree | that of the input: linear |
    /// | PyTorch | `nn.ConvTranspose3d(in, out, kernel, …, bias=False)` |
    ///
    /// Source: Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional Networks", CVPR 2010, in the form of Dumoulin and
    /// Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.
    ConvTranspose3d {
        /// `W`, of shape `[in, out / groups, kernel depth, kernel height, kernel width]`.
        weight: Ix5;
        /// `b`, of shape `[out]`.
        bias: Ix1
    }

    /// The generalised mean over all positions with a learned exponent: `GeM(p = 3.0, learned = true)`. Without
    /// `learned` the exponent is fixed, and the layer has no weights.
    ///
    /// `y_c = (mean_i max(x_ci, 0)^p)^(1/p)`; the derivative at 0 is 0.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, C, …)` |
    /// | output | `(N, C, 1, …)` |
    /// | weight | `[1]` |
    /// | degree | that of the input: `((a·x)^p)^(1/p) = a·x` for positive `x`; there is no eps |
    ///
    /// Source: Radenović, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2018,
    /// equation 3.
    GeM {
        /// `p`, of shape `[1]`.
        p: Ix1
    }

    /// A ReLU with a learned slope below 0, one for the whole value or one a channel: `PRelu(num_parameters = 1)`.
    ///
    /// `y_c = x_c` where `x_c > 0`, `w_c·x_c` elsewhere; the derivative at 0 is `w_c`.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, C, …)` |
    /// | output | that of the input |
    /// | weight | `[1]` or `[C]` |
    /// | degree | that of the input: piecewise linear with its kink at 0 |
    /// | PyTorch | `nn.PReLU(num_parameters)` |
    ///
    /// Source: He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015, equation 1; homogeneous by Hesse,
    /// Schaub-Meyer and Roth, NeurIPS 2021, proposition 3.8.
    PRelu {
        /// `w`, of shape `[1]` or `[C]`.
        weight: Ix1
    }

    /// A factor, one for the whole value or one a channel, that training leaves as it is: `FrozenScale(num_parameters = 1)`.
    ///
    /// `y_c = w_c·x_c`.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, C, …)` |
    /// | output | that of the input |
    /// | weight | `[1]` or `[C]` |
    /// | degree | that of the input: `w·(a·x) = a·(w·x)` |
    /// | PyTorch | `nn.BatchNorm2d` in evaluation without mean and shift: `w = γ / √(var + ε)` |
    ///
    /// Source: the frozen batch norm of torchvision's detection models, less its offset, which is not homogeneous.
    FrozenScale {
        /// `w`, of shape `[1]` or `[C]`.
        weight: Ix1
    }

    /// A learned offset on a value of degree 0, one for each position along a dimension: `Bias(dim = 1)`.
    ///
    /// `y_c = x_c + b_c`.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, C, …)`, of degree 0 |
    /// | output | that of the input |
    /// | weight | `bias`, `[C]`, or as long as dimension `dim` |
    /// | degree | 0: what does not move may be added to what does not move |
    Bias {
        /// `b`.
        bias: Ix1
    }

    /// Root mean square normalisation: `RmsNorm(…normalized_shape, eps = 0, elementwise_affine = true)`.
    ///
    /// `y = w·x / √(mean x²)` over the last dimensions, 0 where they are all 0. The derivative is 0 there, too.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, …, *normalized_shape)`; without a shape the last dimension |
    /// | output | that of the input |
    /// | weight | `[*normalized_shape]`, with `elementwise_affine` |
    /// | degree | 0: `a·x / √(mean (a·x)²) = x / √(mean x²)` |
    /// | PyTorch | `nn.RMSNorm(normalized_shape, eps=0)` |
    ///
    /// Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019, equation 4.
    RmsNorm {
        /// `w`, of the normalised shape.
        weight: IxDyn
    }

    /// Layer normalisation: `LayerNorm(…normalized_shape, eps = 0, elementwise_affine = true, bias = true)`.
    ///
    /// `y = w·(x − mean x) / √(var x) + b` over the last dimensions, `b` where they are all equal. The variance divides by
    /// the number of elements.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, …, *normalized_shape)`; without a shape the last dimension |
    /// | output | that of the input |
    /// | weight | `[*normalized_shape]`, with `elementwise_affine` |
    /// | bias | `[*normalized_shape]`, with `elementwise_affine` and `bias` |
    /// | degree | 0: mean and deviation scale as `x` does, and what is left may be shifted |
    /// | PyTorch | `nn.LayerNorm(normalized_shape, eps=0)` |
    ///
    /// Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, equation 3.
    LayerNorm {
        /// `w`, of the normalised shape.
        weight: IxDyn;
        /// `b`, of the normalised shape.
        bias: IxDyn
    }

    /// Group normalisation: `GroupNorm(num_groups, eps = 0, affine = true)`.
    ///
    /// `y_c = w_c·(x_c − mean x) / √(var x) + b_c`, mean and variance over all positions of a group of `C / num_groups`
    /// channels in a row.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, C, …)` |
    /// | output | that of the input |
    /// | weight, bias | `[C]`, with `affine` |
    /// | degree | 0: mean and deviation scale as `x` does, and what is left may be shifted |
    /// | PyTorch | `nn.GroupNorm(num_groups, C, eps=0)` |
    ///
    /// Source: Wu and He, "Group Normalization", ECCV 2018, equation 7.
    GroupNorm {
        /// `w`, of shape `[C]`.
        weight: Ix1,
        /// `b`, of shape `[C]`.
        bias: Ix1
    }

    /// Self-attention between tokens in one of its homogeneous forms:
    /// `MultiheadAttention(num_heads, kind, is_causal = false, rotary = false)`.
    ///
    /// `y_i = W_o·[Σ_j a_ij·v_j]` over the heads side by side, with queries, keys and values `q, k, v = W_in·x` of `d` features
    /// a head, and weights
    ///
    /// | kind | `a_ij` | degree |
    /// |---|---|---|
    /// | `relu` | `max(q_i·k_j / √d, 0) / tokens` | three times that of the input |
    /// | `normalized_relu` | `max(q_i·k_j, 0) / Σ_l max(q_i·k_l, 0)`, 0 where no score is positive | that of the input |
    /// | `normalized_softmax` | `softmax_j(√d · q_i·k_j / (‖q_i‖·‖k_j‖))` | that of the input |
    ///
    /// | | |
    /// |---|---|
    /// | input, output | `(N, tokens, features)` |
    /// | in_proj_weight | `[3·features, features]`: queries, keys, values |
    /// | out_proj.weight | `[features, features]` |
    /// | PyTorch | the weights of `nn.MultiheadAttention(features, num_heads, bias=False)` |
    ///
    /// Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, whose softmax of a score of degree 2 has no degree;
    /// Wortsman et al., "Replacing softmax with ReLU in Vision Transformers", 2023; Henry et al., "Query-Key
    /// Normalization for Transformers", EMNLP 2020.
    MultiheadAttention {
        /// `W_in`, of shape `[3·features, features]`.
        in_proj_weight: Ix2,
        /// `W_o`, of shape `[features, features]`.
        out_proj_weight: Ix2
    }

    /// A recurrence through ReLUs without biases: `Rnn(hidden_size, last = false)`.
    ///
    /// `h_t = max(W_ih·x_t + W_hh·h_(t−1), 0)` from `h_0 = 0`.
    ///
    /// | | |
    /// |---|---|
    /// | input | `(N, time, features)`, at most 1024 steps |
    /// | output | `(N, time, hidden_size)`, or `(N, hidden_size)` with `last` |
    /// | weight_ih_l0 | `[hidden_size, features]` |
    /// | weight_hh_l0 | `[hidden_size, hidden_size]` |
    /// | degree | that of the input, by induction over time |
    /// | PyTorch | `nn.RNN(features, hidden_size, nonlinearity="relu", bias=False, batch_first=True)` |
    ///
    /// Source: Elman, "Finding Structure in Time", Cognitive Science 1990; with ReLUs, Le, Jaitly and Hinton, "A Simple Way to
    /// Initialize Recurrent Networks of Rectified Linear Units", 2015.
    Rnn {
        /// `W_ih`, of shape `[hidden_size, features]`.
        weight_ih_l0: Ix2,
        /// `W_hh`, of shape `[hidden_size, hidden_size]`.
        weight_hh_l0: Ix2
    }
}
