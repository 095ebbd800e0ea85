//! The runtime of xdnn: networks with their weights, graphs, differentiation, backends, attribution and training.

pub mod attribution;
pub mod autodiff;
pub mod backend;
mod custom;
mod device;
mod error;
mod finite;
pub mod graph;
mod inputs;
pub mod layers;
pub mod lowering;
pub mod metrics;
mod model;
mod network;
pub mod ops;
mod parameters;
pub mod passes;
#[cfg(feature = "plot")]
pub mod plot;
mod precision;
mod seed;
#[cfg(test)]
mod sketch;
pub mod training;
pub mod weights;

pub use attribution::{Attribution, IntegratedGradients, Quadrature, Target};
pub use custom::CustomLayer;
#[doc(hidden)]
pub use custom::Definition;
pub use device::Device;
pub use error::{DegreeEvidence, Error, Result};
pub use graph::{Graph, Task};
pub use inputs::Inputs;
pub use model::{DynamicModel, Model};
pub use network::{Network, Parameters, XNetwork, verify};
pub use precision::Precision;
pub use seed::Seed;
pub use weights::{Weight, WeightFault, WeightReader, WeightView, WeightViewMut};

pub use ndarray;
pub use xdnn_ir as ir;
