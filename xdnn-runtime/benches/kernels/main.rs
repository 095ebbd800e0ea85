//! How fast each kernel of the CPU backend is: `cargo bench -p xdnn-runtime --bench kernels [-- <filter>] [--quick]`.
//!
//! Elements per second are multiplications and additions; `RAYON_NUM_THREADS=1` measures one thread.
#![allow(missing_docs, clippy::expect_used)]

mod cases;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn kernels(criterion: &mut Criterion) {
    for case in cases::cases() {
        let mut prepared = case.prepare().expect("a case of the table compiles");
        let throughput = match case.flop {
            Some(flop) => Throughput::Elements(flop as u64),
            None => Throughput::Bytes(prepared.bytes() as u64),
        };
        criterion
            .benchmark_group(case.kernel)
            .throughput(throughput)
            .bench_function(case.name, |bencher| bencher.iter(|| prepared.run()));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = kernels
}
criterion_main!(benches);
