//! Functions in C, as the system's compiler understands them. Skipped where there is none.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use xdnn_ir::{Degree, Function};

const DEGREES: [(i64, i64); 9] = [
    (0, 1),
    (1, 1),
    (2, 1),
    (3, 1),
    (4, 1),
    (7, 1),
    (1, 2),
    (1, 3),
    (5, 2),
];
const VALUES: [(f64, f64); 5] = [
    (1.0, 0.0),
    (1.0, -0.1),
    (0.5, 2.0),
    (0.0, -3.0),
    (-1.0, 1.0),
];
const POINTS: [f32; 8] = [0.0, -0.0, 1.0, -1.0, 0.3, -0.3, 250.0, -250.0];

#[test]
fn what_is_printed_computes_the_function() {
    let mut functions = Vec::new();
    for degree in DEGREES {
        for (positive, negative) in VALUES {
            functions.push(Function {
                name: format!("f{}", functions.len()).leak(),
                degree: Degree::rational(degree.0, degree.1).unwrap(),
                positive,
                negative,
                at_zero: 0.25,
            });
        }
    }
    let mut source = String::from("#include <math.h>\n#include <stdio.h>\n");
    let mut calls = String::new();
    for function in &functions {
        writeln!(source, "{}", function.to_c()).unwrap();
        for x in POINTS {
            writeln!(calls, "printf(\"%.9g\\n\", {}({x:?}f));", function.name).unwrap();
        }
    }
    writeln!(source, "int main(void) {{\n{calls}return 0;\n}}").unwrap();

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (file, program) = (folder.join("functions.c"), folder.join("functions"));
    fs::write(&file, source).unwrap();
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let compiled = Command::new(&compiler)
        .args(["-Wall", "-Werror", "-o"])
        .args([&program, &file])
        .arg("-lm")
        .status();
    let Ok(status) = compiled else {
        eprintln!("skipped: there is no C compiler `{compiler}`");
        return;
    };
    assert!(status.success());
    let output = Command::new(&program).output().unwrap();
    let found: Vec<f64> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    let expected = functions
        .iter()
        .flat_map(|function| POINTS.map(|x| (function, x, function.at(x.into()))));
    assert_eq!(found.len(), functions.len() * POINTS.len());
    for ((function, x, expected), found) in expected.zip(found) {
        assert!(
            (found - expected).abs() <= 1e-5 * expected.abs(),
            "{} at {x}: {found}, not {expected}",
            function.to_c()
        );
    }
}
