//! Runs of graphs on the reference backend, in `f64`.

use std::collections::BTreeMap;

use xdnn_runtime::Graph;
use xdnn_runtime::backend::reference::execute;
use xdnn_runtime::graph::verify::verify;
use xdnn_runtime::ops::Leaf;

/// The numbers of each leaf.
pub type Leaves = BTreeMap<Leaf, Vec<f64>>;

/// The outputs of a well-formed graph.
pub fn run(graph: &mut Graph, leaves: &Leaves) -> Vec<Vec<f64>> {
    verify(graph).unwrap();
    let given: Vec<&[f64]> = graph
        .leaves()
        .into_iter()
        .map(|(leaf, value)| {
            let data = &leaves[&leaf];
            assert_eq!(data.len(), value.shape().elements(), "{leaf:?}");
            data.as_slice()
        })
        .collect();
    execute(graph, &given).unwrap()
}
