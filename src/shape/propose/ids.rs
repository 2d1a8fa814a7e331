//! Which column is the customer_id.

use super::{column::Typed, names};
use crate::model::Kind;
use crate::shape::{
    plan::{SourceColumn, ValueType},
    profile::Profile,
};
use crate::wire::ids::{self, IdVerdict};

/// Columns that differ by less than this, as a share of their rows, are as good as each other.
const ALIKE: f64 = 0.01;

/// How much of a column without a telling name must be distinct.
const UNIQUE: f64 = 0.99;

/// How a column is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Exactly,
    Usually,
    Perhaps,
    Otherwise,
}

/// A column that may be the customer_id.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its index.
    pub column: usize,
    /// Its name.
    pub name: String,
    /// Rows that could not be sent: the value is empty, too short or disallowed.
    pub unusable: u64,
    /// Of these, those whose value is disallowed or too short.
    pub disallowed: u64,
    /// Distinct values, as a share of the values, at most 1.
    pub unique: f64,
    /// Whether `unique` was counted, not estimated.
    pub exact: bool,
    named: Named,
    unusable_share: f64,
}

/// The columns that may be the customer_id, the best first.
pub fn candidates(
    kind: Kind,
    profile: &Profile,
    sources: &[SourceColumn],
    typed: &[Typed],
) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = (0..sources.len())
        .filter_map(|at| candidate(kind, profile, &sources[at], &typed[at], at))
        .collect();
    if let Some(best) = found.iter().map(|one| one.named).min() {
        // Where a name tells, being unique is no argument.
        found.retain(|one| {
            one.named == best || (one.named != Named::Otherwise && best != Named::Exactly)
        });
    }
    found.sort_by(|a, b| {
        (a.named.cmp(&b.named))
            .then(a.unusable_share.total_cmp(&b.unusable_share))
            .then(b.unique.total_cmp(&a.unique))
            .then(a.column.cmp(&b.column))
    });
    found
}

/// Whether the first is the one, by its name and by its values.
pub fn is_clear(candidates: &[Candidate]) -> bool {
    let Some(best) = candidates.first() else { return false };
    match best.named {
        Named::Exactly => true,
        Named::Otherwise => false,
        Named::Usually | Named::Perhaps => {
            candidates[1..].iter().filter(|other| other.named == best.named).all(|other| {
                other.unusable_share > best.unusable_share + ALIKE
                    || other.unique + ALIKE < best.unique
            })
        }
    }
}

fn candidate(
    kind: Kind,
    profile: &Profile,
    source: &SourceColumn,
    typed: &Typed,
    at: usize,
) -> Option<Candidate> {
    if source.refusal.is_some() || source.nested || source.float {
        return None;
    }
    let column = &profile.columns[at];
    let plain = names::plain(&source.name);
    let named = if source.name == "customer_id" {
        Named::Exactly
    } else if names::IDS.contains(&plain.as_str()) {
        Named::Usually
    } else if names::MAYBE_IDS.contains(&plain.as_str()) {
        Named::Perhaps
    } else {
        Named::Otherwise
    };
    // Every input needs it.
    if column.missing > 0 && named != Named::Exactly {
        return None;
    }
    let mut disallowed = column.disallowed;
    let mut values = column.values;
    // Words that elsewhere mean no value are ids like any others here.
    for (word, count) in column.nulls() {
        values += count;
        if matches!(ids::judge(word), IdVerdict::Disallowed | IdVerdict::TooShort) {
            disallowed += count;
        }
    }
    if values == 0 && named != Named::Exactly {
        return None;
    }
    let distinct = column.distinct.count() + column.nulls().count() as u64;
    let unique = (distinct as f64 / values.max(1) as f64).min(1.0);
    let unusable = profile.rows - values + disallowed;
    let unusable_share = unusable as f64 / profile.rows.max(1) as f64;
    let could_be = kind == Kind::Users
        && unique >= UNIQUE
        && unusable_share <= ALIKE
        && !matches!(typed.value, ValueType::Bool | ValueType::DateTime(_))
        && column.numbers.whole == column.numbers.all
        && column.chars.is_some_and(|(_, longest)| longest <= 80);
    if named == Named::Otherwise && !could_be {
        return None;
    }
    Some(Candidate {
        column: at,
        name: source.name.clone(),
        unusable,
        disallowed,
        unique,
        exact: column.distinct.is_exact(),
        named,
        unusable_share,
    })
}
