//! Results to look at, from numbers and pictures only: charts, and the page that holds them.
//!
//! A chart is a [`Drawing`], a list of marks that is written as SVG or as pixels. A [`Report`] is everything that the page
//! tells; what it needs of a GPU was computed before.

mod axes;
mod bitmap;
mod confusion;
mod curves;
mod drawing;
mod html;
mod open_set;
mod page;
mod reliability;
mod roc;
mod svg;

pub use confusion::{Cells, confusion, has_numbers};
pub use curves::Curve;
pub use drawing::Drawing;
pub use html::escaped;
pub use open_set::Distances;
pub use page::{Learning, Look, PAGE, Report, Thumbnail, Tried, most_probable, surest_mistakes};
pub use reliability::reliability;
pub use roc::{Roc, roc};

/// `0.974` as `97.4 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
