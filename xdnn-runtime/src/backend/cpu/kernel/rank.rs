//! Where each element stands in its row.

use std::fmt;

use xdnn_ir::Shape;

use super::super::parallel::{Threads, lanes_on};
use super::{Kernel, Needs, Operands, Scratch};
use crate::error::Result;
use crate::ops;

/// The number of smaller elements of each row, less that of larger ones.
pub(super) struct Rank {
    row: usize,
}

impl Rank {
    pub(super) fn new(x: Shape) -> Self {
        let row = x.dim(x.rank().saturating_sub(1));
        Self { row }
    }
}

impl Kernel for Rank {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let (x, size) = (operands.read(0)?, self.row);
        let threads = Threads::for_work(32 * output.len());
        lanes_on(threads, output, size, scratch, |i, ranks, order| {
            let row = &x[i * size..][..size];
            ops::Rank::rank(row, &mut order[..size], ranks);
            Ok(())
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: 0,
            lane: self.row,
        }
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ranks of {}", self.row)
    }
}

#[cfg(test)]
mod tests {
    use xdnn_ir::Shape;

    use crate::backend::{Program, cpu, reference};
    use crate::graph::Graph;
    use crate::ops::{Leaf, Rank};

    /// Few values of many elements, so that ties are common, in rows for several threads.
    #[test]
    fn ranks_are_those_of_the_reference() {
        for (rows, size) in [(1, 1), (3, 7), (1, 30_000), (500, 200)] {
            let mut graph = Graph::new();
            let x = graph
                .leaf(Leaf::Input(0), Shape::new([rows, size]))
                .unwrap();
            let ranks = graph.apply(Rank, &[x]).unwrap();
            graph.set_outputs(vec![ranks]);
            let program = cpu::compile(&graph).unwrap();
            assert!(program.to_string().contains(&format!("ranks of {size}")));

            let of = |i: usize| ((i * i * 31 + 7 * i) % 997) as f32 / 100.0 - 4.0;
            let data: Vec<f32> = (0..rows * size).map(of).collect();
            let mut found = vec![f32::NAN; data.len()];
            program.run(&[&data], &mut [&mut found]).unwrap();
            assert_eq!(reference::execute(&mut graph, &[&data]).unwrap(), [found]);
        }
    }
}
