//! `luminal_cuda`, whose passes replace each primitive by a kernel.

use luminal_cuda::CudaCompiler;

use crate::Result;
use crate::graph::Graph;

/// Why there is no such device.
pub(super) fn probe(number: usize) -> std::result::Result<(), String> {
    if number > 0 {
        return Err(
            "`luminal_cuda` uses the first GPU alone: use `Device::LuminalCuda(0)`, and CUDA_VISIBLE_DEVICES to say which that is"
                .to_owned(),
        );
    }
    xdnn_cuda_link::probe().map_err(|missing| missing.to_string())
}

/// Compiles a graph in primitives for the GPU.
pub(super) fn compile(graph: &mut Graph) -> Result<()> {
    graph.compile_with(CudaCompiler::<f32>::default())
}
