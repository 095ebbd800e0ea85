//! Weights: named tensors, how they are first drawn, and the files that hold them.
//!
//! A tensor's name is the path of labels to its layer and the tensor's own name, such as `layer1.rest.0.conv1.weight`;
//! its shape is PyTorch's. The order is that of [`NetworkSpec::weights`](xdnn_ir::NetworkSpec::weights) everywhere: in
//! [`WeightReader`], in [`Parameters::visit`](crate::Parameters::visit) and in the results of a training step.

mod fault;
mod file;
mod fixup;
mod init;
mod offer;
mod reader;
pub mod safetensors;
mod tensor;

pub use fault::WeightFault;
pub use init::initial;
pub use reader::WeightReader;
pub use tensor::{Weight, WeightView, WeightViewMut};
