//! What a mapping could be, by the names and the values of all columns: the kind of the rows, the
//! customer_id, standard attributes, types and date formats. What two readings fit is left to be
//! decided, and never guessed.
//!
//! - `names`: names that are usual for fields and attributes;
//! - `ids`: which column is the customer_id;
//! - `column`: the type of one column, and what is to be said of it;
//! - `fields`: own fields of events and devices;
//! - `page`, `text`: the proposal as a commented file in TOML;
//! - `json`: the same as MoEngage's own mapping.

mod column;
mod fields;
mod ids;
mod json;
mod names;
mod page;
mod text;

use super::{
    infer::Minority,
    plan::{Plan, SourceColumn, ValueType},
    profile::{Profile, Span},
};
use crate::model::Kind;
use crate::wire::names::{StandardType, standard_type};
use column::Typed;

pub use ids::Candidate;
pub use json::to_json;
pub use page::{Page, to_mapping, to_page};

/// What was asked for by flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// What the rows are.
    pub kind: Option<Kind>,
    /// The action of events that no column names.
    pub event: Option<&'a str>,
}

/// A mapping that is proposed.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What the rows are.
    pub kind: Kind,
    /// What tells that.
    pub kind_why: String,
    /// The action of events that no column names.
    pub event: Option<String>,
    /// By column of the plan.
    pub columns: Vec<Proposed>,
    /// Columns that may be the customer_id, the best first.
    pub candidates: Vec<Candidate>,
    /// What is to be decided, and is about no one column.
    pub decide: Option<String>,
    /// The earliest and latest date, by column.
    pub spans: Vec<Span>,
    /// Lists and objects, which are attributes alone, by column.
    nested: Vec<bool>,
    /// Floating-point columns, which are no ids, by column.
    float: Vec<bool>,
}

/// What is proposed for one column.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// Its name.
    pub name: String,
    /// Where its values go.
    pub becomes: Becomes,
    /// Their type.
    pub value: ValueType,
    /// Words for true beside `true`.
    pub true_words: Vec<String>,
    /// Words for false beside `false`.
    pub false_words: Vec<String>,
    /// Texts that mean no value.
    pub null_words: Vec<String>,
    /// An input lacks the column.
    pub optional: bool,
    /// What is to be decided before it can be imported.
    pub decide: Option<String>,
    /// What is to be said of it.
    pub notes: Vec<String>,
}

/// Where the values of a column go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// To an own field of the element.
    Field(&'static str),
    /// To the attribute of that name.
    Attribute(String),
    /// Nowhere.
    Skip,
}

/// Of so many values all but one must have the shape that a name promises.
const SHAPE_SHARE: u64 = 20;

/// A proposal for the columns of a plan. `sources` are the same columns as the inputs have them.
pub fn propose(
    plan: &Plan,
    minorities: &[Minority],
    profile: &Profile,
    sources: &[SourceColumn],
    asked: Asked<'_>,
) -> Proposal {
    let typed: Vec<Typed> = (0..plan.columns.len())
        .map(|at| column::typed(plan, minorities, profile, &sources[at], at))
        .collect();
    let names: Vec<String> = sources.iter().map(|source| names::plain(&source.name)).collect();
    let (kind, kind_why) = kind(&names, sources, asked);
    let mut proposal = Proposal {
        kind,
        kind_why,
        event: asked.event.map(str::to_owned).filter(|_| kind == Kind::Events),
        columns: Vec::new(),
        candidates: ids::candidates(kind, profile, sources, &typed),
        decide: None,
        spans: typed.iter().map(|typed| typed.span().cloned().flatten()).collect(),
        nested: sources.iter().map(|source| source.nested).collect(),
        float: sources.iter().map(|source| source.float).collect(),
    };
    for (source, (typed, stats)) in sources.iter().zip(typed.iter().zip(&profile.columns)) {
        proposal.columns.push(Proposed {
            name: source.name.clone(),
            becomes: match source.refusal {
                None => Becomes::Attribute(source.name.clone()),
                Some(_) => Becomes::Skip,
            },
            value: typed.value,
            true_words: Vec::new(),
            false_words: Vec::new(),
            null_words: typed.null_words.clone(),
            optional: stats.missing > 0 && source.refusal.is_none(),
            decide: None,
            notes: typed.notes.clone(),
        });
    }
    proposal.choose_id(profile);
    match kind {
        Kind::Users => proposal.standard_attributes(profile, &names, &typed),
        Kind::Events => proposal.event_fields(profile, &names, &typed),
        Kind::Devices => proposal.device_fields(profile, &names),
    }
    proposal.leave_out_twice();
    proposal.leave_out_nameless();
    for (proposed, typed) in proposal.columns.iter_mut().zip(&typed) {
        if let (Some(format), None, true) =
            (&typed.ambiguous, &proposed.decide, proposed.value == ValueType::Text)
            && proposed.becomes != Becomes::Skip
            && !matches!(proposed.becomes, Becomes::Field(name) if name != "user_time" && name != "current_time")
            && !proposed.is_standard_text()
        {
            proposed.value = ValueType::DateTime(*format);
            let day_first = page::entry(proposed, kind);
            let own = page::attribute(&proposed.name);
            let optional = if proposed.optional { ", optional = true" } else { "" };
            proposed.decide = Some(format!(
                "day-first or month-first? Every value fits both. Day-first: {day_first}; month-first \
                 cannot be read as a date: rewrite the values, or send them as text: {{ {own}, type = \
                 \"string\"{optional} }}"
            ));
        }
    }
    for (proposed, stats) in proposal.columns.iter_mut().zip(&profile.columns) {
        let is_text = proposed.value == ValueType::Text && proposed.becomes != Becomes::Skip;
        if is_text && proposed.becomes != Becomes::Field("customer_id") {
            proposed.notes.extend(column::null_note(stats));
        }
    }
    proposal
}

