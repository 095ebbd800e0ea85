//! On this machine's GPU or on the stand-in, multiplying exactly.

use safetensors::SafeTensors;
use xdnn::prelude::*;
use xdnn::{Model, Precision};

use super::{Golden, read};

pub fn check<N: XNetwork>(file: &str) {
    let bytes = read(file);
    let golden = Golden(SafeTensors::deserialize(&bytes).unwrap());
    let network: N = golden.network();
    golden.agrees(&model(&network), 1e-5);
}

pub fn model<N: Network>(network: &N) -> Model<N> {
    let model = network.compile(device()).unwrap();
    model.with_precision(Precision::Strict)
}

pub fn device() -> Device {
    if std::env::var_os("XDNN_TEST_GPU").is_none() {
        xdnn_cuda_mock::install().unwrap();
    }
    Device::Cuda(0)
}
