//! Runs side by side, and what a run costs.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use xdnn_runtime::Network;

use crate::networks::{
    BATCH, GPU, Image, alone, attribute, forward, image, model, numbers, pair, seeded,
};

#[test]
fn threads_share_a_model() {
    let mock = alone();
    let before = mock.live();
    let expected = numbers(&attribute(&image(GPU), BATCH).unwrap());
    let model = image(GPU);
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..3 {
                    assert_eq!(numbers(&attribute(&model, BATCH).unwrap()), expected);
                }
            });
        }
    });
    // The last one to use a model may be a thread that has not used the device before.
    std::thread::spawn(move || drop(model)).join().unwrap();
    assert_eq!(mock.live(), before);
}

/// Compiling uses the pool that its caller may be in.
#[test]
fn a_pool_of_threads_shares_a_model() {
    let _alone = alone();
    let expected = numbers(&attribute(&image(GPU), BATCH).unwrap());
    let model = image(GPU);
    (0..12).into_par_iter().for_each(|_| {
        assert_eq!(numbers(&attribute(&model, BATCH).unwrap()), expected);
    });
}

#[test]
fn models_run_side_by_side() {
    let _alone = alone();
    let models = [image(GPU), seeded(Image::SPEC, GPU, 2), model(&pair(), GPU)];
    let expected = models
        .each_ref()
        .map(|model| numbers(&attribute(model, BATCH).unwrap()));
    assert_ne!(expected[0], expected[1]);
    std::thread::scope(|scope| {
        for (model, expected) in models.iter().zip(&expected) {
            scope.spawn(move || {
                for _ in 0..3 {
                    assert_eq!(&numbers(&attribute(model, BATCH).unwrap()), expected);
                }
            });
        }
    });
}

/// A run is a launch and a wait.
#[test]
fn runs_make_nothing() {
    let mock = alone();
    let model = image(GPU);
    for _ in 0..2 {
        forward(&model, BATCH).unwrap();
    }
    let live = mock.live();
    mock.reset();
    forward(&model, BATCH).unwrap();
    assert_eq!(mock.live(), live);
    assert_eq!(mock.calls("cuGraphLaunch"), 1);
    assert_eq!(mock.calls("cuStreamSynchronize"), 1);
    assert_eq!(mock.calls("*"), 2 + mock.calls("cuCtxSetCurrent"));
    assert_eq!(mock.calls("nvrtcCompileProgram"), 0);
}

/// One of twelve runs cannot be launched.
#[test]
fn a_failure_is_that_of_its_own_run() {
    let mock = alone();
    let before = mock.live();
    let model = image(GPU);
    let expected = numbers(&attribute(&model, BATCH).unwrap());
    mock.fail("cuGraphLaunch", 5, 999);
    let failed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    match attribute(&model, BATCH) {
                        Ok(found) => assert_eq!(numbers(&found), expected),
                        Err(_) => drop(failed.fetch_add(1, Ordering::Relaxed)),
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner(), 1);
    drop(model);
    assert_eq!(mock.live(), before);
}
