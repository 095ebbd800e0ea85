//! Weights: named tensors, how they are first drawn, and the files that hold them.
//!
//! ```text
//! initial(spec, seed) ─┐                    ┌─► Weight, behind a field such as `net.conv1.weight`
//! safetensors::load ───┴─► WeightReader ────┘      │
//!                                                  ├─► visit: WeightView ─► safetensors::save, compiled models
//!                                                  └─► visit_mut: WeightViewMut ◄─ training
//! ```
//!
//! **Names.** A tensor's name is the path of labels to its layer and the tensor's own name, with the position in a
//! `repeat` as a label: `layer1.rest.0.conv1.weight`. These are the keys that `state_dict()` of a PyTorch module with
//! the same attributes has.
//!
//! **Shapes** are PyTorch's: `[out, in]` for a linear layer, `[out, in / groups, height, width]` for a convolution.
//!
//! **Order** is that of the declaration, [`NetworkSpec::weights`](xdnn_ir::NetworkSpec::weights), in all of the above.
//!
//! **Numbers** are `f32` and finite. Whatever reads or writes weights refuses others, by name and index.
//!
//! **Files.** [`safetensors`] in both directions. Weights come over from Python with
//! `safetensors.torch.save_file(module.state_dict(), "weights.safetensors")` and go back with `load_file`; a bias
//! that the network does not have is named as a fault.

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
