//! Every call of the driver and of NVRTC fails once.

use std::path::Path;

use xdnn_cuda_mock::{Live, Mock};
use xdnn_runtime::{DynamicModel, Error};

use crate::children;
use crate::networks::{BATCH, GPU, alone, attribute, attribute_within, image, numbers};

/// `CUDA_ERROR_UNKNOWN`, and `NVRTC_ERROR_INTERNAL_ERROR`.
const UNKNOWN: [i32; 2] = [999, 11];

/// What makes something or does something: where it fails, so does the run.
const DOES: [&str; 27] = [
    "cuDriverGetVersion",
    "cuInit",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDevicePrimaryCtxRetain",
    "cuStreamCreate",
    "cuModuleLoadData",
    "cuModuleGetFunction",
    "cuMemAlloc",
    "cuMemHostAlloc",
    "cuMemsetD8Async",
    "cuMemcpyHtoDAsync",
    "cuMemcpyDtoDAsync",
    "cuMemcpyDtoHAsync",
    "cuStreamSynchronize",
    "cuStreamBeginCapture",
    "cuLaunchKernel",
    "cuStreamEndCapture",
    "cuGraphInstantiateWithFlags",
    "cuGraphUpload",
    "cuGraphLaunch",
    "nvrtcVersion",
    "nvrtcGetNumSupportedArchs",
    "nvrtcGetSupportedArchs",
    "nvrtcCreateProgram",
    "nvrtcCompileProgram",
    "nvrtcGetCUBIN",
];

/// What gives something back: where it fails, that one thing stays, and nothing else.
const GIVES_BACK: [&str; 9] = [
    "cuMemFree",
    "cuMemFreeHost",
    "cuStreamDestroy",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
    "cuModuleUnload",
    "cuDevicePrimaryCtxRelease",
    "nvrtcDestroyProgram",
    // Before something is given back, it need not succeed.
    "cuCtxSetCurrent",
];

fn runs(model: &DynamicModel) -> Result<Vec<f32>, Error> {
    attribute(model, BATCH)?;
    let mut found = numbers(&attribute(model, BATCH)?);
    found.extend(attribute_within(model, BATCH)?);
    Ok(found)
}

/// How many things live, of whatever kind.
fn things(mock: &Mock) -> u64 {
    let Live {
        allocations,
        bytes: _,
        pinned,
        streams,
        events,
        modules,
        graphs,
        executables,
        contexts,
    } = mock.live();
    let driver =
        allocations + pinned + streams + events + modules + graphs + executables + contexts;
    driver + mock.programs()
}

/// What runs result in; and how often they, and they and the model's end, call each function.
fn undisturbed(
    mock: &Mock,
    functions: &[&'static str],
) -> (Vec<f32>, Vec<(&'static str, [u64; 2])>) {
    mock.reset();
    let model = image(GPU);
    let expected = runs(&model).unwrap();
    let calls = || functions.iter().map(|function| mock.calls(function));
    let running: Vec<u64> = calls().collect();
    drop(model);
    let all = running.into_iter().zip(calls());
    let counts = functions
        .iter()
        .zip(all)
        .map(|(function, (running, all))| (*function, [running, all]));
    (expected, counts.collect())
}

/// Lets a call fail, of a device that works at once or as late as it can, and returns what came of the runs; the model must work as soon as calls succeed again.
fn disturbed(
    mock: &Mock,
    function: &str,
    nth: u64,
    late: bool,
    expected: &[f32],
) -> Result<(), Error> {
    mock.reset();
    mock.set_deferred(late);
    let [unknown, internal] = UNKNOWN;
    let error = if function.starts_with("nvrtc") {
        internal
    } else {
        unknown
    };
    mock.fail(function, u32::try_from(nth).unwrap(), error);
    let model = image(GPU);
    let found = runs(&model);
    if found.is_err() {
        mock.reset();
        assert_eq!(
            runs(&model).unwrap(),
            expected,
            "after call {nth} of {function}"
        );
    }
    drop(model);
    found.map(|found| assert_eq!(found, expected, "call {nth} of {function}"))
}

#[test]
fn runs_call_nothing_else() {
    let mock = alone();
    let (_, counts) = undisturbed(&mock, &[&DOES[..], &GIVES_BACK].concat());
    for (function, [_, calls]) in &counts {
        assert!(*calls > 0, "{function}");
    }
    let driver = counts
        .iter()
        .filter(|(function, _)| !function.starts_with("nvrtc"));
    let driver: u64 = driver.map(|(_, [_, calls])| calls).sum();
    assert_eq!(mock.calls("*"), driver);
}

#[test]
fn what_cannot_be_done_is_an_error_and_leaves_nothing_behind() {
    let mock = alone();
    let before = things(&mock);
    let (expected, counts) = undisturbed(&mock, &DOES);
    assert_eq!(things(&mock), before);
    for (function, [running, all]) in counts {
        for (nth, late) in (1..=all).flat_map(|nth| [(nth, false), (nth, true)]) {
            let found = disturbed(&mock, function, nth, late, &expected);
            assert_eq!(things(&mock), before, "call {nth} of {function}");
            match found {
                Err(Error::Device { device, cause }) => {
                    assert_eq!(device, "cuda:0");
                    let why = ["CUDA_ERROR_UNKNOWN", "NVRTC_ERROR_INTERNAL_ERROR"];
                    assert!(
                        why.iter().any(|why| cause.contains(why)),
                        "{function}: {cause}"
                    );
                }
                found => assert!(
                    nth > running && found.is_ok(),
                    "call {nth} of {function}: {found:?}"
                ),
            }
        }
    }
}

/// In a process of its own, as the test behind it: what stays would be in the way of others.
#[test]
fn what_is_not_given_back_is_no_error() {
    if children::task().is_none() {
        let test = "failures::what_is_not_given_back_is_no_error";
        return children::run(test, Path::new("-"), None);
    }
    let mock = alone();
    let (expected, counts) = undisturbed(&mock, &GIVES_BACK);
    for (function, [_, all]) in counts {
        for nth in 1..=all {
            let before = things(&mock);
            let found = disturbed(&mock, function, nth, false, &expected);
            let bound = function == "cuCtxSetCurrent";
            assert!(
                found.is_ok() || bound,
                "call {nth} of {function}: {found:?}"
            );
            let left = things(&mock) - before;
            assert!(
                left <= u64::from(!bound),
                "call {nth} of {function} leaves {left}"
            );
        }
    }
}

/// Where the driver has failed once, it may go on failing.
#[test]
fn what_goes_on_failing_is_no_panic() {
    if children::task().is_none() {
        let test = "failures::what_goes_on_failing_is_no_panic";
        return children::run(test, Path::new("-"), None);
    }
    let mock = alone();
    let (_, counts) = undisturbed(&mock, &[&DOES[..], &GIVES_BACK].concat());
    for (function, _) in counts {
        mock.fail(
            function,
            0,
            UNKNOWN[usize::from(function.starts_with("nvrtc"))],
        );
        mock.fail("cuGetErrorName", 0, UNKNOWN[0]);
        let _ = runs(&image(GPU));
        mock.reset();
    }
}