impl Proposed {
    fn is_standard_text(&self) -> bool {
        let Becomes::Attribute(name) = &self.becomes else { return false };
        standard_type(name) == Some(StandardType::Text)
    }

    /// Sent as text, as it stands: nothing is to be said of other types.
    fn text(&mut self) {
        self.value = ValueType::Text;
        self.null_words.clear();
        self.notes.retain(|note| {
            !note.starts_with(column::NOT_A_NUMBER) && !note.contains(column::FOR_A_BOOLEAN)
        });
    }
}

/// What the rows are, and what tells that.
fn kind(names: &[String], sources: &[SourceColumn], asked: Asked<'_>) -> (Kind, String) {
    if let Some(kind) = asked.kind {
        return (kind, "as --kind says".into());
    }
    let find = |of: &[&str]| names::find(names, of).map(|at| format!("`{}`", sources[at].name));
    let time = find(names::TIMES);
    if let (Some(action), Some(time)) = (find(names::ACTIONS), &time) {
        return (Kind::Events, format!("{action} names an action and {time} its time"));
    }
    if let (Some(_), Some(time)) = (asked.event, &time) {
        return (Kind::Events, format!("--event names the action and {time} is its time"));
    }
    if let (Some(device), Some(push)) = (find(names::DEVICE_IDS), find(names::PUSH_IDS)) {
        return (Kind::Devices, format!("{device} and {push} are those of a device"));
    }
    (Kind::Users, "no columns of an event or a device".into())
}

impl Proposal {
    /// Columns and questions that are to be decided.
    pub fn open(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let file = self.decide.as_deref().map(|text| (None, text));
        let columns = self.columns.iter().filter_map(|column| {
            column.decide.as_deref().map(|text| (Some(column.name.as_str()), text))
        });
        file.into_iter().chain(columns)
    }

    /// Settles which column is the customer_id, or asks.
    fn choose_id(&mut self, profile: &Profile) {
        let Some(best) = self.candidates.first().map(|best| best.column) else {
            let why = match profile.is_unreadable() {
                true => "No row could be read, and no name tells",
                false => "None looks like it",
            };
            self.decide = Some(format!(
                "which column identifies the customer? {why}: write {{ to = \"customer_id\" }} at one, and \
                 delete this line"
            ));
            return;
        };
        if ids::is_clear(&self.candidates) {
            self.columns[best].becomes = Becomes::Field("customer_id");
            self.columns[best].text();
            return;
        }
        let all: Vec<_> = self.candidates.iter().take(4).map(|one| one.name.clone()).collect();
        let own = page::attribute(&self.columns[best].name);
        self.columns[best].text();
        self.columns[best].decide = Some(match all.len() {
            1 => format!(
                "is this the customer_id? It is unique, but not named so. If it is: {{ to = \
                 \"customer_id\" }}; if not: {{ {own} }}, and {{ to = \"customer_id\" }} at the column \
                 that is"
            ),
            _ => format!(
                "which is the customer_id: {}? If this one: {{ to = \"customer_id\" }}; if not: {{ {own} }}, \
                 and {{ to = \"customer_id\" }} at the other",
                all.join(", ")
            ),
        });
    }

