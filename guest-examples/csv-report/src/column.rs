//! The summary of one column.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::Serialize;

/// The summary of a column. Empty cells are not counted.
#[derive(Serialize)]
pub struct Column<'a> {
    name: &'a str,
    #[serde(flatten)]
    summary: Summary<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Summary<'a> {
    Number {
        count: usize,
        sum: f64,
        min: f64,
        max: f64,
        mean: f64,
    },
    Text {
        count: usize,
        distinct: usize,
        top: Option<Top<'a>>,
    },
}

/// The value seen most often; of several, the first in alphabetical order.
#[derive(Serialize)]
struct Top<'a> {
    value: &'a str,
    count: usize,
}

impl<'a> Column<'a> {
    /// Summarizes the cells of the column called `name`.
    pub fn summarise(name: &'a str, cells: impl Iterator<Item = &'a str> + Clone) -> Self {
        let filled = cells.map(str::trim).filter(|cell| !cell.is_empty());
        let numbers: Option<Vec<f64>> = filled.clone().map(number).collect();
        let summary = match numbers {
            Some(numbers) if !numbers.is_empty() => Summary::of_numbers(&numbers),
            _ => Summary::of_text(filled),
        };
        Self { name, summary }
    }
}

impl<'a> Summary<'a> {
    fn of_numbers(numbers: &[f64]) -> Self {
        let sum = sum(numbers);
        Self::Number {
            count: numbers.len(),
            sum,
            min: numbers.iter().copied().fold(f64::INFINITY, f64::min),
            max: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            mean: sum / numbers.len() as f64,
        }
    }

    fn of_text(cells: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = HashMap::new();
        for cell in cells {
            *counts.entry(cell).or_insert(0) += 1;
        }
        Self::Text {
            count: counts.values().sum(),
            distinct: counts.len(),
            top: counts
                .into_iter()
                .max_by_key(|&(value, count)| (count, Reverse(value)))
                .map(|(value, count)| Top { value, count }),
        }
    }
}

fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Adds up with Neumaier's compensation, so that a column of prices does not
/// gain stray digits from rounding row after row.
fn sum(numbers: &[f64]) -> f64 {
    let (sum, lost) = numbers.iter().fold((0.0_f64, 0.0), |(sum, lost), &number| {
        let next = sum + number;
        let rounded_off = if sum.abs() >= number.abs() {
            (sum - next) + number
        } else {
            (number - next) + sum
        };
        (next, lost + rounded_off)
    });
    sum + lost
}
