//! Which columns of a plan feed which part of an element.

use super::plain::{Form, PlainColumn};
use crate::shape::{
    json,
    plan::{Binding, Plan, Target},
};

/// Columns of a plan by what they feed; indices into the plan's columns.
pub(super) struct Layout {
    pub(super) id: Option<usize>,
    /// The same where ids may be sent as they stand.
    pub(super) plain_id: Option<usize>,
    pub(super) identifiers: Vec<usize>,
    pub(super) action: Option<usize>,
    pub(super) device: Option<usize>,
    /// Columns of an action's own fields, in the order in which they are written.
    pub(super) fields: Vec<usize>,
    /// What stands in `attributes`.
    pub(super) attributes: Vec<Node>,
}

/// One member of an object of attributes.
pub(super) enum Node {
    /// The value of a column.
    Value {
        /// Its index in the plan.
        at: usize,
        /// How its plain cells are written.
        plain: Option<PlainColumn>,
    },
    /// An object of several columns.
    Object {
        /// `"name":`
        key: Vec<u8>,
        /// Its name.
        name: String,
        members: Vec<Node>,
    },
}

impl Node {
    /// The form of its plain cells, if it has any.
    #[inline(always)]
    pub(super) fn form(&self) -> Option<Form> {
        match self {
            Self::Value { plain, .. } => plain.as_ref().map(PlainColumn::form),
            Self::Object { .. } => None,
        }
    }

    /// The first column below.
    pub(super) fn first(&self) -> Option<usize> {
        match self {
            Self::Value { at, .. } => Some(*at),
            Self::Object { members, .. } => members.first().and_then(Self::first),
        }
    }
}

impl Layout {
    pub(super) fn of(plan: &Plan, binding: &Binding) -> Self {
        let find = |target| plan.columns.iter().position(|column| column.target == target);
        let order = [
            Target::Platform,
            Target::AppVersion,
            Target::UserTime,
            Target::CurrentTime,
            Target::TimezoneOffset,
        ];
        let is_event = plan.kind == crate::model::Kind::Events;
        let mut attributes = Vec::new();
        for (at, column) in plan.columns.iter().enumerate() {
            let is_attribute = match column.target {
                Target::Attribute | Target::PushId | Target::PushOpted => true,
                Target::Identifier | Target::Platform => !is_event,
                _ => false,
            };
            if is_attribute {
                let plain = PlainColumn::of(plan, at).filter(|_| binding.given(at).is_none());
                place(&mut attributes, &column.path, Node::Value { at, plain });
            }
        }
        let of = |target: Target| {
            plan.columns
                .iter()
                .enumerate()
                .filter(move |(_, column)| column.target == target)
                .map(|(at, _)| at)
        };
        let id = find(Target::CustomerId);
        let is_plain = |&at: &usize| {
            let column = &plan.columns[at];
            column.constant.is_none()
                && binding.given(at).is_none()
                && column.reading.null_words.is_empty()
                && plan.rules.null_values.is_empty()
        };
        Self {
            id,
            plain_id: id.filter(is_plain),
            identifiers: of(Target::Identifier).collect(),
            action: find(Target::Action),
            device: find(Target::DeviceId),
            fields: if is_event {
                order.into_iter().filter_map(find).collect()
            } else {
                Vec::new()
            },
            attributes,
        }
    }
}

/// Adds a column below the objects of its path, which stand where their first member does.
fn place(members: &mut Vec<Node>, path: &[String], value: Node) {
    let [first, inner @ ..] = path else { return };
    if inner.is_empty() {
        members.push(value);
        return;
    }
    let known = members.iter_mut().find_map(|node| match node {
        Node::Object { name, members, .. } if name == first => Some(members),
        _ => None,
    });
    match known {
        Some(members) => place(members, inner, value),
        None => {
            let mut key = json::string(first);
            key.push(b':');
            let mut below = Vec::new();
            place(&mut below, inner, value);
            members.push(Node::Object { key, name: first.clone(), members: below });
        }
    }
}
