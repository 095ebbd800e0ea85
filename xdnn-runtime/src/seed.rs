//! Random numbers that depend on a seed, a name and a position alone.

/// Where random numbers start. The same seed gives the same numbers on every platform and with any number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

/// The increment of SplitMix64.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Seed {
    /// The numbers that belong to `name`.
    pub(crate) fn stream(self, name: &str) -> Stream {
        Stream {
            key: mix(mix(self.0.wrapping_add(GAMMA)) ^ fnv1a(name.as_bytes())),
        }
    }
}

/// A sequence of random numbers, each found from its position, so that threads may share the work in any way.
///
/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators") with the position as its
/// counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    key: u64,
}

impl Stream {
    /// 64 random bits.
    pub(crate) fn bits(self, position: u64) -> u64 {
        mix(self.key.wrapping_add(GAMMA.wrapping_mul(position)))
    }

    /// Two independent numbers of the standard normal distribution; `position` is below 2^48.
    ///
    /// Marsaglia's polar method, whose only functions are a square root, exact by IEEE 754, and [`ln`]: system
    /// libraries differ in the last bit of sines and logarithms, and with them the weights would.
    pub(crate) fn normals(self, position: u64) -> [f64; 2] {
        let mut attempt: u64 = 0;
        loop {
            let bits = self.bits(position.wrapping_add(attempt << 48));
            let [u, v] = [signed_unit((bits >> 32) as u32), signed_unit(bits as u32)];
            let s = u * u + v * v;
            if s < 1.0 {
                let factor = (-2.0 * ln(s) / s).sqrt();
                return [u * factor, v * factor];
            }
            attempt += 1;
        }
    }
}

/// The middle of one of 2^32 equal parts of (-1, 1); never 0.
fn signed_unit(bits: u32) -> f64 {
    (f64::from(bits) + 0.5) * (1.0 / 2_147_483_648.0) - 1.0
}

/// The finalizer of SplitMix64: a bijection that spreads every bit.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The 64-bit Fowler–Noll–Vo hash, variant 1a.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// `1/(2k + 1)`.
const LN_TERMS: [f64; 12] = {
    let (mut terms, mut k) = ([0.0; 12], 0);
    while k < terms.len() {
        terms[k] = 1.0 / (2 * k + 1) as f64;
        k += 1;
    }
    terms
};

/// The natural logarithm of a normal positive number, of the four basic operations alone.
///
/// With `x = m·2^e` and `s = (m − 1)/(m + 1)`: `ln x = e·ln 2 + 2·(s + s³/3 + s⁵/5 + …)`; 12 terms reach the last bits.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let mut m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let series = LN_TERMS.iter().rfold(0.0, |sum, term| sum * square + term);
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests {
    use super::{Seed, ln};

    #[test]
    fn the_logarithm_agrees_with_that_of_the_system() {
        for k in 1..10_000 {
            let x = f64::from(k) / 7919.0;
            assert!((ln(x) - x.ln()).abs() < 4e-16 * (1.0 + x.ln().abs()), "{x}");
        }
        assert!((ln(1e-300) - 1e-300_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn normals_have_the_moments_of_the_standard_normal_distribution() {
        let stream = Seed(7).stream("moments");
        let n = 200_000;
        let values: Vec<f64> = (0..n / 2).flat_map(|i| stream.normals(i)).collect();
        let moment = |power: i32| values.iter().map(|x| x.powi(power)).sum::<f64>() / n as f64;
        // Five standard errors: the variances of x, x², x³ and x⁴ are 1, 2, 15 and 96.
        for (power, mean, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)]
        {
            let error = 5.0 * f64::sqrt(variance / n as f64);
            assert!(
                (moment(power) - mean).abs() < error,
                "moment {power}: {}",
                moment(power)
            );
        }
    }

    #[test]
    fn numbers_are_pinned_so_that_weights_never_change_between_releases() {
        let stream = Seed(42).stream("conv1.weight");
        assert_eq!(stream.bits(0), 13_644_883_307_575_536_734);
        assert_eq!(stream.bits(1), 4_618_173_612_114_831_011);
        let [a, b] = stream.normals(0).map(|normal| normal as f32);
        assert_eq!([a, b], [0.204_782_59, -0.354_770_66]);
    }

    #[test]
    fn names_and_seeds_give_unrelated_numbers() {
        let same = (0..1000)
            .filter(|&i| Seed(1).stream("a").bits(i) >> 60 == Seed(2).stream("a").bits(i) >> 60)
            .count();
        assert!(
            (30..100).contains(&same),
            "{same} of 1000 hexadecimal digits agree"
        );
        assert_ne!(Seed(1).stream("a").bits(0), Seed(1).stream("b").bits(0));
    }
}
