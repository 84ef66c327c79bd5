use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// A draw from the open interval (0, 1), of 53 random bits.
pub(crate) fn unit(rng: &mut ChaCha8Rng) -> f64 {
    unit_of(rng.next_u64())
}

/// Random bits as a number in the open interval (0, 1).
pub(crate) fn unit_of(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
}

/// A draw from the standard normal distribution (Box and Muller, 1958).
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(unit(rng)));
    radius * libm::cos(TAU * unit(rng))
}

/// Random bits that depend on `seed` and `index` alone (SplitMix64; Steele,
/// Lea and Flood, 2014).
pub(crate) fn bits_at(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Ranks 0, 1, 2 ... drawn with a probability in proportion to
/// `(rank + 1)^-exponent`.
///
/// The distribution is kept as integers, so a draw compares integers only.
pub struct Zipf {
    /// The chance of a rank up to this one, in 2^-63rds.
    cumulative: Vec<u64>,
    /// For each value of a draw's top bits the first rank it can mean, so that
    /// the search looks at a few ranks, not at all.
    guide: Vec<u32>,
}

const GUIDE_BITS: u32 = 14;
const DRAW_BITS: u32 = 63;

impl Zipf {
    /// Prepares draws from `ranks` ranks; there must be one at least.
    pub fn new(ranks: u64, exponent: f64) -> Self {
        assert!(ranks > 0, "draws need at least one rank");
        let weight = |rank: u64| libm::pow((rank + 1) as f64, -exponent);
        // From the smallest to the greatest, so that little is lost.
        let total: f64 = (0..ranks).rev().map(weight).sum();
        let whole = 1u64 << DRAW_BITS;
        let mut sum = 0.0;
        let mut cumulative: Vec<u64> = (0..ranks)
            .map(|rank| {
                sum += weight(rank);
                ((sum / total * whole as f64) as u64).min(whole)
            })
            .collect();
        // Rounding must not leave a gap behind the last rank.
        cumulative[ranks as usize - 1] = whole;

        let mut rank = 0;
        let guide = (0..1u64 << GUIDE_BITS)
            .map(|slot| {
                let least = slot << (DRAW_BITS - GUIDE_BITS);
                while cumulative[rank] <= least {
                    rank += 1;
                }
                rank as u32
            })
            .collect();
        Self { cumulative, guide }
    }

    /// One rank, counted from 0.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> u64 {
        let draw = rng.next_u64() >> (64 - DRAW_BITS);
        let slot = (draw >> (DRAW_BITS - GUIDE_BITS)) as usize;
        let first = self.guide[slot] as usize;
        let last =
            self.guide.get(slot + 1).map_or(self.cumulative.len() - 1, |rank| *rank as usize);
        let step = self.cumulative[first..last].partition_point(|upper| *upper <= draw);
        (first + step) as u64
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn draws_follow_zipfs_law() {
        let (ranks, exponent, draws) = (1_000, 1.1, 400_000);
        let zipf = Zipf::new(ranks, exponent);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut counts = vec![0u64; ranks as usize];
        for _ in 0..draws {
            counts[zipf.draw(&mut rng) as usize] += 1;
        }
        let weights: Vec<f64> = (1..=ranks).map(|k| libm::pow(k as f64, -exponent)).collect();
        let total: f64 = weights.iter().sum();
        for rank in [0, 1, 9, 99, 499, 999] {
            let expected = draws as f64 * weights[rank] / total;
            let deviation = (counts[rank] as f64 - expected).abs() / expected.sqrt();
            assert!(deviation < 4.5, "rank {rank}: {} of {expected}", counts[rank]);
        }
    }

    #[test]
    fn guided_draws_are_those_of_a_plain_search() {
        for ranks in [1, 2, 3, 100, 70_000] {
            let zipf = Zipf::new(ranks, 1.1);
            let mut rng = ChaCha8Rng::seed_from_u64(ranks);
            for _ in 0..2_000 {
                let draw = rng.clone().next_u64() >> (64 - DRAW_BITS);
                let plain = zipf.cumulative.partition_point(|upper| *upper <= draw) as u64;
                assert_eq!(zipf.draw(&mut rng), plain);
            }
        }
    }

    #[test]
    fn normal_draws_have_mean_0_and_variance_1() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let draws: Vec<f64> = (0..100_000).map(|_| normal(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance =
            draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.015, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
    }
}
