//! The result of a network: the declared shape, and one degree above 0.

use xdnn_ir::{Operand, Shape};

use crate::ast::Network;
use crate::diagnostic::{Diagnostic, Place};
use crate::lower::Value;

/// Checks what a network returns against what it declares.
pub(crate) fn check(
    network: &Network,
    declared: Option<Shape>,
    output: Value,
    report: &mut dyn FnMut(Diagnostic),
) {
    let name = &network.name;
    let end = network
        .body
        .as_ref()
        .map_or(Place::from(name), |body| body.place.last_token());
    if let Operand::Input(_) = output.operand {
        report(
            Diagnostic::new(end, format!("`{name}` returns its input unchanged"))
                .help("the last statement that is no `let` is what the network returns"),
        );
        return;
    }
    if let Some(declared) = declared.filter(|declared| *declared != output.shape) {
        let found = output.shape;
        let error = Diagnostic::new(
            network
                .output
                .as_ref()
                .map_or(Place::from(name), |output| output.place),
            format!("`{name}` is declared to return {declared}, but returns {found}"),
        );
        let flat = declared.rank() == 1 && found.rank() > 1;
        report(if flat && declared.elements() == found.elements() {
            error.help("end the network with `Flatten`")
        } else if flat {
            error.help(format!(
                "flatten the features and map them to {declared}: `Flatten -> head: Linear({})`",
                declared.dim(0)
            ))
        } else {
            error.help(format!("declare `-> {found}`, or change the last layer"))
        });
    }
    if let Some(degree) = output.degree.filter(|degree| !degree.is_positive()) {
        report(
            Diagnostic::new(
                name,
                format!(
                    "`{name}` is homogeneous of degree {degree}, which leaves nothing to attribute"
                ),
            )
            .note("by Euler's theorem the attributions x * dF/dx add up to degree * F(x)"),
        );
    }
}
