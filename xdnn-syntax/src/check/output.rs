//! The result of a network: the declared shape, and one degree above 0.

use xdnn_ir::message::output;
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
    if let (Some(declared), Some(found)) = (declared, output.shape)
        && declared != found
    {
        let place = network
            .output
            .as_ref()
            .map_or(Place::from(name), |output| output.place);
        let message = output::explain(&name.to_string(), declared, found);
        report(Diagnostic::from_message(place, message.into()));
    }
    if let Some(degree) = output
        .degree
        .filter(|degree| !degree.is_positive() && !network.regular && !network.is_block())
    {
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
