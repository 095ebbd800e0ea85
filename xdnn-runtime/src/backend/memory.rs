//! Where in the arena each buffer lies.

use std::ops::Range;

/// Offsets are multiples of this many numbers, which is a cache line.
pub(crate) const ALIGNMENT: usize = 16;

/// A buffer and the steps that need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// The step that writes it first.
    pub first: usize,
    /// The last step that reads or writes it.
    pub last: usize,
    /// Its size, in numbers.
    pub size: usize,
}

impl Lifetime {
    fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// The offset of each buffer, such that no two that are alive at the same step overlap, and the size of the arena.
///
/// Greedy by size: the largest buffer first, each into the smallest gap that holds it between those buffers that are
/// already placed and live at the same time (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
/// Inference", 2020, algorithm 3).
pub(crate) fn assign(buffers: &[Lifetime]) -> (Vec<usize>, usize) {
    let mut offsets = vec![0; buffers.len()];
    let mut arena = 0;
    let mut placed: Vec<usize> = Vec::new();
    let mut order: Vec<usize> = (0..buffers.len())
        .filter(|i| buffers[*i].size > 0)
        .collect();
    order.sort_by_key(|i| (std::cmp::Reverse(buffers[*i].size), buffers[*i].first));
    for i in order {
        let size = buffers[i].size.next_multiple_of(ALIGNMENT);
        let mut taken: Vec<Range<usize>> = placed
            .iter()
            .filter(|other| buffers[**other].meets(&buffers[i]))
            .map(|other| {
                offsets[*other]..offsets[*other] + buffers[*other].size.next_multiple_of(ALIGNMENT)
            })
            .collect();
        taken.sort_by_key(|range| range.start);
        offsets[i] = smallest_gap(&taken, size);
        arena = arena.max(offsets[i] + size);
        placed.push(i);
    }
    (offsets, arena)
}

/// The start of the smallest gap that holds `size`; behind everything, where none does.
fn smallest_gap(taken: &[Range<usize>], size: usize) -> usize {
    let mut end = 0;
    let mut best: Option<(usize, usize)> = None;
    for range in taken {
        let gap = range.start.saturating_sub(end);
        if gap >= size && best.is_none_or(|(smallest, _)| gap < smallest) {
            best = Some((gap, end));
        }
        end = end.max(range.end);
    }
    best.map_or(end, |(_, start)| start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lifetimes() -> impl Strategy<Value = Vec<Lifetime>> {
        let lifetime = (0_usize..30, 0_usize..10, 0_usize..200);
        let lifetime = lifetime.prop_map(|(first, length, size)| Lifetime {
            first,
            last: first + length,
            size,
        });
        proptest::collection::vec(lifetime, 0..40)
    }

    proptest! {
        #[test]
        fn buffers_of_the_same_time_lie_apart(buffers in lifetimes()) {
            let (offsets, arena) = assign(&buffers);
            for (i, a) in buffers.iter().enumerate() {
                prop_assert!(offsets[i] % ALIGNMENT == 0 && offsets[i] + a.size <= arena.max(a.size));
                for (j, b) in buffers.iter().enumerate().skip(i + 1) {
                    let apart = offsets[i] + a.size <= offsets[j] || offsets[j] + b.size <= offsets[i];
                    prop_assert!(apart || !a.meets(b), "{a:?} at {} and {b:?} at {}", offsets[i], offsets[j]);
                }
            }
        }
    }

    #[test]
    fn a_chain_needs_room_for_two() {
        let chain: Vec<_> = (0..10)
            .map(|i| Lifetime {
                first: i,
                last: i + 1,
                size: 64,
            })
            .collect();
        assert_eq!(assign(&chain).1, 128);
    }
}
