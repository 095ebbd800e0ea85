//! Where random numbers start.

use std::hash::Hasher;

use fnv::FnvHasher;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Where random numbers start: the same seed gives the same numbers, with any number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

impl Seed {
    /// The numbers that belong to `name`: a stream of ChaCha8 of its own, the one whose number is the name's 64-bit FNV-1a
    /// hash.
    pub(crate) fn stream(self, name: &str) -> ChaCha8Rng {
        let mut hasher = FnvHasher::default();
        hasher.write(name.as_bytes());
        let mut stream = ChaCha8Rng::seed_from_u64(self.0);
        stream.set_stream(hasher.finish());
        stream
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use rand_distr::StandardNormal;

    use super::Seed;

    #[test]
    fn numbers_are_pinned_so_that_weights_do_not_change_unnoticed() {
        let mut stream = Seed(42).stream("conv1.weight");
        let bits: [u64; 2] = [stream.random(), stream.random()];
        assert_eq!(
            bits,
            [16_261_053_018_246_246_805, 13_781_327_038_048_117_024]
        );
        let normals: [f64; 4] = std::array::from_fn(|_| stream.sample(StandardNormal));
        let normals = normals.map(|normal| normal as f32);
        assert_eq!(
            normals,
            [0.673_961_76, -0.116_056_72, -0.493_633_6, 0.650_964_6]
        );
    }

    #[test]
    fn names_and_seeds_give_unrelated_numbers() {
        let digits = |seed, name| -> Vec<u64> {
            let mut stream = Seed(seed).stream(name);
            (0..1000).map(|_| stream.random::<u64>() >> 60).collect()
        };
        for (a, b) in [
            (digits(1, "a"), digits(2, "a")),
            (digits(1, "a"), digits(1, "b")),
        ] {
            let same = a.iter().zip(&b).filter(|(a, b)| a == b).count();
            assert!(
                (30..100).contains(&same),
                "{same} of 1000 hexadecimal digits agree"
            );
        }
    }
}
