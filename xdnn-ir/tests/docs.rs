//! What an editor shows for a layer: a formula, and what becomes of the degree.

use std::fs;
use std::path::Path;

use xdnn_ir::Layer;

/// The doc comments of the layer of that name.
fn docs(sources: &[String], name: &str) -> Option<String> {
    sources.iter().find_map(|source| {
        let head = format!("\n    {name} {{");
        let (before, _) = source.split_once(&head)?;
        let (_, docs) = before.rsplit_once("layer! {")?;
        Some(docs.to_owned())
    })
}

#[test]
fn every_layer_states_a_formula_and_its_degree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/layer");
    let sources: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for signature in Layer::SIGNATURES {
        let name = signature.name;
        let docs = docs(&sources, name);
        assert!(docs.is_some(), "`{name}` is declared nowhere");
        let docs = docs.unwrap_or_default();
        assert!(
            docs.contains("degree"),
            "`{name}` says nothing of its degree"
        );
        assert!(docs.contains('`'), "`{name}` has no formula");
    }
}
