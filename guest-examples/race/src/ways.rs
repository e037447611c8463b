//! Ways to find a factor, which go on step by step, so that they can be stopped.

use serde::{Deserialize, Serialize};

/// A way to find a factor.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Divides by every odd number: fast if a factor is small.
    TrialDivision,
    /// Looks for a difference of two squares: fast if two factors are close.
    Fermat,
    /// Walks pseudorandomly until it meets itself: takes some fourth root of the number.
    PollardRho,
}

/// A search under way.
pub enum Search {
    TrialDivision {
        number: u64,
        divisor: u64,
    },
    Fermat {
        number: u64,
        root: u64,
    },
    PollardRho {
        number: u64,
        slow: u64,
        fast: u64,
        add: u64,
    },
}

impl Search {
    /// Begins a search for a factor of `number`, which is at least 4.
    pub fn new(way: Way, number: u64) -> Self {
        match way {
            Way::TrialDivision => Self::TrialDivision { number, divisor: 2 },
            Way::Fermat => Self::Fermat {
                number,
                root: root_up(number),
            },
            Way::PollardRho => Self::PollardRho {
                number,
                slow: 2,
                fast: 2,
                add: 1,
            },
        }
    }

    /// Continues for at most `steps`. Returns a factor, or 1 if the number is a prime.
    pub fn go_on(&mut self, steps: u32) -> Option<u64> {
        (0..steps).find_map(|_| self.step())
    }

    fn step(&mut self) -> Option<u64> {
        match self {
            Self::TrialDivision { number, divisor } => {
                if number.is_multiple_of(*divisor) {
                    return Some(*divisor);
                }
                if u128::from(*divisor) * u128::from(*divisor) > u128::from(*number) {
                    return Some(1);
                }
                *divisor += if *divisor == 2 { 1 } else { 2 };
                None
            }
            Self::Fermat { number, root } => {
                if number.is_multiple_of(2) {
                    return Some(2);
                }
                let square = u128::from(*root) * u128::from(*root);
                let rest = square - u128::from(*number);
                let other = rest.isqrt();
                if other * other == rest {
                    // 1 if only the number and 1 are left.
                    return Some(*root - other as u64);
                }
                *root += 1;
                None
            }
            Self::PollardRho {
                number,
                slow,
                fast,
                add,
            } => {
                if number.is_multiple_of(2) {
                    return Some(2);
                }
                let next = |x: u64| {
                    let square = u128::from(x) * u128::from(x) + u128::from(*add);
                    (square % u128::from(*number)) as u64
                };
                *slow = next(*slow);
                *fast = next(next(*fast));
                let factor = common(slow.abs_diff(*fast), *number);
                if factor == *number {
                    // Met itself without a factor: begins again on another walk. A prime
                    // does so on each.
                    if *add > 20 {
                        return Some(1);
                    }
                    (*slow, *fast, *add) = (2, 2, *add + 1);
                    return None;
                }
                (factor > 1).then_some(factor)
            }
        }
    }
}

/// Returns the root of the smallest square that is not below the number.
fn root_up(number: u64) -> u64 {
    let root = number.isqrt();
    if root * root == number {
        root
    } else {
        root + 1
    }
}

/// Returns the greatest common divisor.
const fn common(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}
