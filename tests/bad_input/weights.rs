//! Weights, and the files that hold them.

use std::fs;

use safetensors::{Dtype, tensor::TensorView};
use tempfile::tempdir;
use xdnn::prelude::*;
use xdnn::{Error, WeightFault};

use super::{Tiny, refused};

#[test]
fn nan_in_a_weight() {
    let mut net = Tiny::init(Seed(1));
    net.head.weight.view_mut()[[2, 5]] = f32::NAN;
    for device in [Device::Cpu, Device::Reference] {
        refused!(
            net.compile(device),
            Error::NonFiniteWeight { .. },
            "weight `head.weight` is NaN at index `(2, 5)`; weights must be finite",
        );
    }
    refused!(
        Trainer::new(
            &net,
            Device::Cpu,
            Loss::CrossEntropy,
            Sgd::new(0.1),
            Seed(1)
        ),
        Error::NonFiniteWeight { .. },
        "weight `head.weight` is NaN at index `(2, 5)`; weights must be finite",
    );
}

#[test]
fn weights_that_are_missing_superfluous_and_of_other_shapes_are_one_error() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let zeros = [0; 84];
    let tensor = |shape: &[usize]| {
        let bytes = &zeros[..4 * shape.iter().product::<usize>()];
        TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()
    };
    let tensors = [
        ("head.weight", tensor(&[3, 7])),
        ("head.bias", tensor(&[3])),
        ("module.conv.weight", tensor(&[2, 1, 3, 3])),
    ];
    fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
    let error = Tiny::load(&path).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` does not fit the network: 4 faults\n  \
             `conv.weight` of shape `(2, 1, 3, 3)` is missing\n  \
             `head.weight` must have the shape `(3, 8)`, found `(3, 7)`\n  \
             `head.bias` of shape `(3,)` is not a weight of the network; the network has no bias there\n  \
             `module.conv.weight` of shape `(2, 1, 3, 3)` is not a weight of the network; did you mean `conv.weight`?",
            path.display()
        )
    );
    let Error::Weights { faults, .. } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(
        faults.as_slice(),
        [
            WeightFault::Missing { .. },
            WeightFault::Shape { .. },
            WeightFault::Extra { .. },
            WeightFault::Extra { .. }
        ]
    ));
}

#[test]
fn truncated_weights() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    Tiny::init(Seed(1)).save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let cause = match length {
            0 => "it is empty; save or download it again",
            _ => "it is truncated, or longer than its header says; save or download it again",
        };
        refused!(
            Tiny::load(&path),
            Error::Format { .. },
            format!("`{}` is no readable weight file: {cause}", path.display()),
        );
    }
}

#[test]
fn a_file_that_holds_no_weights() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for (content, cause) in [
        (
            &b"Dear diary, today I trained a network."[..],
            "header too large",
        ),
        (b"\x02\0\0\0\0\0\0\0[]", "invalid JSON"),
        (b"PK\x03\x04", "PyTorch checkpoint, expected safetensors"),
    ] {
        fs::write(&path, content).unwrap();
        let error = Tiny::load(&path).map(drop).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error:?}");
        let text = error.to_string();
        let start = format!("`{}` is no readable weight file: ", path.display());
        assert!(text.starts_with(&start) && text.contains(cause), "{text}");
    }
}

#[test]
fn no_such_file() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("none.safetensors");
    let error = Tiny::load(&path).map(drop).unwrap_err();
    assert!(
        matches!(error, Error::File { action: "read", .. }),
        "{error:?}"
    );
    let start = format!("cannot read `{}`: ", path.display());
    assert!(error.to_string().starts_with(&start), "{error}");
    assert!(matches!(
        Tiny::load(folder.path()),
        Err(Error::File { action: "read", .. })
    ));
}

#[test]
fn saving_where_there_is_no_folder() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("none").join("tiny.safetensors");
    let error = Tiny::init(Seed(1)).save(&path).unwrap_err();
    assert!(
        matches!(
            error,
            Error::File {
                action: "write",
                ..
            }
        ),
        "{error:?}"
    );
    let start = format!("cannot write `{}`: ", path.display());
    assert!(error.to_string().starts_with(&start), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn saving_over_a_file_that_is_read_only() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    Tiny::init(Seed(1)).save(&path).unwrap();
    let old = fs::read(&path).unwrap();
    let writable = fs::metadata(&path).unwrap().permissions();
    let mut permissions = writable.clone();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    refused!(
        Tiny::init(Seed(2)).save(&path),
        Error::File {
            action: "write",
            ..
        },
        format!("cannot write `{}`: the file is read-only", path.display()),
    );
    assert_eq!(fs::read(&path).unwrap(), old);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    fs::set_permissions(&path, writable).unwrap();
}

#[test]
fn saving_a_weight_that_is_not_finite() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    let mut net = Tiny::init(Seed(1));
    net.conv.weight.view_mut()[[0, 0, 1, 1]] = f32::INFINITY;
    refused!(
        net.save(&path),
        Error::NonFiniteWeight { .. },
        "weight `conv.weight` is inf at index `(0, 0, 1, 1)`; weights must be finite",
    );
    assert!(!path.exists());
}
