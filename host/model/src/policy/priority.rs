//! The priority of an execution in its queue.

use crate::{Invalid, check_range};

/// The highest priority; 0 is the lowest and the default.
pub const PRIORITY_MAX: u16 = 9000;

/// Checks a priority, which callers give as any whole number: 0 to [`PRIORITY_MAX`].
pub fn priority(number: i64) -> Result<u16, Invalid> {
    check_range("priority", number, 0..=i64::from(PRIORITY_MAX))?;
    Ok(number as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_out_of_range_is_refused_and_not_clamped() {
        assert_eq!(priority(0), Ok(0));
        assert_eq!(priority(9000), Ok(9000));
        for bad in [-1, 9001, 65_536, i64::MIN, i64::MAX] {
            let refused = priority(bad).expect_err("out of range");
            assert!(refused.to_string().contains("0 to 9000"), "{refused}");
        }
    }
}