    /// The column of such a name that is still an attribute: the one of the `exact` name, if there is
    /// one.
    fn free(&self, names: &[String], exact: &str, of: &[&str]) -> Option<usize> {
        let is_free = |at: usize| {
            let column = &self.columns[at];
            let is_id = of == names::DEVICE_IDS || of == names::PUSH_IDS;
            column.decide.is_none()
                && matches!(column.becomes, Becomes::Attribute(_))
                && !self.nested[at]
                && !(is_id && self.float[at])
        };
        let all = 0..names.len();
        let named = |name: &str| all.clone().find(|&at| names[at] == name && is_free(at));
        all.clone()
            .find(|&at| self.columns[at].name == exact && is_free(at))
            .or_else(|| of.iter().find_map(|name| named(name)))
    }

    /// An attribute takes one column: one whose own name was given to another is left out.
    fn leave_out_twice(&mut self) {
        let is_device = self.kind == Kind::Devices;
        let given = |column: &Proposed| match &column.becomes {
            Becomes::Attribute(name) if *name != column.name => Some(name.clone()),
            // A device's fields stand among its attributes.
            Becomes::Field(field) if is_device => Some((*field).to_owned()),
            _ => None,
        };
        let taken: Vec<(String, String)> = self
            .columns
            .iter()
            .filter_map(|column| Some((given(column)?, column.name.clone())))
            .collect();
        for column in &mut self.columns {
            let Becomes::Attribute(name) = &column.becomes else { continue };
            let other = taken.iter().find(|(given, by)| given == name && *by != column.name);
            if let Some((_, by)) = other {
                column.notes.push(format!("left out: the column `{by}` is taken for its name"));
                column.becomes = Becomes::Skip;
            }
        }
    }

    /// The server drops an attribute without a name.
    fn leave_out_nameless(&mut self) {
        for column in &mut self.columns {
            if matches!(&column.becomes, Becomes::Attribute(name) if name.is_empty()) {
                let note = "left out: it has no name, and the server drops what has none; in the place of \
                            `skip`, `attribute` gives it one";
                column.notes.push(note.to_owned());
                column.becomes = Becomes::Skip;
            }
        }
    }

    /// Gives users their standard attributes, where name and values agree.
    fn standard_attributes(&mut self, profile: &Profile, names: &[String], typed: &[Typed]) {
        for attribute in names::STANDARD {
            let own = names::plain(attribute.name);
            let of: Vec<&str> =
                [own.as_str()].into_iter().chain(attribute.usual.iter().copied()).collect();
            let Some(at) = self.free(names, attribute.name, &of) else { continue };
            let (stats, column) = (&profile.columns[at], &mut self.columns[at]);
            let exact = column.name == attribute.name;
            if stats.values == 0 && !exact {
                continue;
            }
            let misfit = attribute.shape.misfit(stats, &typed[at]);
            if let (Some(misfit), false) = (&misfit, exact) {
                column.notes.push(format!("not proposed as {}: {misfit}", attribute.name));
                continue;
            }
            column.becomes = Becomes::Attribute(attribute.name.to_owned());
            if let Some(misfit) = misfit {
                column.notes.push(misfit);
            }
            if standard_type(attribute.name) == Some(StandardType::Text) {
                column.text();
            }
        }
        for column in &mut self.columns {
            let Becomes::Attribute(name) = &column.becomes else { continue };
            match standard_type(name) {
                Some(StandardType::Text) => column.text(),
                Some(StandardType::Bool) if column.value != ValueType::Bool => {
                    let at = names.iter().position(|plain| *plain == names::plain(&column.name));
                    let few = at.and_then(|at| profile.columns[at].few.as_ref());
                    if let Some((yes, no)) = few.and_then(names::words) {
                        column.value = ValueType::Bool;
                        (column.true_words, column.false_words) = (yes, no);
                        column.notes.retain(|note| !note.contains(column::FOR_A_BOOLEAN));
                    }
                }
                _ => {}
            }
        }
    }
}
