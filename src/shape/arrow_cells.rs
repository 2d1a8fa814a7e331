//! stub
use arrow::array::Array;
use super::cell::Cell;
/// stub
pub struct ArrowColumn<'a>(&'a dyn Array);
impl<'a> ArrowColumn<'a> {
    /// stub
    pub fn new(array: &'a dyn Array) -> Result<Self, String> { Ok(Self(array)) }
    /// stub
    pub fn cell<'b>(&'b self, row: usize, scratch: &'b mut String) -> Cell<'b> { let _ = (row, scratch); if self.0.is_null(0) {Cell::Absent} else {Cell::Absent} }
}
