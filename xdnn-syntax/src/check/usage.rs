//! Dead values: what does not reach the output has no part in the attribution.

use xdnn_ir::{NetworkSpec, Operand};

use crate::ast::Network;
use crate::diagnostic::{Diagnostic, Place};
use crate::lower::Site;

/// Checks that the output depends on every input and every node. `sites` tells where each node stands.
pub(crate) fn check(
    network: &Network,
    spec: &NetworkSpec,
    sites: &[Site],
    report: &mut dyn FnMut(Diagnostic),
) {
    let nodes = spec.nodes();
    let mut read = vec![false; nodes.len()];
    let mut inputs_read = vec![false; spec.inputs().len()];
    if let Operand::Node(i) = spec.output {
        read[i] = true;
    }
    for operand in nodes.iter().flat_map(|node| node.operands.iter()) {
        match *operand {
            Operand::Node(n) => read[n] = true,
            Operand::Input(n) => inputs_read[n] = true,
        }
    }
    // What only dead nodes read is not reported again.
    for (i, node) in nodes.iter().enumerate().filter(|(i, _)| !read[*i]) {
        let place = sites
            .get(i)
            .map_or_else(|| Place::of(&network.name), |site| site.place);
        let name = node.operation.name();
        report(
            Diagnostic::new(place, format!("the result of `{name}` is never used"))
                .note("the next statement does not read it, but starts from another value")
                .help("join the two with `->`, name the result (`let y = …;`) and use it, or remove the statement"),
        );
    }
    for (input, _) in network
        .inputs
        .iter()
        .zip(&inputs_read)
        .filter(|(_, read)| !**read)
    {
        let name = &input.name;
        report(
            Diagnostic::new(
                name,
                format!("the output does not depend on the input `{name}`"),
            )
            .note("its attribution would be zero everywhere")
            .help(format!(
                "start a flow with it (`{name} -> …`), or remove it"
            )),
        );
    }
}
