//! What a workspace has seen so far: distinct names are bounded, and so is what is kept of them.

use std::collections::HashSet;

use super::Owner;

/// Data API, U: distinct user attributes of a workspace.
const USER_ATTRIBUTES_MAX: usize = 256;
/// Data API, U: distinct events of a workspace.
const EVENTS_MAX: usize = 512;
/// Data API, U: user attributes of a workspace that hold objects.
const USER_OBJECTS_MAX: usize = 10;
/// Data API, U: event attributes of a workspace that hold objects.
const EVENT_OBJECTS_MAX: usize = 5;

/// The distinct names of a workspace.
#[derive(Debug, Default)]
pub(in super::super) struct Workspace {
    user_attributes: HashSet<Box<str>>,
    events: HashSet<Box<str>>,
    user_objects: HashSet<Box<str>>,
    event_objects: HashSet<Box<str>>,
}

/// Why a name is one too many.
pub(super) struct OneTooMany {
    pub(super) rule: &'static str,
    pub(super) names_max: usize,
}

impl Workspace {
    /// Takes in an attribute, or tells which bound it is beyond; then it takes up no place.
    pub(super) fn admit_attribute(
        &mut self,
        owner: Owner,
        name: &str,
        holds_objects: bool,
    ) -> Result<(), OneTooMany> {
        let (objects, objects_max) = match owner {
            Owner::User => (&mut self.user_objects, USER_OBJECTS_MAX),
            Owner::Event => (&mut self.event_objects, EVENT_OBJECTS_MAX),
        };
        let attributes = (owner == Owner::User).then_some(&mut self.user_attributes);
        if attributes.as_ref().is_some_and(|known| is_full(known, name, USER_ATTRIBUTES_MAX)) {
            let rule = "user-attributes-distinct";
            return Err(OneTooMany { rule, names_max: USER_ATTRIBUTES_MAX });
        }
        if holds_objects {
            if is_full(objects, name, objects_max) {
                return Err(OneTooMany { rule: "object-attributes", names_max: objects_max });
            }
            add(objects, name);
        }
        if let Some(known) = attributes {
            add(known, name);
        }
        Ok(())
    }

    /// Takes in an event, or tells that it is beyond the bound.
    pub(super) fn admit_event(&mut self, name: &str) -> Result<(), OneTooMany> {
        if is_full(&self.events, name, EVENTS_MAX) {
            return Err(OneTooMany { rule: "events-distinct", names_max: EVENTS_MAX });
        }
        add(&mut self.events, name);
        Ok(())
    }
}

fn is_full(known: &HashSet<Box<str>>, name: &str, names_max: usize) -> bool {
    known.len() >= names_max && !known.contains(name)
}

fn add(known: &mut HashSet<Box<str>>, name: &str) {
    if !known.contains(name) {
        known.insert(name.into());
    }
}
