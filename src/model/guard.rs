//! Cells that a spreadsheet would run as formulas, and the apostrophe that keeps it from it.

/// A column of a rejects file that says that its cells are guarded; an import takes the
/// guards off again.
pub const GUARDED_COLUMN: &str = "_moebulk_safe";

/// Put before a cell, it makes a spreadsheet take the rest as text.
pub const GUARD: u8 = b'\'';

/// What begins a formula, or a command of another kind (OWASP: CSV injection).
const FORMULA_STARTS: [&[u8]; 11] = [
    b"=",
    b"+",
    b"-",
    b"@",
    b"\t",
    b"\r",
    b"\n",
    "\u{ff1d}".as_bytes(),
    "\u{ff0b}".as_bytes(),
    "\u{ff0d}".as_bytes(),
    "\u{ff20}".as_bytes(),
];

/// Whether a cell needs a guard: it is a formula, but no plain number, or such a one behind
/// apostrophes, which could not be told from guards.
pub fn needs_guard(cell: &[u8]) -> bool {
    let inner = without_apostrophes(cell);
    is_formula(inner) && (inner.len() < cell.len() || !is_number(cell))
}

/// A guarded cell without its guard.
pub fn unguarded(cell: &str) -> &str {
    match cell.as_bytes() {
        [GUARD, rest @ ..] if is_formula(without_apostrophes(rest)) => &cell[1..],
        _ => cell,
    }
}

fn without_apostrophes(cell: &[u8]) -> &[u8] {
    let start = cell.iter().position(|&byte| byte != GUARD).unwrap_or(cell.len());
    &cell[start..]
}

fn is_formula(cell: &[u8]) -> bool {
    FORMULA_STARTS.iter().any(|start| cell.starts_with(start))
}

/// A sign, digits and at most one point.
fn is_number(cell: &[u8]) -> bool {
    let digits = cell.strip_prefix(b"-").or_else(|| cell.strip_prefix(b"+")).unwrap_or(cell);
    digits.first().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|&byte| byte.is_ascii_digit() || byte == b'.')
        && digits.iter().filter(|&&byte| byte == b'.').count() <= 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_guarded_and_numbers_are_not() {
        for cell in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "＝1", "'=1", "+4-9"]
        {
            assert!(needs_guard(cell.as_bytes()), "{cell}");
        }
        for cell in ["", "-5", "+49123456", "-0.25", "a=b", "'tis", "2026-01-31", "a@b.example"] {
            assert!(!needs_guard(cell.as_bytes()), "{cell}");
        }
    }

    proptest! {
        #[test]
        fn a_guard_comes_off_and_nothing_else(cell in "['=+@\\-1.a\t＝]{0,6}") {
            let written =
                if needs_guard(cell.as_bytes()) { format!("'{cell}") } else { cell.clone() };
            prop_assert_eq!(unguarded(&written), &cell);
        }
    }
}
